"""What every exporter shares: digits to train on, and how a model and its framework's answers are left for the test.

Runs in each framework's own Python, so it needs nothing but NumPy.
"""
import csv
import pathlib

import numpy

DIGITS = pathlib.Path(__file__).resolve().parents[2] / "model/zoo/digits_heldout.csv"
ROWS = 37  # that are answered: more than any tile, and odd


def digits():
    """Pictures as float32 [n, 64] between 0 and 1, and which digit each is."""
    with open(DIGITS, newline="") as file:
        lines = list(csv.reader(file))[1:]
    table = numpy.array(lines, dtype=numpy.float32)
    return table[:, 1:] / 16, table[:, 0].astype(numpy.int64)


def sample(rows):
    """ROWS of them, spread over all."""
    return rows[numpy.linspace(0, len(rows) - 1, ROWS).astype(int)]


def leave(folder, name, inputs, outputs, classes=None):
    """Beside NAME.onnx: the tensors by their names in the file, and what the framework calls the classes."""
    arrays = {f"input:{key}": value for key, value in inputs.items()}
    arrays |= {f"output:{key}": value for key, value in outputs.items()}
    if classes is not None:
        arrays["classes"] = numpy.array([str(value) for value in classes])
    numpy.savez(pathlib.Path(folder) / f"{name}.npz", **arrays)
