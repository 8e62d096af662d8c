#include "model/kernels/rearrange.h"

#include <algorithm>

#include "Eigen/Core"

namespace halfwave::kernels {
namespace {

// In range for any float, NaN included. length > 0.
int64_t ToIndex(float index, int64_t length) {
  const auto size = static_cast<double>(length);
  const double from_start = index < 0 ? index + size : index;
  if (!(from_start > 0)) return 0;
  return from_start >= size ? length - 1 : static_cast<int64_t>(from_start);
}

}  // namespace

void Rearrange(int64_t rows, int64_t row_elements, std::span<const int64_t> sources, int64_t block, float fill,
               const float* x, float* y) {
  for (int64_t row = 0; row < rows; ++row, x += row_elements) {
    for (const int64_t source : sources) {
      y = source < 0 ? std::fill_n(y, block, fill) : std::copy_n(x + source, block, y);
    }
  }
}

void SparseMap(int64_t rows, int64_t inputs, int64_t block, std::span<const int64_t> begins,
               std::span<const int64_t> indices, std::span<const float> weights, float fill, const float* x, float* y) {
  using Array = Eigen::ArrayXf;
  for (int64_t row = 0; row < rows; ++row, x += inputs * block) {
    for (size_t i = 0; i + 1 < begins.size(); ++i, y += block) {
      Eigen::Map<Array> out(y, block);
      out.setConstant(begins[i] == begins[i + 1] ? fill : 0.0f);
      for (int64_t k = begins[i]; k < begins[i + 1]; ++k) {
        out += weights[k] * Eigen::Map<const Array>(x + indices[k] * block, block);
      }
    }
  }
}

void Gather(int64_t groups, int64_t length, int64_t block, int64_t count, const float* x, const float* indices,
            float* y) {
  if (length == 0) {
    std::fill_n(y, groups * count * block, 0.0f);
    return;
  }
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t i = 0; i < count; ++i) {
      y = std::copy_n(x + (group * length + ToIndex(indices[i], length)) * block, block, y);
    }
  }
}

}  // namespace halfwave::kernels
