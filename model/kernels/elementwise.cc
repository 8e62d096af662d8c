#include "model/kernels/elementwise.h"

#include <algorithm>
#include <limits>

#include "Eigen/Core"

namespace halfwave::kernels {
namespace {

using Array = Eigen::ArrayXf;
using ConstArrayMap = Eigen::Map<const Array>;
using ArrayMap = Eigen::Map<Array>;
constexpr float kLargest = std::numeric_limits<float>::max();

using StridedIn = Eigen::Map<const Array, 0, Eigen::InnerStride<>>;
using StridedOut = Eigen::Map<Array, 0, Eigen::InnerStride<>>;

}  // namespace

void Relu(int64_t count, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = (in < 0.0f).select(0.0f, in);
}

void LeakyRelu(int64_t count, float alpha, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = (in < 0.0f).select(alpha * in, in);
}

void Elu(int64_t count, float alpha, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = (in < 0.0f).select(alpha * in.expm1(), in);
}

void Selu(int64_t count, float alpha, float gamma, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = gamma * (in < 0.0f).select(alpha * in.expm1(), in);
}

// Not Eigen's logistic(), which is off by 5e-5 of the value around -10.
void Sigmoid(int64_t count, const float* x, float* y) {
  ArrayMap(y, count) = (1.0f + (-ConstArrayMap(x, count)).exp()).inverse();
}

void Tanh(int64_t count, const float* x, float* y) { ArrayMap(y, count) = ConstArrayMap(x, count).tanh(); }

void Add(int64_t count, const float* a, const float* b, float* y) {
  ArrayMap(y, count) = ConstArrayMap(a, count) + ConstArrayMap(b, count);
}

void PRelu(int64_t rows, int64_t elements, const float* slope, const float* x, float* y) {
  const ConstArrayMap slopes(slope, elements);
  for (int64_t r = 0; r < rows; ++r) {
    const ConstArrayMap in(x + r * elements, elements);
    ArrayMap(y + r * elements, elements) = (in < 0.0f).select(slopes * in, in);
  }
}

void AddToRows(int64_t rows, int64_t elements, const float* shift, const float* x, float* y) {
  for (int64_t r = 0; r < rows; ++r) Add(elements, x + r * elements, shift, y + r * elements);
}

void ScaleRows(int64_t rows, int64_t elements, const float* scale, const float* shift, const float* x, float* y) {
  const ConstArrayMap scales(scale, elements);
  const ConstArrayMap shifts(shift, elements);
  for (int64_t r = 0; r < rows; ++r) {
    ArrayMap(y + r * elements, elements) = ConstArrayMap(x + r * elements, elements) * scales + shifts;
  }
}

void Softmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y) {
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t offset = 0; offset < stride; ++offset) {
      const int64_t start = group * length * stride + offset;
      const StridedIn in(x + start, length, Eigen::InnerStride<>(stride));
      StridedOut out(y + start, length, Eigen::InnerStride<>(stride));
      // An overflow before this counts as the largest float: infinity minus itself would be no number.
      const float max = std::min(in.maxCoeff(), kLargest);
      out = ((in > kLargest).select(kLargest, in) - max).exp();
      out /= out.sum();
    }
  }
}

}  // namespace halfwave::kernels
