// ONNX NodeProtos to the nodes and constants of a Graph.
#pragma once

#include "absl/status/status.h"
#include "model/graph/graph.h"
#include "model/onnx/tensor_reader.h"
#include "onnx/onnx_pb.h"

namespace halfwave {

// Whether a model is of a kind that can be read at all, found before any weight is: UNIMPLEMENTED, naming the node and
// what to do, for quantised models, control flow, functions that the file defines itself, and custom operators.
absl::Status CheckOperators(const onnx::ModelProto& model, const Graph& graph);

// Adds the nodes to `graph`, whose opset, inputs and constants have been read; Constant nodes become constants. Sorts
// them. Gives the memory of tensors in `proto` back as they are converted.
absl::Status ReadNodes(onnx::GraphProto& proto, TensorSource& source, Graph& graph);

}  // namespace halfwave
