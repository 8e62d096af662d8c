#!/usr/bin/env python3
"""halfwave-model prove against an independent CROWN in numpy, on three public MNIST networks (../shared/corpus).

Zhang et al., "Efficient Neural Network Robustness Certification with General Activation Functions", 2018: backward
linear bounds for every layer, the lower line of an unstable ReLU being x where its upper bound is the larger one and 0
elsewhere. It knows nothing of rounding, so neurons whose bound is within 1e-6 of the layer's largest from zero do not
count: all others that it finds stable over a ball, Halfwave must.

Usage: crown_test.py [IMAGES]
"""
import gzip
import json
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnx
    from onnx import numpy_helper
except ImportError as error:
    print("skipped:", error)
    sys.exit(77)

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"
if "HALFWAVE_SHARED" in os.environ:
    SHARED = pathlib.Path(os.environ["HALFWAVE_SHARED"])
MODELS = {  # name: mean and standard deviation of its inputs
    "eran_mnist_relu_3_50": (0.0, 1.0),
    "eran_mnist_relu_6_200": (0.0, 1.0),
    "eran_mnist_convsmall_point": (0.1307, 0.3081),
}
PIXELS = SHARED / "data/mnist/t10k-images-idx3-ubyte.gz"
NEAR_ZERO = 1e-6


def images(count):
    data = gzip.open(PIXELS).read()
    return np.frombuffer(data[16:16 + count * 784], np.uint8).reshape(count, 1, 28, 28).astype(np.float32) / np.float32(255)


def convolution(weights, bias, stride, shape):
    """As a matrix over flattened images [C, H, W]; their new shape."""
    units, channels, height, width = weights.shape
    rows, columns = (shape[1] - height) // stride + 1, (shape[2] - width) // stride + 1
    index = np.arange(np.prod(shape)).reshape(shape)
    matrix = np.zeros((units, rows, columns, index.size))
    for r in range(rows):
        for c in range(columns):
            reads = index[:, r * stride:r * stride + height, c * stride:c * stride + width].ravel()
            matrix[:, r, c, reads] = weights.reshape(units, -1)
    return matrix.reshape(-1, index.size), np.repeat(bias, rows * columns), (units, rows, columns)


def layers(name):
    """(matrix, bias) of each layer; between them a ReLU."""
    graph = onnx.load(str(SHARED / "corpus/models" / name / "model.onnx")).graph
    weights = {w.name: numpy_helper.to_array(w).astype(np.float64) for w in graph.initializer}
    shape, order, result, relus = (1, 28, 28), None, [], 0
    for node in graph.node:
        if node.op_type == "Conv":
            stride = next(a.ints[0] for a in node.attribute if a.name == "strides")
            matrix, bias, shape = convolution(weights[node.input[1]], weights[node.input[2]], stride, shape)
            result.append((matrix, bias))
        elif node.op_type == "Transpose":  # of images, to channels last
            order = np.arange(np.prod(shape)).reshape(shape).transpose(1, 2, 0).ravel()
        elif node.op_type == "Gemm":
            matrix, bias = weights[node.input[1]], weights[node.input[2]]
            if order is not None:
                placed = np.zeros_like(matrix)
                placed[:, order] = matrix
                matrix, order = placed, None
            result.append((matrix, bias))
        relus += node.op_type == "Relu"
    return result[:relus]


def crown(network, low, high):
    """Bounds of what enters each ReLU."""
    found = []
    for depth, (matrix, bias) in enumerate(network):
        sides = []
        for upper in (False, True):
            coefficients, constant = matrix, bias.copy()
            for before in reversed(range(depth)):
                l, u = found[before]
                unstable = (l < 0) & (u > 0)
                slope_up = np.where(unstable, u / np.where(unstable, u - l, 1), u > 0)
                slope_low = np.where(unstable, u > -l, u > 0).astype(float)
                offset_up = np.where(unstable, -slope_up * l, 0)
                positive, negative = np.maximum(coefficients, 0), np.minimum(coefficients, 0)
                if upper:
                    constant += positive @ offset_up
                    coefficients = positive * slope_up + negative * slope_low
                else:
                    constant += negative @ offset_up
                    coefficients = positive * slope_low + negative * slope_up
                constant += coefficients @ network[before][1]
                coefficients = coefficients @ network[before][0]
            positive, negative = np.maximum(coefficients, 0), np.minimum(coefficients, 0)
            sides.append(constant + (positive @ high + negative @ low if upper else positive @ low + negative @ high))
        found.append(tuple(sides))
    return found


def stable(network, rows, radius, box):
    """Per layer: neurons that are stable, summed over balls; and those that are by a margin."""
    totals = np.zeros((len(network), 2), int)
    for row in rows.reshape(len(rows), -1).astype(np.float64):
        for layer, (l, u) in enumerate(crown(network, np.maximum(row - radius, box[0]), np.minimum(row + radius, box[1]))):
            margin = NEAR_ZERO * max(np.abs(l).max(), np.abs(u).max())
            totals[layer] += ((l > 0) | (u <= 0)).sum(), ((l > margin) | (u <= -margin)).sum()
    return totals


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if not PIXELS.exists() or not all((SHARED / "corpus/models" / name / "model.onnx").exists() for name in MODELS):
        print("skipped: no networks and images in", SHARED)
        return 77
    program = pathlib.Path(os.environ.get("HALFWAVE_BIN", "build/release/bin")) / "halfwave-model"
    pixels, worse = images(count), 0
    with tempfile.TemporaryDirectory() as folder:
        for name, (mean, deviation) in MODELS.items():
            network = layers(name)
            rows = (pixels - np.float32(mean)) / np.float32(deviation)
            np.save(folder + "/rows.npy", rows)
            box = (-mean / deviation, (1 - mean) / deviation)
            for radius in (0.005, 0.01, 0.03):
                command = [program, "prove", SHARED / "corpus/models" / name / "model.onnx", "--json", "--input-domain",
                           f"{box[0]!r},{box[1]!r}", "--data", folder + "/rows.npy", "--ball", repr(radius / deviation)]
                report = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
                for layer, (theirs, by_margin) in zip(report["layers"], stable(network, rows, radius / deviation, box)):
                    ours = layer["elements_inactive"] + layer["elements_active"]
                    worse += ours < by_margin
                    print(f"{name} {radius} {layer['name']}: {ours} stable, CROWN {theirs} ({by_margin} by a margin)",
                          f"of {layer['elements'] * count}", "" if ours >= by_margin else "  <-- fewer")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
