#!/usr/bin/env python3
"""Public client libraries against the real server. One of them per process: both libraries that speak the protocol
register the same protobuf package.

Usage: interop_test.py oip|triton|health       skips where the library is not installed
"""
import csv
import importlib.util
import json
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from server_process import ROOT, Server, halfwave, skip  # noqa: E402

HELD_OUT = ROOT / "model/zoo/digits_heldout.csv"


def rows(count):
    with open(HELD_OUT, newline="") as file:
        lines = list(csv.reader(file))[1:count + 1]
    return [[float(value) / 16 for value in line[1:]] for line in lines]


def probabilities_by_halfwave(server, count):
    """What our own client gets for the same rows."""
    small = ROOT / "build" / "interop_rows.csv"
    small.write_text("\n".join(HELD_OUT.read_text().splitlines()[:count + 1]) + "\n")
    answer = json.loads(halfwave("predict", small, "--scale", "0.0625", "--server", server.grpc, "--json"))
    return [row["probabilities"] for row in answer["predictions"]]


def check_same(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs):
        assert len(mine) == len(other) == 10
        worst = max(abs(a - b) for a, b in zip(mine, other))
        assert worst <= 1e-6, f"the clients differ by {worst}"
    print(f"{len(theirs)} rows: the same {len(theirs[0])} probabilities each as from halfwave")


def oip(server):
    """A client generated from the public proto of the Open Inference Protocol."""
    import grpc
    from open_inference.grpc import protocol, service

    with grpc.insecure_channel(server.grpc) as channel:
        stub = service.GRPCInferenceServiceStub(channel)
        assert stub.ServerLive(protocol.ServerLiveRequest(), timeout=10).live
        assert stub.ServerReady(protocol.ServerReadyRequest(), timeout=10).ready
        assert stub.ModelReady(protocol.ModelReadyRequest(name="digits"), timeout=10).ready
        metadata = stub.ModelMetadata(protocol.ModelMetadataRequest(name="digits"), timeout=10)
        assert json.loads(metadata.properties["halfwave.labels"]) == [str(i) for i in range(10)]
        tensor = protocol.ModelInferRequest.InferInputTensor
        values = rows(7)
        flat = [value for row in values for value in row]
        raw = protocol.ModelInferRequest(
            model_name="digits", inputs=[tensor(name="image", datatype="FP32", shape=[7, 1, 8, 8])],
            raw_input_contents=[struct.pack(f"<{len(flat)}f", *flat)])
        typed = protocol.ModelInferRequest(
            model_name="digits",
            inputs=[tensor(name="image", datatype="FP32", shape=[7, 1, 8, 8],
                           contents=protocol.InferTensorContents(fp32_contents=flat))])
        for request in (raw, typed):
            answer = stub.ModelInfer(request, timeout=10)
            numbers = struct.unpack("<70f", answer.raw_output_contents[0])
            check_same(probabilities_by_halfwave(server, 7), [numbers[i:i + 10] for i in range(0, 70, 10)])
        try:
            stub.ModelInfer(protocol.ModelInferRequest(model_name="nobody"), timeout=10)
            raise AssertionError("an unknown model was answered")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
            assert "served are: digits" in error.details(), error


def triton(server):
    """NVIDIA's client library."""
    import numpy
    import tritonclient.grpc as triton_grpc

    client = triton_grpc.InferenceServerClient(server.grpc)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("digits")
    assert client.get_model_metadata("digits").inputs[0].name == "image"
    assert client.get_model_repository_index().models[0].state == "READY"
    image = triton_grpc.InferInput("image", [5, 1, 8, 8], "FP32")
    image.set_data_from_numpy(numpy.array(rows(5), dtype=numpy.float32).reshape(5, 1, 8, 8))
    for compression in (None, "gzip", "deflate"):
        result = client.infer("digits", [image], request_id="42", compression_algorithm=compression,
                              outputs=[triton_grpc.InferRequestedOutput("probabilities")])
        assert result.get_response().id == "42"
        check_same(probabilities_by_halfwave(server, 5), result.as_numpy("probabilities").tolist())


def health(server):
    """grpc.health.v1 with Check and Watch, and server reflection."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

    serving = health_pb2.HealthCheckResponse.SERVING
    with grpc.insecure_channel(server.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "digits"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status == serving, answer
        try:
            stub.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=10)
            raise AssertionError("the health of an unknown model was answered")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.NOT_FOUND, error
        services = ProtoReflectionDescriptorDatabase(channel).get_services()
        assert {"inference.GRPCInferenceService", "halfwave.v1.NeuronHealth"} <= set(services), services
        updates = stub.Watch(health_pb2.HealthCheckRequest(service="digits"), timeout=60)
        assert next(updates).status == serving
        server.process.terminate()
        assert next(updates).status == health_pb2.HealthCheckResponse.NOT_SERVING
        print("Watch saw the server become ready and stop; reflection lists", ", ".join(sorted(services)))
        updates.cancel()


NEEDS = {"oip": "open_inference", "triton": "tritonclient", "health": "grpc_health"}


def main():
    case = sys.argv[1]
    if importlib.util.find_spec(NEEDS[case]) is None:
        skip(f"the Python package {NEEDS[case]} is not installed; tests/run.sh installs it")
    with Server() as server:
        globals()[case](server)


if __name__ == "__main__":
    main()
