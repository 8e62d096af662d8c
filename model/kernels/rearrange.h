// Copies and weighted sums of elements at positions fixed beforehand, and gathers at positions that are data.
#pragma once

#include <cstdint>
#include <span>

namespace halfwave::kernels {

// Writes for each source the `block` floats that begin there in the row, or `fill` for a source of -1.
// x: [rows, row_elements]. y: [rows, sources, block]. x and y do not overlap.
void Rearrange(int64_t rows, int64_t row_elements, std::span<const int64_t> sources, int64_t block, float fill,
               const float* x, float* y);

// y[r, i] = sum of weights[k] * x[r, indices[k]] over k in [begins[i], begins[i + 1]), each entry of x and y a block of
// `block` floats; `fill` where there is no k. x: [rows, inputs, block]. y: [rows, begins - 1, block]. x and y do not
// overlap.
void SparseMap(int64_t rows, int64_t inputs, int64_t block, std::span<const int64_t> begins,
               std::span<const int64_t> indices, std::span<const float> weights, float fill, const float* x, float* y);

// y[g, i] = x[g, indices[i]], each entry a block of `block` floats. A negative index counts from the end; one that is
// out of range is the nearest in range, and NaN is 0, so that no index reads outside x; zero where length is 0.
// x: [groups, length, block]. indices: [count]. y: [groups, count, block].
void Gather(int64_t groups, int64_t length, int64_t block, int64_t count, const float* x, const float* indices,
            float* y);

}  // namespace halfwave::kernels
