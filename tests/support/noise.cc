#include "tests/support/noise.h"

#include <random>

namespace halfwave {

std::vector<float> Noise(size_t count, uint32_t seed, float low, float high) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float& value : values) {
    value = low + (high - low) * static_cast<float>(generator() >> 8) / static_cast<float>(1 << 24);
  }
  return values;
}

}  // namespace halfwave
