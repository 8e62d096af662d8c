#include "model/kernels/count.h"

#include <algorithm>

namespace halfwave::kernels {
namespace {

template <typename Predicate>
uint64_t CountIf(int64_t rows, int64_t elements, const uint8_t* skip, const float* x, Predicate predicate) {
  uint64_t count = 0;
  for (int64_t row = 0; row < rows; ++row) {
    if (skip != nullptr && skip[row] != 0) continue;
    count += std::count_if(x + row * elements, x + (row + 1) * elements, predicate);
  }
  return count;
}

}  // namespace

void CountActive(int64_t rows, int64_t images, int64_t units, int64_t positions, bool channels_last,
                 const uint8_t* skip, const float* x, uint8_t* seen, uint32_t* active) {
  for (int64_t row = 0; row < rows; ++row) {
    if (skip != nullptr && skip[row] != 0) continue;
    std::fill_n(seen, units, uint8_t{0});
    for (int64_t image = row * images; image < (row + 1) * images; ++image) {
      const float* data = x + image * units * positions;
      if (channels_last) {
        for (int64_t position = 0; position < positions; ++position) {
          const float* pixel = data + position * units;
          for (int64_t unit = 0; unit < units; ++unit) seen[unit] |= pixel[unit] > 0.0f ? 1 : 0;
        }
      } else {
        for (int64_t unit = 0; unit < units; ++unit) {
          const float* map = data + unit * positions;
          seen[unit] |= std::any_of(map, map + positions, [](float value) { return value > 0.0f; }) ? 1 : 0;
        }
      }
    }
    for (int64_t unit = 0; unit < units; ++unit) active[unit] += seen[unit];
  }
}

uint64_t CountZeros(int64_t rows, int64_t elements, const uint8_t* skip, const float* x) {
  return CountIf(rows, elements, skip, x, [](float value) { return value == 0.0f; });
}

uint64_t CountNotPositive(int64_t rows, int64_t elements, const uint8_t* skip, const float* x) {
  return CountIf(rows, elements, skip, x, [](float value) { return value <= 0.0f; });
}

uint64_t CountOutside(int64_t rows, int64_t elements, float low, float high, const uint8_t* skip, const float* x) {
  return CountIf(rows, elements, skip, x, [=](float value) { return value < low || value > high; });
}

}  // namespace halfwave::kernels
