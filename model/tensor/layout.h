// How the elements of one row lie in memory. A row is one or more images [images, channels, D1, D2, ...], either
// row-major, as ONNX says, or channels-last, [images, D1, D2, ..., channels], which is what convolutions and pools work
// on.
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/shape.h"

namespace halfwave {

struct RowLayout {
  int64_t images = 1;     // dimension 0 of the row
  int64_t channels = 1;   // dimension 1
  int64_t positions = 1;  // the product of the dimensions behind it
  bool channels_last = false;

  int64_t elements() const { return images * channels * positions; }
  // With one channel or one position both orders are the same.
  bool IsRowMajor() const { return !channels_last || channels == 1 || positions == 1; }
  bool IsChannelsLast() const { return channels_last || channels == 1 || positions == 1; }
};

// The layout of a row of `shape`; the only dimension of a vector is its channels.
RowLayout LayoutOf(const Shape& shape, bool channels_last);

// The dimensions of `shape` in the order in which they lie in memory.
Shape InMemoryOrder(const Shape& shape, bool channels_last);

// The distance in memory between neighbours along each dimension of a row-major tensor.
std::vector<int64_t> RowMajorStrides(const Shape& shape);

// The stride along each dimension of `shape` for a row-major operand that is broadcast to it: 0 where it is stretched.
std::vector<int64_t> BroadcastStrides(const Shape& operand, const Shape& shape);

// Expands a row-major constant, of a shape that broadcasts to `shape`, to all elements of one row in the given layout.
std::vector<float> BroadcastToRow(const std::vector<float>& values, const Shape& values_shape, const Shape& shape,
                                  bool channels_last);

}  // namespace halfwave
