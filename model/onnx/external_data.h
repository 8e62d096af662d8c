// Tensors that keep their bytes in a file beside the model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/statusor.h"
#include "onnx/onnx_pb.h"

namespace halfwave {

// The `bytes` bytes of a tensor whose data_location is EXTERNAL (keys location, offset and length, as ONNX's
// documentation of external data has them). The location must be a regular file in `folder` or below it, once all
// symbolic links are followed. Nothing is taken from memory before the file has been found large enough.
// INVALID_ARGUMENT for a location outside the folder and a place or size that does not fit the file or the tensor,
// NOT_FOUND for a missing file; messages name the tensor and the file.
absl::StatusOr<std::string> ReadExternalData(const onnx::TensorProto& tensor, int64_t bytes,
                                             const std::filesystem::path& folder);

}  // namespace halfwave
