"""Trains scikit-learn's perceptrons and exports them with skl2onnx: export_sklearn.py FOLDER"""
import pathlib
import sys
import warnings

import numpy
import skl2onnx
import sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, StandardScaler

import exported

FOLDER = pathlib.Path(sys.argv[1])


def classifier(*hidden):
    return MLPClassifier(hidden or (16, 8), max_iter=150, random_state=3)


def export(name, model, rows, wanted, zipmap=True):
    """zipmap: scikit-learn's default is a dictionary a row; False, a tensor; "columns", a tensor a class."""
    rows = rows.astype(numpy.float32)
    model.fit(rows, wanted)
    options = {} if zipmap is True else {id(model): {"zipmap": zipmap}}
    onnx = skl2onnx.to_onnx(model, initial_types=[("features", FloatTensorType([None, rows.shape[1]]))],
                            options=options, target_opset={"": 17, "ai.onnx.ml": 3})
    (FOLDER / f"{name}.onnx").write_bytes(onnx.SerializeToString())
    names = [output.name for output in onnx.graph.output]
    rows = exported.sample(rows)
    if not hasattr(model, "predict_proba"):
        return exported.leave(FOLDER, name, {"features": rows}, {names[0]: model.predict(rows).reshape(-1, 1)})
    labels, probabilities = model.predict(rows), model.predict_proba(rows)
    if len(names) == 2:
        answers = {names[1]: probabilities}
    else:
        answers = {column: probabilities[:, i] for i, column in enumerate(names[1:])}
    classes = model.classes_ if len(names) == 2 else None
    return exported.leave(FOLDER, name, {"features": rows}, {names[0]: labels, **answers}, classes)


def main():
    warnings.filterwarnings("ignore")
    iris, cancer = load_iris(), load_breast_cancer()
    kinds, tumours = iris.target_names[iris.target], cancer.target_names[cancer.target]
    rows, digits = exported.digits()
    export("sklearn_digits", classifier(64, 32), rows, digits, zipmap=False)
    export("sklearn_digits_zipmap", classifier(64, 32), rows, digits)
    export("sklearn_iris_numbers", make_pipeline(StandardScaler(), classifier()), iris.data, 10 * iris.target - 10)
    export("sklearn_iris_names", classifier(), iris.data, kinds)
    export("sklearn_iris_names_tensor", make_pipeline(Normalizer(), classifier()), iris.data, kinds, zipmap=False)
    export("sklearn_iris_columns", classifier(), iris.data, kinds, zipmap="columns")
    export("sklearn_cancer", make_pipeline(StandardScaler(), classifier()), cancer.data, 2 * cancer.target - 1)
    export("sklearn_cancer_names", make_pipeline(MinMaxScaler(), classifier()), cancer.data, tumours, zipmap=False)
    regressor = MLPRegressor(hidden_layer_sizes=(16,), max_iter=150, random_state=3)
    export("sklearn_regressor", make_pipeline(StandardScaler(), regressor), iris.data[:, :3], iris.data[:, 3])
    print("scikit-learn", sklearn.__version__, "skl2onnx", skl2onnx.__version__)


main()
