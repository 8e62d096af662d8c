#include "model/kernels/broadcast.h"

#include <cmath>

#include "Eigen/Core"

namespace halfwave::kernels {
namespace {

using Array = Eigen::ArrayXf;
using ConstArrayMap = Eigen::Map<const Array>;
using StridedMap = Eigen::Map<const Array, 0, Eigen::InnerStride<>>;

// `combine` takes two Eigen expressions, so that the frequent strides get vectorised loops.
template <typename Combine>
void RunInner(Combine combine, const Loop<2>& loop, const float* a, const float* b, float* y) {
  const auto [stride_a, stride_b] = loop.strides;
  const int64_t count = loop.size;
  Eigen::Map<Array> out(y, count);
  if (stride_a == 1 && stride_b == 1) {
    out = combine(ConstArrayMap(a, count), ConstArrayMap(b, count));
  } else if (stride_a == 1 && stride_b == 0) {
    out = combine(ConstArrayMap(a, count), Array::Constant(count, *b));
  } else if (stride_a == 0 && stride_b == 1) {
    out = combine(Array::Constant(count, *a), ConstArrayMap(b, count));
  } else {
    out = combine(StridedMap(a, count, Eigen::InnerStride<>(stride_a)),
                  StridedMap(b, count, Eigen::InnerStride<>(stride_b)));
  }
}

// Whether all rows together are one longer run of the only loop.
template <size_t kOperands>
bool RowsContinue(std::span<const Loop<kOperands>> loops, const std::array<int64_t, kOperands>& row_strides) {
  bool continues = loops.size() == 1;
  for (size_t k = 0; k < kOperands; ++k) {
    continues = continues && row_strides[k] == loops[0].size * loops[0].strides[k];
  }
  return continues;
}

template <size_t kOperands, typename Visit>
void ForEachRow(int64_t rows, std::span<const Loop<kOperands>> loops, const std::array<int64_t, kOperands>& row_strides,
                std::array<const float*, kOperands> operands, Visit visit) {
  for (const Loop<kOperands>& loop : loops) {
    if (loop.size == 0) return;  // there may be no element to read
  }
  if (rows == 0) return;
  if (RowsContinue(loops, row_strides)) return visit({rows * loops[0].size, loops[0].strides}, operands);
  for (int64_t row = 0; row < rows; ++row) {
    ForEachInnerLoop(loops, operands, visit);
    for (size_t k = 0; k < kOperands; ++k) operands[k] += row_strides[k];
  }
}

}  // namespace

void Broadcast(BinaryOp op, int64_t rows, std::span<const Loop<2>> loops, const std::array<int64_t, 2>& row_strides,
               const float* a, const float* b, float* y) {
  const auto run = [&](auto combine) {
    ForEachRow<2>(rows, loops, row_strides, {a, b},
                  [&y, combine](const Loop<2>& loop, const std::array<const float*, 2>& operands) {
                    RunInner(combine, loop, operands[0], operands[1], y);
                    y += loop.size;
                  });
  };
  const auto run_each = [&](auto function) {
    run([function](const auto& left, const auto& right) { return left.binaryExpr(right, function); });
  };
  switch (op) {
    case BinaryOp::kAdd:
      return run([](const auto& l, const auto& r) { return l + r; });
    case BinaryOp::kSubtract:
      return run([](const auto& l, const auto& r) { return l - r; });
    case BinaryOp::kMultiply:
      return run([](const auto& l, const auto& r) { return l * r; });
    case BinaryOp::kDivide:
      return run([](const auto& l, const auto& r) { return l / r; });
    case BinaryOp::kPow:
      return run_each([](float l, float r) { return std::pow(l, r); });
    case BinaryOp::kPRelu:
      return run_each([](float l, float r) { return l < 0 ? l * r : l; });
    case BinaryOp::kMin:
      return run_each([](float l, float r) { return l < r || l != l ? l : r; });
    case BinaryOp::kMax:
      return run_each([](float l, float r) { return l > r || l != l ? l : r; });
    case BinaryOp::kFmod:
      return run_each([](float l, float r) { return std::fmod(l, r); });
    case BinaryOp::kFloorMod:
      return run_each([](float l, float r) {
        const float rest = std::fmod(l, r);
        if (rest == 0) return std::copysign(0.0f, r);
        return (rest < 0) != (r < 0) ? rest + r : rest;
      });
    case BinaryOp::kAnd:
      return run_each([](float l, float r) { return l != 0 && r != 0 ? 1.0f : 0.0f; });
    case BinaryOp::kOr:
      return run_each([](float l, float r) { return l != 0 || r != 0 ? 1.0f : 0.0f; });
    case BinaryOp::kXor:
      return run_each([](float l, float r) { return (l != 0) != (r != 0) ? 1.0f : 0.0f; });
    case BinaryOp::kEqual:
      return run_each([](float l, float r) { return l == r ? 1.0f : 0.0f; });
    case BinaryOp::kGreater:
      return run_each([](float l, float r) { return l > r ? 1.0f : 0.0f; });
    case BinaryOp::kGreaterOrEqual:
      return run_each([](float l, float r) { return l >= r ? 1.0f : 0.0f; });
    case BinaryOp::kLess:
      return run_each([](float l, float r) { return l < r ? 1.0f : 0.0f; });
    case BinaryOp::kLessOrEqual:
      return run_each([](float l, float r) { return l <= r ? 1.0f : 0.0f; });
    case BinaryOp::kTruncDivide:
      return run_each([](float l, float r) { return static_cast<float>(std::trunc(static_cast<double>(l) / r)); });
  }
}

void Select(int64_t rows, std::span<const Loop<3>> loops, const std::array<int64_t, 3>& row_strides,
            const float* condition, const float* a, const float* b, float* y) {
  ForEachRow<3>(rows, loops, row_strides, {condition, a, b},
                [&y](const Loop<3>& loop, const std::array<const float*, 3>& operands) {
                  const auto [c, l, r] = loop.strides;
                  for (int64_t i = 0; i < loop.size; ++i) {
                    y[i] = operands[0][i * c] != 0 ? operands[1][i * l] : operands[2][i * r];
                  }
                  y += loop.size;
                });
}

}  // namespace halfwave::kernels
