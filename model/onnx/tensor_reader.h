// An ONNX TensorProto to a Constant.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>

#include "model/graph/graph.h"
#include "model/onnx/byte_source.h"
#include "model/onnx/split_model.h"
#include "onnx/onnx_pb.h"

namespace halfwave {

inline constexpr int kMaxRank = 64;

// Where the tensors of one model may take their bytes from, and how many they may fill.
struct TensorSource {
  const ByteSource* file = nullptr;             // that raw data are read from
  std::optional<std::filesystem::path> folder;  // of external data; without one, they are refused
  int64_t max_bytes = std::numeric_limits<int64_t>::max();
  int64_t taken_bytes = 0;  // so far, as kept in memory
};

// What this element type is called here; nothing for complex numbers, floats of 8 bits and less, and the like.
std::optional<DataType> ToDataType(int32_t onnx_type);

// As the ONNX schema calls it: "FLOAT8E4M3FN".
std::string ElementTypeName(int32_t onnx_type);

// Converts a weight or constant, whose data may be raw, typed, or external; `raw` says where in the source's file they
// lie if they are not in the message. Nothing is taken from memory before the
// file has been found to hold as many bytes as the shape wants. INVALID_ARGUMENT if its shape is negative or too
// large, its data do not fill the shape, or a value is NaN, infinite or too large for float32 or int64;
// RESOURCE_EXHAUSTED beyond the source's limit; UNIMPLEMENTED for other element types. Messages name the tensor.
absl::StatusOr<Constant> ReadTensor(const onnx::TensorProto& tensor, TensorSource& source,
                                    const std::optional<Extent>& raw = std::nullopt);

// The same without a limit, and without external data.
absl::StatusOr<Constant> ReadTensor(const onnx::TensorProto& tensor);

}  // namespace halfwave
