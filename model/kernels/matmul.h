#pragma once

#include <cstdint>

namespace halfwave::kernels {

// y = a b. a: [rows, depth], b: [depth, columns], y: [rows, columns], all row-major. Nothing overlaps y. Allocates
// nothing.
void MatMul(int64_t rows, int64_t depth, int64_t columns, const float* a, const float* b, float* y);

}  // namespace halfwave::kernels
