// An ONNX TensorProto to a Constant.
#pragma once

#include "model/graph/graph.h"
#include "onnx/onnx_pb.h"

namespace halfwave {

// Converts a weight or constant, whose data may be raw or typed. INVALID_ARGUMENT if its shape is negative or too
// large, its data do not fill the shape, or a value is NaN or infinite; UNIMPLEMENTED for element types that are
// neither a float nor an integer, and for data kept outside the file.
absl::StatusOr<Constant> ReadTensor(const onnx::TensorProto& tensor);

}  // namespace halfwave
