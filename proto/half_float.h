// The two 16-bit floating types, by their bits.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace halfwave {

// IEEE 754 binary16 has 5 bits of exponent and 10 of fraction, float32 has 8 and 23.
inline constexpr int kHalfFractionShift = 13;
inline constexpr uint32_t kHalfExponentOffset = 127 - 15;

inline float HalfToFloat(uint16_t half) {
  constexpr uint32_t kInfinity = 0x7F800000;
  const uint32_t magnitude = half & 0x7FFFU;
  const uint32_t sign = (half & 0x8000U) << 16;
  if (magnitude >= 0x7C00) return std::bit_cast<float>(sign | kInfinity | magnitude << kHalfFractionShift);
  // Read as float32 the exponent is too small by the difference of the biases; exact for subnormal numbers too.
  const float scale = std::bit_cast<float>((127 + kHalfExponentOffset) << 23);
  return std::bit_cast<float>(sign | magnitude << kHalfFractionShift) * scale;
}

// To the nearest, ties to even; what is too large becomes an infinity.
inline uint16_t FloatToHalf(float value) {
  constexpr uint32_t kInfinity = 0x7C00;
  constexpr float kTooLarge = 65520;  // halfway between the largest number and what would come next
  constexpr float kLeastNormal = 0x1p-14F;
  const auto sign = static_cast<uint32_t>(std::signbit(value) ? 0x8000 : 0);
  const float magnitude = std::fabs(value);
  const auto bits = std::bit_cast<uint32_t>(magnitude);
  uint32_t half = kInfinity;
  if (std::isnan(value)) {
    half = kInfinity | 0x200;
  } else if (magnitude < kLeastNormal) {
    // Between 0.5 and 1 the last place of float32 is that of a subnormal half: the addition rounds.
    half = std::bit_cast<uint32_t>(magnitude + 0.5F) - std::bit_cast<uint32_t>(0.5F);
  } else if (magnitude < kTooLarge) {
    const uint32_t odd = bits >> kHalfFractionShift & 1;
    half = (bits - (kHalfExponentOffset << 23) + 0xFFF + odd) >> kHalfFractionShift;
  }
  return static_cast<uint16_t>(sign | half);
}

// The upper half of a float32.
inline float BFloat16ToFloat(uint16_t value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }

// To the nearest, ties to even.
inline uint16_t FloatToBFloat16(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);  // a NaN even without its lower bits
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

}  // namespace halfwave
