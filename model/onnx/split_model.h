// A model file in two parts: the protobuf messages, and the large weights, which stay where they are until they are
// wanted. So no weight is in memory twice, and the parser never copies one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/io/zero_copy_stream.h"
#include "model/onnx/byte_source.h"
#include "onnx/onnx_pb.h"

namespace halfwave {

// A piece of a file.
struct Extent {
  int64_t offset = 0;
  int64_t bytes = 0;
};

struct SplitModel {
  struct Initializer {
    onnx::TensorProto proto;
    std::optional<Extent> raw;  // where its raw_data lie, if they were left out of `proto`
  };
  onnx::ModelProto proto;  // its graph without the initializers
  std::vector<Initializer> initializers;
};

// Reads a ModelProto of at most 2 GiB to the end. Nothing if the bytes are not one, or have no graph.
std::optional<SplitModel> ReadSplitModel(google::protobuf::io::ZeroCopyInputStream& bytes);

// Reads untrusted bytes. RESOURCE_EXHAUSTED if they are more than `max_bytes` or 2 GiB, or consist of more parts than
// any real network, found before memory is taken for them; DATA_LOSS if they are no model.
absl::StatusOr<SplitModel> ReadSplitModel(const ByteSource& source, int64_t max_bytes);

}  // namespace halfwave
