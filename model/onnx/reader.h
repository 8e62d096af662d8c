// Bytes of an ONNX file to a Graph. The only code that sees ONNX's protobuf types; every byte is untrusted.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "model/graph/graph.h"

namespace halfwave {

// A model file as it was found: the graph, and the hash that tells this file from any other.
struct OnnxModel {
  Graph graph;
  std::string sha256;  // of the model file's bytes, 64 hexadecimal digits
};

// Reads a serialised ModelProto of opset 7 or later. Nodes come out sorted, Constant nodes as constants, weights of
// every float width as fp32. DATA_LOSS for bytes that are no ONNX model or cut short, INVALID_ARGUMENT for one that
// contradicts itself, UNIMPLEMENTED for what is not supported. Weights must be finite.
absl::StatusOr<OnnxModel> ParseOnnx(std::string_view bytes);

// ParseOnnx over a file's bytes; a sidecar `<file without .onnx>.halfwave.json` beside it overrides the metadata of
// the same keys. NOT_FOUND if there is no such file. Messages name the file.
absl::StatusOr<OnnxModel> ReadOnnxFile(const std::filesystem::path& path);

}  // namespace halfwave
