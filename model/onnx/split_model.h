// A model file in two parts: the protobuf messages, and the large weights, which stay where they are until they are
// wanted. So no weight is in memory twice, and the parser never copies one.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "google/protobuf/io/zero_copy_stream.h"
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

}  // namespace halfwave
