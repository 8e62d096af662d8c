// Tensor shapes. A dimension that grows with the batch is written as a negative number: -1 is the batch itself
// (kBatch), -4 is four times the batch. All others are sizes. At most one dimension of a shape is negative.
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

// What a dimension or a shape is for a single row: a batch of one. Of any number: the smallest gives the largest.
int64_t RowSize(int64_t dimension);
Shape RowShape(const Shape& shape);

// The number of elements of one row. Requires a shape whose row has no more than 2^62.
int64_t RowElements(const Shape& shape);

// The dimension that grows with the batch, if there is one.
std::optional<size_t> BatchAxis(const Shape& shape);

// "[-1,3,32,32]": an open batch reads -1, as on the wire.
std::string ShapeToString(std::span<const int64_t> shape);

// The axis as an index into a shape of `rank` dimensions, counting from the end when negative; nothing if outside.
std::optional<size_t> NormalizeAxis(int64_t axis, size_t rank);

}  // namespace halfwave
