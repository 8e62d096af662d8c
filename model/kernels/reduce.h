// Functions of many elements of a row.
#pragma once

#include "model/kernels/loop.h"

namespace halfwave::kernels {

// The formulas are those of ONNX's Reduce operators; of no element the sum is 0, the product 1, the largest -infinity,
// the smallest infinity and the mean NaN. Max and Min are NaN where an element is. LogSumExp does not overflow.
enum class Reduction { kSum, kMean, kMax, kMin, kProd, kL1, kL2, kLogSum, kLogSumExp, kSumSquare };

// Element (k1, k2, ...) of a row of the output is the reduction over all steps of `reduced`, from the element of the
// input's row at which the same steps of `kept` end. Computed in double precision.
// x: [rows, row_elements]. y: [rows, product of the sizes of kept].
void Reduce(Reduction reduction, int64_t rows, int64_t row_elements, std::span<const Loop<1>> kept,
            std::span<const Loop<1>> reduced, const float* x, float* y);

// The functions below work on groups of `length` elements `stride` floats apart: x: [groups, length, stride].

// The index of the largest (or smallest) element; of several the first, or the last if `last`. NaN is beyond every
// number. y: [groups, stride].
void ArgMax(int64_t groups, int64_t length, int64_t stride, bool last, const float* x, float* y);
void ArgMin(int64_t groups, int64_t length, int64_t stride, bool last, const float* x, float* y);

// The k largest (or smallest) elements in order, of equals the one with the lower index first; NaN is larger than every
// number. `values` and `indices`: [groups, k, stride]; either may be null. order: scratch of `length` floats.
// length < 2^24.
void TopK(int64_t groups, int64_t length, int64_t stride, int64_t k, bool largest, const float* x, float* order,
          float* values, float* indices);

// 1 for the first largest element, 0 for the others. y, of the shape of x, may be x.
void Hardmax(int64_t groups, int64_t length, int64_t stride, const float* x, float* y);

// The sum of all elements up to each, without it if `exclusive`, from the end if `reverse`. y may be x.
void CumSum(int64_t groups, int64_t length, int64_t stride, bool exclusive, bool reverse, const float* x, float* y);

}  // namespace halfwave::kernels
