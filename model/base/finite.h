#pragma once

#include <bit>
#include <cstdint>
#include <span>

namespace halfwave {

// Whether no value is NaN or infinite. Branch-free, for the many weights of a model.
inline bool AllFinite(std::span<const float> values) {
  uint32_t carry = 0;  // into the sign bit, by an exponent of all ones
  for (const float value : values) carry |= (std::bit_cast<uint32_t>(value) & 0x7FFFFFFFu) + 0x00800000u;
  return (carry & 0x80000000u) == 0;
}

}  // namespace halfwave
