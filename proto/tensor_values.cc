#include "proto/tensor_values.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "proto/half_float.h"

namespace halfwave {
namespace {

using inference::InferTensorContents;
using Kind = ValueType::Kind;

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian and used as they are");

// Types that C++ has not, or not with the size they have on the wire.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};
struct Truth {
  uint8_t byte;
};

template <typename T>
float ToFloat(T value) {
  return static_cast<float>(value);
}
float ToFloat(Half value) { return HalfToFloat(value.bits); }
float ToFloat(BFloat16 value) { return BFloat16ToFloat(value.bits); }
float ToFloat(Truth value) { return value.byte != 0 ? 1 : 0; }

template <typename T>
T FromFloat(float value) {
  if constexpr (std::is_same_v<T, Half>) {
    return {FloatToHalf(value)};
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return {FloatToBFloat16(value)};
  } else if constexpr (std::is_same_v<T, Truth>) {
    return {static_cast<uint8_t>(value < 0 || value > 0 ? 1 : 0)};
  } else if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    // The upper limit of a wide type rounds up to a power of two, which the type cannot hold any more.
    if (std::isnan(value)) return 0;
    if (value <= static_cast<float>(Limits::min())) return Limits::min();
    if (value >= static_cast<float>(Limits::max())) return Limits::max();
    return static_cast<T>(value);
  } else {
    return static_cast<T>(value);
  }
}

template <typename T>
std::string Text(T value) {
  if constexpr (std::is_integral_v<T>) {
    return absl::StrCat(static_cast<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(value));
  } else {
    return absl::StrCat(ToFloat(value));
  }
}

// The field of typed contents that holds values of T.
template <typename T>
const auto& Field(const InferTensorContents& contents) {
  if constexpr (std::is_same_v<T, float>) {
    return contents.fp32_contents();
  } else if constexpr (std::is_same_v<T, double>) {
    return contents.fp64_contents();
  } else if constexpr (std::is_same_v<T, Truth>) {
    return contents.bool_contents();
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return contents.int64_contents();
  } else if constexpr (std::is_same_v<T, uint64_t>) {
    return contents.uint64_contents();
  } else if constexpr (std::is_signed_v<T>) {
    return contents.int_contents();
  } else {
    return contents.uint_contents();
  }
}

template <typename T>
int Count(const InferTensorContents& contents) {
  return Field<T>(contents).size();
}

template <typename T>
T Load(const char* raw) {
  T value;
  std::memcpy(&value, raw, sizeof(T));
  return value;
}

template <typename T>
int ToRaw(const InferTensorContents& contents, std::string& raw) {
  const auto& field = Field<T>(contents);
  raw.reserve(raw.size() + field.size() * sizeof(T));
  for (int i = 0; i < field.size(); ++i) {
    T value{};
    if constexpr (std::is_same_v<T, Truth>) {
      value.byte = field[i] ? 1 : 0;
    } else {
      value = static_cast<T>(field[i]);
      if (std::is_integral_v<T> && value != field[i]) return i;
    }
    raw.append(reinterpret_cast<const char*>(&value), sizeof(T));
  }
  return field.size();
}

template <typename T>
void FromRaw(const char* raw, size_t count, float* values) {
  for (size_t i = 0; i < count; ++i) values[i] = ToFloat(Load<T>(raw + i * sizeof(T)));
}

template <typename T>
void FromFloats(const float* values, size_t count, char* raw) {
  for (size_t i = 0; i < count; ++i) {
    const T value = FromFloat<T>(values[i]);
    std::memcpy(raw + i * sizeof(T), &value, sizeof(T));
  }
}

template <typename T>
std::vector<std::string> Texts(const std::string& raw) {
  std::vector<std::string> texts;
  for (size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) texts.push_back(Text(Load<T>(raw.data() + at)));
  return texts;
}

template <typename T>
constexpr ValueType Typed(const char* name, Kind kind, const char* field) {
  return {name, kind, sizeof(T), field, Count<T>, ToRaw<T>, FromRaw<T>, FromFloats<T>, Texts<T>};
}

template <typename T>
constexpr ValueType RawOnly(const char* name) {
  return {name, Kind::kFloat, sizeof(T), "", nullptr, nullptr, FromRaw<T>, FromFloats<T>, Texts<T>};
}

int CountBytes(const InferTensorContents& contents) { return contents.bytes_contents_size(); }

int BytesToRaw(const InferTensorContents& contents, std::string& raw) {
  for (const std::string& value : contents.bytes_contents()) AppendBytes(value, raw);
  return contents.bytes_contents_size();
}

std::vector<std::string> BytesTexts(const std::string& raw) {
  std::vector<std::string> texts;
  for (size_t at = 0; at + sizeof(uint32_t) <= raw.size();) {
    const auto length = Load<uint32_t>(raw.data() + at);
    at += sizeof(uint32_t);
    if (length > raw.size() - at) break;
    texts.push_back(raw.substr(at, length));
    at += length;
  }
  return texts;
}

constexpr ValueType kValueTypes[] = {
    Typed<float>("FP32", Kind::kFloat, "fp32_contents"),
    Typed<double>("FP64", Kind::kFloat, "fp64_contents"),
    RawOnly<Half>("FP16"),
    RawOnly<BFloat16>("BF16"),
    Typed<int8_t>("INT8", Kind::kInteger, "int_contents"),
    Typed<int16_t>("INT16", Kind::kInteger, "int_contents"),
    Typed<int32_t>("INT32", Kind::kInteger, "int_contents"),
    Typed<int64_t>("INT64", Kind::kInteger, "int64_contents"),
    Typed<uint8_t>("UINT8", Kind::kInteger, "uint_contents"),
    Typed<uint16_t>("UINT16", Kind::kInteger, "uint_contents"),
    Typed<uint32_t>("UINT32", Kind::kInteger, "uint_contents"),
    Typed<uint64_t>("UINT64", Kind::kInteger, "uint64_contents"),
    Typed<Truth>("BOOL", Kind::kInteger, "bool_contents"),
    {"BYTES", Kind::kBytes, 0, "bytes_contents", CountBytes, BytesToRaw, nullptr, nullptr, BytesTexts},
};

}  // namespace

const ValueType* FindValueType(const std::string& name) {
  for (const ValueType& type : kValueTypes) {
    if (name == type.name) return &type;
  }
  return nullptr;
}

int CountContents(const InferTensorContents& contents) {
  return contents.bool_contents_size() + contents.int_contents_size() + contents.int64_contents_size() +
         contents.uint_contents_size() + contents.uint64_contents_size() + contents.fp32_contents_size() +
         contents.fp64_contents_size() + contents.bytes_contents_size();
}

void AppendBytes(const std::string& value, std::string& raw) {
  const auto length = static_cast<uint32_t>(value.size());
  raw.append(reinterpret_cast<const char*>(&length), sizeof(length));
  raw.append(value);
}

}  // namespace halfwave
