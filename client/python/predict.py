"""One prediction with plain grpcio, and stubs generated from a copy of the Open Inference Protocol's proto file.

    pip install grpcio grpcio-tools numpy
    python3 predict.py --proto open_inference.proto --model digits 0 0 0.4 0.9 ...

The copy may be any: Halfwave's proto/open_inference.proto, KServe's or Triton's grpc_service.proto. The values are one
row, in the order of the model's input; without any, a row of zeros is sent.
"""
import argparse
import importlib
import json
import pathlib
import sys
import tempfile

import grpc
import numpy as np
from grpc_tools import protoc

TYPES = {"FP32": "<f4", "FP64": "<f8", "FP16": "<f2", "BOOL": "?", "INT8": "i1", "INT16": "<i2", "INT32": "<i4",
         "INT64": "<i8", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8"}


def load_stubs(proto):
    """Generates Python code for `proto` (and what it imports from its folder) and imports it."""
    proto = pathlib.Path(proto).resolve()
    out = tempfile.mkdtemp()
    files = [str(file) for file in sorted(proto.parent.glob("*.proto")) if file == proto or proto_imports(proto, file)]
    if protoc.main(["protoc", f"-I{proto.parent}", f"--python_out={out}", f"--grpc_python_out={out}", *files]) != 0:
        sys.exit(f"{proto}: protoc failed")
    sys.path.insert(0, out)
    module = proto.stem.replace("-", "_")
    return importlib.import_module(f"{module}_pb2"), importlib.import_module(f"{module}_pb2_grpc")


def proto_imports(proto, file):
    return f'import "{file.name}"' in proto.read_text()


def one_row(values, shape, datatype):
    if datatype not in TYPES:
        sys.exit(f"cannot send values of type {datatype}")
    size = int(np.prod(shape))
    if values and len(values) != size:
        sys.exit(f"expected {size} values, found {len(values)}")
    return np.array(values or [0] * size, dtype=TYPES[datatype]).reshape(shape)


def find_scores(outputs):
    """The first floating output with more than one value a row; a label may stand before it."""
    for index, output in enumerate(outputs):
        if output.datatype in ("FP32", "FP64", "FP16") and np.prod(output.shape[1:]) > 1:
            return index
    sys.exit("the model has no output of several numbers a row")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proto", required=True, help="a copy of the Open Inference Protocol's proto file")
    parser.add_argument("--server", default="localhost:8001")
    parser.add_argument("--model", default="digits")
    parser.add_argument("--deadline", type=float, default=10, help="seconds")
    parser.add_argument("value", type=float, nargs="*")
    options = parser.parse_args()
    pb2, pb2_grpc = load_stubs(options.proto)

    with grpc.insecure_channel(options.server) as channel:
        stub = pb2_grpc.GRPCInferenceServiceStub(channel)
        try:
            model = stub.ModelMetadata(pb2.ModelMetadataRequest(name=options.model), timeout=options.deadline)
            tensor = model.inputs[0]
            shape = [1, *tensor.shape[1:]]  # one row
            row = one_row(options.value, shape, tensor.datatype)

            request = pb2.ModelInferRequest(model_name=model.name)
            request.inputs.add(name=tensor.name, datatype=tensor.datatype, shape=shape)
            request.raw_input_contents.append(row.tobytes())
            response = stub.ModelInfer(request, timeout=options.deadline)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")

    index = find_scores(response.outputs)
    scores = np.frombuffer(response.raw_output_contents[index], dtype=TYPES[response.outputs[index].datatype])
    properties = dict(getattr(model, "properties", {}))  # Halfwave's extension; other copies do not know it
    labels = json.loads(properties.get("halfwave.labels", "[]")) or range(len(scores))
    for score, label in sorted(zip(scores, labels), reverse=True)[:5]:
        print(f"{label}\t{score:.4f}")


if __name__ == "__main__":
    main()
