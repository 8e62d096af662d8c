#include "model/base/data_type.h"

namespace halfwave {

const char* DataTypeName(DataType type) {
  switch (type) {
    case DataType::kFloat:
      return "FP32";
    case DataType::kDouble:
      return "FP64";
    case DataType::kFloat16:
      return "FP16";
    case DataType::kBFloat16:
      return "BF16";
    case DataType::kInt8:
      return "INT8";
    case DataType::kInt16:
      return "INT16";
    case DataType::kInt32:
      return "INT32";
    case DataType::kInt64:
      return "INT64";
    case DataType::kUint8:
      return "UINT8";
    case DataType::kUint16:
      return "UINT16";
    case DataType::kUint32:
      return "UINT32";
    case DataType::kUint64:
      return "UINT64";
    case DataType::kBool:
      return "BOOL";
    case DataType::kString:
      return "BYTES";
  }
  return "";
}

}  // namespace halfwave
