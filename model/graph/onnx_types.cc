#include "model/graph/onnx_types.h"

namespace halfwave {

std::optional<DataType> FromOnnxType(int64_t type) {
  switch (type) {
    case 1:
      return DataType::kFloat;
    case 2:
      return DataType::kUint8;
    case 3:
      return DataType::kInt8;
    case 4:
      return DataType::kUint16;
    case 5:
      return DataType::kInt16;
    case 6:
      return DataType::kInt32;
    case 7:
      return DataType::kInt64;
    case 8:
      return DataType::kString;
    case 9:
      return DataType::kBool;
    case 10:
      return DataType::kFloat16;
    case 11:
      return DataType::kDouble;
    case 12:
      return DataType::kUint32;
    case 13:
      return DataType::kUint64;
    case 16:
      return DataType::kBFloat16;
    default:
      return std::nullopt;
  }
}

}  // namespace halfwave
