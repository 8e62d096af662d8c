#pragma once

#include <cstdint>

namespace halfwave::kernels {

// y[r, j] = bias[j] + sum over k of x[r, k] * w[k, j], one GEMM over all rows, cut only where there are more than
// 512 outputs.
// x: [rows, in] row-major, rows `x_stride` floats apart. w: [in, out] row-major. y: [rows, out], rows `y_stride`
// floats apart. Nothing overlaps y. Allocates nothing.
void Dense(int64_t rows, int64_t in, int64_t out, const float* x, int64_t x_stride, const float* w, const float* bias,
           float* y, int64_t y_stride);

// y = a b. a: [rows, depth], b: [depth, columns], y: [rows, columns], all row-major. Nothing overlaps y. Allocates
// nothing.
void MatMul(int64_t rows, int64_t depth, int64_t columns, const float* a, const float* b, float* y);

}  // namespace halfwave::kernels
