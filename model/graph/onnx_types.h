// The numbers that ONNX gives to data types, as attributes like Cast's 'to' hold them.
#pragma once

#include <cstdint>
#include <optional>

#include "model/base/data_type.h"

namespace halfwave {

// Nothing for a type that does not exist here: complex numbers and floats of eight bits or fewer.
std::optional<DataType> FromOnnxType(int64_t type);

}  // namespace halfwave
