#pragma once

#include <cstdint>
#include <span>

namespace halfwave::kernels {

// Gathers each row of the output from a row of the input: output element (i1, i2, ...) of `shape` comes from input
// element offset + i1 * strides[0] + i2 * strides[1] + ... A transpose, a slice or both. x: [rows, in_elements].
// y: [rows, product of shape]. x and y do not overlap.
void StridedCopy(int64_t rows, int64_t in_elements, std::span<const int64_t> shape, std::span<const int64_t> strides,
                 int64_t offset, const float* x, float* y);

}  // namespace halfwave::kernels
