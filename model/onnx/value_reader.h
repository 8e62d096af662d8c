// The inputs and outputs of an ONNX graph.
#pragma once

#include "absl/status/status.h"
#include "model/graph/graph.h"
#include "onnx/onnx_pb.h"

namespace halfwave {

// Fills the inputs, those that are not weights, and the outputs of `graph`, whose constants have been read.
// Inputs are tensors of numbers, of any rank and of a known size: only dimension 0 may be open, which makes it kBatch.
// What a file says of the shapes of its outputs may be stale: sizes that make no sense come out as kBatch, and where
// it says no element type the output is a float. So is the sequence of maps that a ZipMap of the domain ai.onnx.ml
// gives: FP32 without a shape, in the place of what ZipMap reads. INVALID_ARGUMENT for what contradicts itself,
// UNIMPLEMENTED for other kinds of values; messages name the input or output.
absl::Status ReadInputsAndOutputs(const onnx::GraphProto& proto, Graph& graph);

// "a tensor", "a sequence", ...: which kind of value a type is.
const char* ValueKindName(const onnx::TypeProto& type);

}  // namespace halfwave
