// Functions of several operands that are stretched to a common shape.
#pragma once

#include "model/kernels/loop.h"

namespace halfwave::kernels {

// The formulas are those of the ONNX operators of the same name; truths are 0 and 1, and any other number than 0 is
// true. Min and Max are NaN where either operand is.
enum class BinaryOp {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kPow,
  kPRelu,  // a < 0 ? a b : a
  kMin,
  kMax,
  kFmod,      // the sign of a
  kFloorMod,  // the sign of b
  kAnd,
  kOr,
  kXor,
  kEqual,
  kGreater,
  kGreaterOrEqual,
  kLess,
  kLessOrEqual,
  kTruncDivide  // the quotient of integers, towards zero
};

// y = op(a, b) for each row, over loops as MergeLoops makes them of the output row's shape. Row r of an operand starts
// at r times its row stride. y: [rows, product of the loops' sizes]; it may be the memory of an operand that has the
// same elements in the same order.
void Broadcast(BinaryOp op, int64_t rows, std::span<const Loop<2>> loops, const std::array<int64_t, 2>& row_strides,
               const float* a, const float* b, float* y);

// y = condition ? a : b, in the same way for three operands.
void Select(int64_t rows, std::span<const Loop<3>> loops, const std::array<int64_t, 3>& row_strides,
            const float* condition, const float* a, const float* b, float* y);

}  // namespace halfwave::kernels
