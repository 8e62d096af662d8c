#include "model/kernels/strided_copy.h"

namespace halfwave::kernels {
namespace {

float* CopyDimension(std::span<const int64_t> shape, std::span<const int64_t> strides, const float* x, float* y) {
  if (shape.empty()) {
    *y = *x;
    return y + 1;
  }
  for (int64_t i = 0; i < shape[0]; ++i) y = CopyDimension(shape.subspan(1), strides.subspan(1), x + i * strides[0], y);
  return y;
}

}  // namespace

void StridedCopy(int64_t rows, int64_t in_elements, std::span<const int64_t> shape, std::span<const int64_t> strides,
                 int64_t offset, const float* x, float* y) {
  for (int64_t row = 0; row < rows; ++row) y = CopyDimension(shape, strides, x + row * in_elements + offset, y);
}

}  // namespace halfwave::kernels
