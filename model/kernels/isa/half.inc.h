// Half precision (IEEE binary16), in which weights may be stored. Exact on every processor.
#pragma once

#include <cstdint>

namespace halfwave::kernels {
namespace {

struct Half {
  uint16_t bits;
};

inline float ToFloat(float value) { return value; }
inline float ToFloat(Half half) {
  // As a float of the same bits it is too small by 2^112, and that holds for denormals as well.
  const uint32_t magnitude = (half.bits & 0x7fffu) << 13;
  float value;
  __builtin_memcpy(&value, &magnitude, sizeof(value));
  value *= 0x1p112f;
  return half.bits >= 0x8000 ? -value : value;
}

// To the nearest, a tie to the even one; from 65520 on, infinity. value: not NaN.
inline Half ToHalf(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof(bits));
  const uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
  uint32_t half = (magnitude + 0xfff + (magnitude >> 13 & 1) - (112u << 23)) >> 13;
  if (magnitude >= 143u << 23) half = 0x7c00;
  if (magnitude < 113u << 23) {  // a denormal: the addition rounds to its unit, which is that of a float from 0.5 on
    float sum;
    __builtin_memcpy(&sum, &magnitude, sizeof(sum));
    sum += 0.5f;
    __builtin_memcpy(&half, &sum, sizeof(half));
    half -= 126u << 23;
  }
  return {static_cast<uint16_t>(sign | half)};
}

// How a kernel stores a weight: as a float or a Half.
template <typename Weight>
inline Weight ToWeight(float value) {
  if constexpr (sizeof(Weight) == sizeof(float)) {
    return value;
  } else {
    return ToHalf(value);
  }
}

// Floats whose memory so many weights take.
template <typename Weight>
constexpr int64_t FloatsFor(int64_t weights) {
  constexpr int64_t kInFloat = sizeof(float) / sizeof(Weight);
  return (weights + kInFloat - 1) / kInFloat;
}

}  // namespace
}  // namespace halfwave::kernels
