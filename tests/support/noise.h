// Reproducible values for tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace halfwave {

// Evenly spread over [low, high).
std::vector<float> Noise(size_t count, uint32_t seed, float low = -1, float high = 1);

}  // namespace halfwave
