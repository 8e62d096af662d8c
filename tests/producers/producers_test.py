#!/usr/bin/env python3
"""Files as frameworks write them, served by the real server and compared with the framework's own answers.

Usage: producers_test.py torch|keras|sklearn       skips where the framework is not installed
"""
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server_process import ROOT, Server, skip  # noqa: E402

# Each in a Python of its own: their dependencies exclude each other, and so do their libraries in one process.
PYTHONS = {"torch": "/usr/bin/python3", "keras": ROOT / "build/venv-keras/bin/python",
           "sklearn": ROOT / "build/venv-sklearn/bin/python"}
INSTALLED_BY = {"torch": "Debian's python3-torch", "keras": "build/venv-keras", "sklearn": "build/venv-sklearn"}
BATCHES = (37, 1, 7)  # as in exported.py, then one row, then a part


def export(framework, folder):
    python = str(PYTHONS[framework])
    find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{framework}') is None)"
    if not pathlib.Path(python).exists() or subprocess.run([python, "-c", find]).returncode != 0:
        skip(f"{framework} is not installed; tests/run.sh gets it as {INSTALLED_BY[framework]}")
    started = time.monotonic()
    done = subprocess.run([python, str(HERE / f"export_{framework}.py"), folder], capture_output=True, text=True,
                          timeout=600)
    assert done.returncode == 0, f"the exporter failed: {done.stderr}"
    print(f"{done.stdout.splitlines()[-1]}: exported in {time.monotonic() - started:.1f} s")


def properties(address, names):
    """What the metadata says beyond tensors. In a process of its own: NVIDIA's client lacks the field, and the library
    that has it registers the same protobuf package."""
    code = ("import grpc, json, sys; from open_inference.grpc import protocol, service\n"
            "stub = service.GRPCInferenceServiceStub(grpc.insecure_channel(sys.argv[1]))\n"
            "ask = lambda name: stub.ModelMetadata(protocol.ModelMetadataRequest(name=name), timeout=10)\n"
            "print(json.dumps({name: dict(ask(name).properties) for name in sys.argv[2:]}))")
    done = subprocess.run([sys.executable, "-c", code, address, *names], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def same(name, served, wanted, margins):
    """Numbers to rounding; labels where the framework itself is not in doubt between two."""
    import numpy

    assert served is not None, f"{name} is not in the answer"
    assert served.shape == wanted.shape, f"{name} has shape {served.shape}, the framework's {wanted.shape}"
    if wanted.dtype.kind == "f":
        worst, peak = numpy.abs(served - wanted).max(), numpy.abs(wanted).max()
        assert worst <= 1e-5 * peak + 1e-6, f"{name} differs by {worst}, at a peak of {peak}"
        return
    if wanted.dtype.kind == "U":
        served = numpy.array([text.decode() for text in served])
    sure = margins > 1e-4
    assert (served == wanted)[sure].all(), f"{name} is {served[sure]}, the framework's {wanted[sure]}"


def check(client, name, case, labels):
    import numpy
    import tritonclient.grpc as triton_grpc

    tensors = {key.partition(":")[::2]: value for key, value in case.items()}
    (feature, rows), = [(tensor, value) for (role, tensor), value in tensors.items() if role == "input"]
    outputs = {tensor: value for (role, tensor), value in tensors.items() if role == "output"}
    numbers = {tensor: value for tensor, value in outputs.items() if value.dtype.kind == "f"}
    answers = [value.reshape(len(rows), -1) for value in numbers.values()]
    columns = numpy.sort(numpy.concatenate(answers, axis=1), axis=1)
    margins = columns[:, -1] - columns[:, -2] if columns.shape[1] > 1 else numpy.ones(len(rows))
    # Otherwise the comparison would say little.
    assert (margins > 1e-4).mean() > 0.8 and len(numpy.unique(columns.round(3), axis=0)) > 5, "the case is trivial"

    metadata = client.get_model_metadata(name)
    types = {"f": "FP32", "i": "INT64", "U": "BYTES"}
    declared = {output.name: (output.datatype, list(output.shape)) for output in metadata.outputs}
    expected = {tensor: (types[value.dtype.kind], [-1, *value.shape[1:]]) for tensor, value in outputs.items()}
    assert declared == expected, f"the metadata has the outputs {declared}, the file {expected}"
    if "classes" in case:
        assert labels == case["classes"].tolist(), f"halfwave.labels is {labels}, the classes {case['classes']}"

    for batch in BATCHES:
        tensor = triton_grpc.InferInput(feature, [batch, *rows.shape[1:]], "FP32")
        tensor.set_data_from_numpy(numpy.ascontiguousarray(rows[:batch]))
        result = client.infer(name, [tensor])
        for output, wanted in outputs.items():
            same(output, result.as_numpy(output), wanted[:batch], margins[:batch])


def main():
    framework = sys.argv[1]
    for package in ("tritonclient", "open_inference"):
        if importlib.util.find_spec(package) is None:
            skip(f"the Python package {package} is not installed; tests/run.sh installs it")
    import numpy
    import tritonclient.grpc as triton_grpc

    failures = []
    with tempfile.TemporaryDirectory(prefix="halfwave-") as folder:
        export(framework, folder)
        cases = {path.stem: dict(numpy.load(path)) for path in sorted(pathlib.Path(folder).glob("*.npz"))}
        assert cases, "the exporter left nothing"
        with Server("--model", folder) as server:
            client = triton_grpc.InferenceServerClient(server.grpc)
            ready = [name for name in cases if client.is_model_ready(name)]
            known = properties(server.grpc, ready)
            for name, case in cases.items():
                try:
                    assert name in ready, "".join(line for line in server.log if f"{name}.onnx" in line)
                    check(client, name, case, json.loads(known[name].get("halfwave.labels", "[]")))
                    print(f"{name}: the same as from the framework")
                except (AssertionError, triton_grpc.InferenceServerException) as error:
                    failures.append(name)
                    print(f"FAILED {name}: {error}")
            client.close()
    sys.exit(f"{len(failures)} of {len(cases)} failed: {', '.join(failures)}" if failures else 0)


if __name__ == "__main__":
    main()
