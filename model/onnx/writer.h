// A graph as the bytes of an ONNX file: the way back from reader.h.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace halfwave {

// A graph as the reader gives it, perhaps changed, but not rewritten for the engine. Constants keep their type where
// the file can have had it: what was read as a float or an integer of another width is written as it was.
// UNIMPLEMENTED, naming the node, for operators outside of ONNX's own domain.
absl::StatusOr<std::string> WriteOnnx(const Graph& graph);

}  // namespace halfwave
