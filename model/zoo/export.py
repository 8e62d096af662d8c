"""From a trained PyTorch model to an ONNX file that Halfwave can prove itself with; shared by the training scripts.

Needs Debian's python3-torch, python3-onnx and python3-numpy; nothing to run here.
"""
import json
from collections import OrderedDict

import numpy as np
import onnx
import torch
from torch import nn

OPSET = 13
INPUT = "image"
SLICE = 500  # rows at a time, where all at once would need gigabytes


def layers(**named):
    """Modules by name, in order: the names become those of the ONNX nodes."""
    return OrderedDict(named)


def digits9(array):
    """Floats that print with nine significant digits, which is what a float32 needs to survive."""
    return [float(f"{value:.9g}") for value in np.asarray(array, dtype=np.float64).ravel()]


def exact(model, inputs):
    """The model's outputs computed by PyTorch in double precision, from the float32 weights and inputs."""
    model.double()
    with torch.no_grad():
        outputs = torch.cat([model(rows.double()) for rows in inputs.split(SLICE)])
    model.float()
    return outputs.numpy()


def dead_units(model, inputs):
    """{relu: (units never positive on any of the inputs, units)}; a feature map counts as one unit."""
    peaks = {}
    with torch.no_grad():
        for rows in inputs.split(SLICE):
            for name, module in model.named_children():
                rows = module(rows)
                if isinstance(module, nn.ReLU):
                    peak = rows.transpose(0, 1).flatten(1).amax(1)
                    peaks[name] = torch.maximum(peaks.get(name, peak), peak)
    return {name: (int((peak <= 0).sum()), peak.numel()) for name, peak in peaks.items()}


def describe(title, model, inputs, labels):
    """Prints what the README's table says, measured on the held-back rows."""
    right = int((exact(model, inputs).argmax(1) == np.asarray(labels)).sum())
    parameters = sum(p.numel() for p in model.parameters())
    share = f"{right} of {len(labels)} held-back rows right ({right / len(labels):.2%})"
    print(f"{title}: {parameters} parameters, {share}")
    print("  dead units:", ", ".join(f"{name} {d} of {n}" for name, (d, n) in dead_units(model, inputs).items()))


def write(path, model, output, samples, metadata):
    """Writes `model` (logits; with a Softmax last when `output` is "probabilities") and its metadata to `path`.

    `samples` become the self-test; `metadata` holds the halfwave.* keys without that prefix.
    """
    named = layers(**dict(model.named_children()))
    if output == "probabilities":
        named["softmax"] = nn.Softmax(dim=1)
    whole = nn.Sequential(named).eval()
    torch.onnx.export(whole, samples, str(path), opset_version=OPSET, input_names=[INPUT], output_names=[output],
                      dynamic_axes={INPUT: {0: "batch"}, output: {0: "batch"}})
    exported = onnx.load(str(path))
    _unshare(exported.graph)
    _rename(exported.graph, list(named), output)
    selftest = {
        "inputs": {INPUT: {"shape": list(samples.shape), "data": digits9(samples)}},
        "outputs": {output: {"shape": [len(samples), 10], "data": digits9(exact(whole, samples))}},
    }
    properties = {f"halfwave.{key}": value for key, value in metadata.items()}
    properties["halfwave.selftest"] = json.dumps(selftest, separators=(",", ":"))
    onnx.helper.set_model_props(exported, properties)
    onnx.checker.check_model(exported, full_check=True)
    onnx.save(exported, str(path))
    print(f"  {path.name}: {path.stat().st_size} bytes")


def _unshare(graph):
    """Weights that happen to be equal get tensors of their own again, where the exporter put an Identity."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "Identity" and node.input[0] in weights]:
        copy = graph.initializer.add()
        copy.CopyFrom(weights[node.input[0]])
        copy.name = node.output[0]
        graph.node.remove(node)


def _rename(graph, names, output):
    """Every node is called as its layer, and its output as the node."""
    if len(graph.node) != len(names):
        raise ValueError(f"{len(graph.node)} nodes for {len(names)} layers: {[n.op_type for n in graph.node]}")
    tensors = {}
    for node, name in zip(graph.node, names):
        node.name = name
        tensors[node.output[0]] = name
    tensors[graph.node[-1].output[0]] = output
    for node in graph.node:
        node.input[:] = [tensors.get(tensor, tensor) for tensor in node.input]
        node.output[:] = [tensors[tensor] for tensor in node.output]
    del graph.value_info[:]
