#include "model/kernels/elementwise.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "Eigen/Core"
#include "model/kernels/isa.h"

namespace halfwave::kernels {
namespace {

using Array = Eigen::ArrayXf;
using ConstArrayMap = Eigen::Map<const Array>;
using ArrayMap = Eigen::Map<Array>;

// The library's functions, one element at a time: exact in the last bits also where Eigen's are not.
template <typename Function>
void Each(int64_t count, const float* x, float* y, Function function) {
  std::transform(x, x + count, y, function);
}

float NearestBFloat16(float value) {
  if (std::isnan(value)) return value;
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t half_to_even = 0x7fff + (bits >> 16 & 1);
  return std::bit_cast<float>((bits + half_to_even) & 0xffff0000u);
}

}  // namespace

void Relu(int64_t count, const float* x, float* y) { Kernels().rows.map(ElementFunction::kRelu, 0, 0, count, x, y); }

void LeakyRelu(int64_t count, float alpha, const float* x, float* y) {
  Kernels().rows.map(ElementFunction::kLeakyRelu, alpha, 0, count, x, y);
}

void Elu(int64_t count, float alpha, const float* x, float* y) {
  Kernels().rows.map(ElementFunction::kElu, alpha, 0, count, x, y);
}

void Selu(int64_t count, float alpha, float gamma, const float* x, float* y) {
  Kernels().rows.map(ElementFunction::kSelu, alpha, gamma, count, x, y);
}

void Sigmoid(int64_t count, const float* x, float* y) {
  Kernels().rows.map(ElementFunction::kSigmoid, 0, 0, count, x, y);
}

void Tanh(int64_t count, const float* x, float* y) { Kernels().rows.map(ElementFunction::kTanh, 0, 0, count, x, y); }

void Celu(int64_t count, float alpha, const float* x, float* y) {
  Kernels().rows.map(ElementFunction::kCelu, alpha, 0, count, x, y);
}

// Not 1 + erf(), which cancels where x is far below zero.
void Gelu(int64_t count, const float* x, float* y) {
  constexpr float kInverseSqrt2 = 0.70710678118654752f;
  std::transform(x, x + count, y, [](float v) { return 0.5f * v * std::erfc(-v * kInverseSqrt2); });
}

void GeluTanh(int64_t count, const float* x, float* y) {
  Kernels().rows.map(ElementFunction::kGeluTanh, 0, 0, count, x, y);
}

void HardSigmoid(int64_t count, float alpha, float beta, const float* x, float* y) {
  ArrayMap(y, count) = (alpha * ConstArrayMap(x, count) + beta).max(0.0f).min(1.0f);
}

void HardSwish(int64_t count, const float* x, float* y) {
  const ConstArrayMap in(x, count);
  ArrayMap(y, count) = in * (in / 6.0f + 0.5f).max(0.0f).min(1.0f);
}

void Softplus(int64_t count, const float* x, float* y) {
  Kernels().rows.map(ElementFunction::kSoftplus, 0, 0, count, x, y);
}

void Mish(int64_t count, const float* x, float* y) { Kernels().rows.map(ElementFunction::kMish, 0, 0, count, x, y); }

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

void Abs(int64_t count, const float* x, float* y) { ArrayMap(y, count) = ConstArrayMap(x, count).abs(); }

void Negate(int64_t count, const float* x, float* y) { ArrayMap(y, count) = -ConstArrayMap(x, count); }

void Reciprocal(int64_t count, const float* x, float* y) { ArrayMap(y, count) = 1.0f / ConstArrayMap(x, count); }

// Not Eigen's, which makes infinity no number.
void Sqrt(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::sqrt(v); });
}

void Ceil(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::ceil(v); });
}

void Floor(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::floor(v); });
}

void Round(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::nearbyint(v); });
}

void Truncate(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::trunc(v); });
}

void Exp(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::exp(v); });
}

void Log(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::log(v); });
}

void Erf(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::erf(v); });
}

void Sin(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::sin(v); });
}

void Cos(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::cos(v); });
}

void Tan(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::tan(v); });
}

void Asin(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::asin(v); });
}

void Acos(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::acos(v); });
}

void Atan(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::atan(v); });
}

void Sinh(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::sinh(v); });
}

void Cosh(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::cosh(v); });
}

void Asinh(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::asinh(v); });
}

void Acosh(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::acosh(v); });
}

void Atanh(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::atanh(v); });
}

void Not(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return v == 0 ? 1.0f : 0.0f; });
}

void ToBool(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return v == 0 ? 0.0f : 1.0f; });
}

void IsNan(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return std::isnan(v) ? 1.0f : 0.0f; });
}

void RoundToHalf(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return static_cast<float>(Eigen::half(v)); });
}

void RoundToBFloat16(int64_t count, const float* x, float* y) { Each(count, x, y, NearestBFloat16); }

void Sign(int64_t count, const float* x, float* y) {
  Each(count, x, y, [](float v) { return v > 0 ? 1.0f : v < 0 ? -1.0f : v; });
}

void Shrink(int64_t count, float bias, float lambd, const float* x, float* y) {
  Each(count, x, y, [=](float v) { return v < -lambd ? v + bias : v <= lambd ? 0.0f : v - bias; });
}

void Swish(int64_t count, float alpha, const float* x, float* y) {
  Each(count, x, y, [=](float v) { return v / (1.0f + std::exp(-alpha * v)); });
}

void IsInf(int64_t count, bool negative, bool positive, const float* x, float* y) {
  Each(count, x, y, [=](float v) { return std::isinf(v) && (v < 0 ? negative : positive) ? 1.0f : 0.0f; });
}

void ScaleRows(int64_t rows, int64_t elements, const float* scale, const float* shift, const float* x, float* y) {
  const ConstArrayMap scales(scale, elements);
  const ConstArrayMap shifts(shift, elements);
  for (int64_t r = 0; r < rows; ++r) {
    ArrayMap(y + r * elements, elements) = ConstArrayMap(x + r * elements, elements) * scales + shifts;
  }
}

void Softmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y) {
  Kernels().rows.softmax(groups, length, stride, x, y);
}

void LogSoftmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y) {
  Kernels().rows.log_softmax(groups, length, stride, x, y);
}

}  // namespace halfwave::kernels
