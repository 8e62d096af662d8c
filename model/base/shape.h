// Tensor shapes. Dimension 0 of every activation is the batch and is written kBatch while its size is left open.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace halfwave {

inline constexpr int64_t kBatch = -1;

using Shape = std::vector<int64_t>;

// The product of the dimensions, 1 for a scalar; nothing if a dimension is negative or the product exceeds 2^62.
std::optional<int64_t> NumElements(std::span<const int64_t> shape);

// The number of elements of one row: the product of all dimensions but the first. Requires a shape that shape
// inference has accepted, that is, of rank 1 or more and free of overflow.
int64_t RowElements(const Shape& shape);

// "[-1,3,32,32]": an open batch reads -1, as on the wire.
std::string ShapeToString(std::span<const int64_t> shape);

// The axis as an index into a shape of `rank` dimensions, counting from the end when negative; nothing if outside.
std::optional<size_t> NormalizeAxis(int64_t axis, size_t rank);

}  // namespace halfwave
