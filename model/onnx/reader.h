// Bytes of an ONNX file to a Graph. The only code that sees ONNX's protobuf types; every byte is untrusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <string>
#include <string_view>

#include "model/graph/graph.h"

namespace halfwave {

// The versions of the default domain that are read. The newest is that of the public schema, release 1.23.
inline constexpr int64_t kOldestOpset = 6;
inline constexpr int64_t kNewestOpset = 28;

struct ReaderOptions {
  // The largest model: its file, and its weights as they are kept in memory, external data included. Raise it for a
  // larger one; one protobuf message cannot exceed 2 GiB whatever this says.
  int64_t max_model_bytes = int64_t{2} << 30;
};

// A model file as it was found: the graph, and the hash that tells this file from any other.
struct OnnxModel {
  Graph graph;
  // Of the model file's bytes, 64 hexadecimal digits; external data are not in it. Computed beside everything else, so
  // that get() may have to wait. Empty if the file was written to meanwhile.
  std::shared_future<std::string> sha256;
};

// Reads a serialised ModelProto. Nodes come out sorted, Constant nodes as constants, weights as Constant has them.
// External data are refused. DATA_LOSS for bytes that are no ONNX model or cut short, INVALID_ARGUMENT for one that
// contradicts itself, RESOURCE_EXHAUSTED for one beyond the limit, UNIMPLEMENTED for what is not supported. Weights
// must be finite.
absl::StatusOr<OnnxModel> ParseOnnx(std::string_view bytes, const ReaderOptions& options = {});

// ParseOnnx over a file's bytes, and the external data in its folder; a sidecar `<file without .onnx>.halfwave.json`
// beside it overrides the metadata of the same keys. NOT_FOUND if there is no such file. Messages name the file.
// UNAVAILABLE if it was written to meanwhile. Large weights are read straight to where they are kept.
absl::StatusOr<OnnxModel> ReadOnnxFile(const std::filesystem::path& path, const ReaderOptions& options = {});

}  // namespace halfwave
