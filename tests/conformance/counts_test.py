#!/usr/bin/env python3
"""Which units are active on 10,000 real rows: Halfwave's counts against ONNX Runtime's intermediate outputs.

Two orders of summation differ in the last bits, so a pre-activation next to zero may get another sign. The counts may
differ at such pairs of row and unit only: |z| at most 1e-5 of the layer's largest. The test lists those that do.

Usage: counts_test.py [MODEL]       another model of Fashion-MNIST, with Relu activations
"""
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from server_process import BIN, ROOT, skip  # noqa: E402

ZOO = ROOT / "model/zoo"
MODEL = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ZOO / "fashion_cnn.onnx"
DATA = ROOT.parent / "shared/data/fashion-mnist"
NEAR = 1e-5
CHUNK = 100  # rows of a profile: where it agrees in every unit, so do its rows, but for flips that cancel out in a unit


def pre_activations(rows):
    """By activation: ONNX Runtime's pre-activations, of a map the largest, as (rows, units); and the layer's peak."""
    import numpy
    import onnx
    import onnxruntime

    model = onnx.load(str(MODEL))
    activations = [node for node in model.graph.node if node.op_type == "Relu"]
    for node in activations:
        model.graph.output.append(onnx.helper.make_tensor_value_info(node.input[0], onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    largest, peaks = [[] for _ in activations], [0.0] * len(activations)
    for some in numpy.array_split(rows, 20):
        some = some.reshape(-1, *session.get_inputs()[0].shape[1:])
        values = session.run([node.input[0] for node in activations], {session.get_inputs()[0].name: some})
        for i, z in enumerate(values):
            largest[i].append(z.reshape(*z.shape[:2], -1).max(axis=2))
            peaks[i] = max(peaks[i], float(numpy.abs(z).max()))
    return {node.name: (numpy.concatenate(z), peak) for node, z, peak in zip(activations, largest, peaks)}


def counts(rows, folder):
    """By activation: on how many of the rows Halfwave saw each unit active."""
    import numpy

    data, profile = folder / "rows.npy", folder / "rows.profile"
    numpy.save(data, rows)
    done = subprocess.run([str(BIN / "halfwave-model"), "profile", str(MODEL), "--data", str(data), "-o", str(profile)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {layer["name"]: numpy.array(layer["active"]) for layer in json.loads(profile.read_text())["layers"]}


def main():
    for package in ("numpy", "onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            skip(f"the Python package {package} is not installed; tests/run.sh installs it")
    if not DATA.exists():
        skip(f"no Fashion-MNIST in {DATA}")
    import numpy

    sys.path.insert(0, str(ZOO))
    import idx

    rows = idx.read(DATA, "t10k")[0].astype(numpy.float32) / numpy.float32(255)
    theirs = pre_activations(rows)
    near = {name: numpy.abs(z) <= NEAR * peak for name, (z, peak) in theirs.items()}
    differ, wrong = 0, []
    with tempfile.TemporaryDirectory(prefix="halfwave-") as folder:
        def compare(first, last):
            """Bisects until the rows whose counts differ are alone."""
            nonlocal differ
            ours = counts(rows[first:last], pathlib.Path(folder))
            assert ours.keys() == theirs.keys(), f"the profile has {list(ours)}, the file {list(theirs)}"
            units = {name: numpy.flatnonzero(ours[name] != (z[first:last] > 0).sum(axis=0))
                     for name, (z, _) in theirs.items()}
            if not any(found.size for found in units.values()):
                return
            if last - first > 1:
                middle = (first + last) // 2
                compare(first, middle)
                compare(middle, last)
                return
            for name, found in units.items():
                z, peak = theirs[name]
                for unit in found:
                    differ += 1
                    print(f"differs: row {first}, {name}, unit {unit}: z {z[first, unit]:.3g} of a peak of {peak:.3g}")
                    if not near[name][first, unit]:
                        wrong.append((first, name, int(unit)))

        for first in range(0, len(rows), CHUNK):
            compare(first, first + CHUNK)
        # Where two might cancel out in the sum over a chunk: rows with a pair next to zero, each by itself.
        for row in numpy.flatnonzero(numpy.any([pairs.any(axis=1) for pairs in near.values()], axis=0)):
            for name, active in counts(rows[row:row + 1], pathlib.Path(folder)).items():
                far = ~near[name][row]
                assert ((active > 0) == (theirs[name][0][row] > 0))[far].all(), f"row {row}, {name}"
    pairs = sum(z.size for z, _ in theirs.values())
    print(f"{len(rows)} rows, {pairs} pairs of row and unit: {differ} differ, "
          f"{sum(int(found.sum()) for found in near.values())} lie within {NEAR} of the layer's peak")
    for name, (z, peak) in theirs.items():
        print(f"  {name}: peak {peak:.4g}, {int(near[name].sum())} pairs next to zero of {z.size}")
    assert not wrong, f"signs differ far from zero at (row, layer, unit) {wrong}"


if __name__ == "__main__":
    main()
