// How the values of each data type lie in a message, and their way to and from float32, with which the engine and the
// client work. One table for server and client:
//
//   const ValueType* type = FindValueType("INT64");
//   std::vector<float> values(raw.size() / type->bytes);
//   type->from_raw(raw.data(), values.size(), values.data());
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "proto/open_inference.pb.h"

namespace halfwave {

struct ValueType {
  enum class Kind { kFloat, kInteger, kBytes };

  const char* name;  // as the Open Inference Protocol spells it
  Kind kind;         // BOOL counts as integer
  size_t bytes;      // of one value among raw contents; 0 for BYTES, where each says its own length

  // The field that holds such values when they come typed, and their number; "" and null: they come raw only.
  const char* field;
  int (*count)(const inference::InferTensorContents& contents);

  // Appends the typed values to `raw`, as they lie there. The index of the first that the type cannot hold (a field
  // may be wider than the type), or their number.
  int (*to_raw)(const inference::InferTensorContents& contents, std::string& raw);

  // Raw values, not aligned, to float32. Rounds to the nearest: integers are exact up to 2^24, and an FP64 beyond the
  // range becomes an infinity. A BOOL is 0 or 1. Null for BYTES.
  void (*from_raw)(const char* raw, size_t count, float* values);

  // float32 to raw values, not aligned. Integers: cut off towards zero, the type's limits for what is beyond them, 0
  // for NaN; BOOL: anything but 0 and NaN is true; FP16 and BF16: to the nearest, ties to even. Null for BYTES.
  void (*from_floats)(const float* values, size_t count, char* raw);

  // Each raw value as a person writes it, integers exactly, as far as `raw` holds whole values.
  std::vector<std::string> (*texts)(const std::string& raw);
};

// By the protocol's spelling; null if there is no such type.
const ValueType* FindValueType(const std::string& name);

// How many values all typed fields hold together.
int CountContents(const inference::InferTensorContents& contents);

// Appends a value of BYTES to raw contents: its length, in four bytes, and itself.
void AppendBytes(const std::string& value, std::string& raw);

}  // namespace halfwave
