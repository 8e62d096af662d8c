"""Trains small networks in Keras and exports them with tf2onnx: export_keras.py FOLDER"""
import os

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="", TF_ENABLE_ONEDNN_OPTS="0")

import logging  # noqa: E402
import pathlib  # noqa: E402
import sys  # noqa: E402

import keras  # noqa: E402
import tensorflow  # noqa: E402
import tf2onnx  # noqa: E402
from keras import layers  # noqa: E402

import exported  # noqa: E402

FOLDER = pathlib.Path(sys.argv[1])


def mlp():
    return keras.Sequential([
        keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Dropout(0.3),
        layers.Dense(16, activation="relu"), layers.Dense(10, activation="softmax")])


def cnn():
    return keras.Sequential([
        keras.Input((8, 8, 1)), layers.Conv2D(8, 3, padding="same", activation="relu"), layers.BatchNormalization(),
        layers.MaxPooling2D(2), layers.Conv2D(16, 3, use_bias=False), layers.BatchNormalization(), layers.ReLU(),
        layers.Flatten(), layers.Dropout(0.3), layers.Dense(32, activation="relu"),
        layers.Dense(10, activation="softmax")])


def residual():
    """Functional: padded unevenly, depthwise, bounded, added, concatenated, averaged."""
    image = keras.Input((8, 8, 1))
    x = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", use_bias=False)(image)))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    y = layers.LeakyReLU(0.1)(layers.BatchNormalization()(y))
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(8, 1)(y)]))
    x = layers.Conv2D(12, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Concatenate()([x, layers.PReLU(shared_axes=[1, 2])(layers.SeparableConv2D(4, 3, padding="same")(x))])
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


def train(network, rows, digits):
    logits = network.layers[-1].activation is keras.activations.linear
    network.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=logits))
    network.fit(rows, digits, epochs=6, batch_size=60, verbose=0)
    return network


def export(name, network, rows, opset):
    rows = exported.sample(rows)
    signature = [tensorflow.TensorSpec((None, *rows.shape[1:]), tensorflow.float32, name="image")]
    # Not from_keras: tf2onnx's does not know Keras 3's Sequential.
    function = tensorflow.function(lambda image: network(image, training=False), input_signature=signature)
    model, _ = tf2onnx.convert.from_function(function, signature, opset=opset,
                                             output_path=str(FOLDER / f"{name}.onnx"))
    answer = network(rows, training=False).numpy()
    exported.leave(FOLDER, name, {"image": rows}, {model.graph.output[0].name: answer})


def main():
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    keras.utils.set_random_seed(3)
    rows, digits = exported.digits()
    images = rows.reshape(-1, 8, 8, 1)
    convolutional = train(cnn(), images, digits)
    export("keras_mlp", train(mlp(), rows, digits), rows, 13)
    for opset in (9, 13, 18):
        export(f"keras_cnn_opset{opset}", convolutional, images, opset)
    export("keras_residual", train(residual(), images, digits), images, 17)
    print("tensorflow", tensorflow.__version__, "keras", keras.__version__, "tf2onnx", tf2onnx.__version__)


main()
