#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace halfwave {

// The bits of floats, all NaN alike: to compare what has to be the same to the bit.
inline std::vector<uint32_t> Bits(const std::vector<float>& values) {
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::isnan(value) ? 0x7fc00000u : std::bit_cast<uint32_t>(value));
  return bits;
}

}  // namespace halfwave
