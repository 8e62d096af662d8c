#include "model/kernels/elementwise.h"

#include <algorithm>
#include <cmath>
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

void Celu(int64_t count, float alpha, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = (in < 0.0f).select(alpha * (in / alpha).expm1(), in);
}

// Not 1 + erf(), nor 1 + tanh() below: both cancel where x is far below zero.
void Gelu(int64_t count, const float* x, float* y) {
  constexpr float kInverseSqrt2 = 0.70710678118654752f;
  std::transform(x, x + count, y, [](float v) { return 0.5f * v * std::erfc(-v * kInverseSqrt2); });
}

void GeluTanh(int64_t count, const float* x, float* y) {
  constexpr float kTwoSqrt2OverPi = 1.59576912160573071f;
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = in / (1.0f + (-kTwoSqrt2OverPi * (in + 0.044715f * in.cube())).exp());
}

void HardSigmoid(int64_t count, float alpha, float beta, const float* x, float* y) {
  ArrayMap(y, count) = (alpha * ConstArrayMap(x, count) + beta).max(0.0f).min(1.0f);
}

void HardSwish(int64_t count, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = in * (in / 6.0f + 0.5f).max(0.0f).min(1.0f);
}

void Softplus(int64_t count, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = in.max(0.0f) + (-in.abs()).exp().log1p();
}

void Mish(int64_t count, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  // Far below zero the exponential is not quite zero, which an x without a limit would make visible.
  ArrayMap(y, count) = in.max(-100.0f) * (in.max(0.0f) + (-in.abs()).exp().log1p()).tanh();
}

void Softsign(int64_t count, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = in / (1.0f + in.abs());
}

void ThresholdedRelu(int64_t count, float alpha, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = (in <= alpha).select(0.0f, in);
}

void Clip(int64_t count, float low, float high, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = (in < low).select(low, (in > high).select(high, in)).min(high);
}

void Combine(Arithmetic arithmetic, int64_t count, const float* a, const float* b, float* y) {
  const ConstArrayMap left(a, count);
  const ConstArrayMap right(b, count);
  ArrayMap out(y, count);
  switch (arithmetic) {
    case Arithmetic::kAdd:
      out = left + right;
      break;
    case Arithmetic::kSubtract:
      out = left - right;
      break;
    case Arithmetic::kMultiply:
      out = left * right;
      break;
    case Arithmetic::kDivide:
      out = left / right;
      break;
  }
}

void PRelu(int64_t rows, int64_t elements, const float* slope, const float* x, float* y) {
  const ConstArrayMap slopes(slope, elements);
  for (int64_t r = 0; r < rows; ++r) {
    const ConstArrayMap in(x + r * elements, elements);
    ArrayMap(y + r * elements, elements) = (in < 0.0f).select(slopes * in, in);
  }
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

void LogSoftmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y) {
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t offset = 0; offset < stride; ++offset) {
      const int64_t start = group * length * stride + offset;
      const StridedIn in(x + start, length, Eigen::InnerStride<>(stride));
      const float max = in.maxCoeff();
      const float log_sum = std::log((in - max).exp().sum());
      StridedOut(y + start, length, Eigen::InnerStride<>(stride)) = in - max - log_sum;
    }
  }
}

}  // namespace halfwave::kernels
