// What the elements of a tensor are, in the file and on the wire. The engine computes with float32 whatever they are.
#pragma once

namespace halfwave {

enum class DataType {
  kFloat,
  kDouble,
  kFloat16,
  kBFloat16,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kBool,
  kString,
};

inline bool IsFloat(DataType type) { return type <= DataType::kBFloat16; }

// Integers of every width and truth values.
inline bool IsInteger(DataType type) { return type >= DataType::kInt8 && type <= DataType::kBool; }

// As the Open Inference Protocol spells it: "FP32", "INT64", "BYTES", ...
const char* DataTypeName(DataType type);

}  // namespace halfwave
