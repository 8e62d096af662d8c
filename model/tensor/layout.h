// How the elements of one row lie in memory. A tensor [batch, C, D1, D2, ...] is either row-major, as ONNX says, or
// channels-last, [batch, D1, D2, ..., C], which is what convolutions and pools work on.
#pragma once

#include <cstdint>
#include <vector>

#include "model/base/shape.h"

namespace halfwave {

struct RowLayout {
  int64_t channels = 1;   // dimension 1 of the tensor
  int64_t positions = 1;  // the product of the dimensions behind it
  bool channels_last = false;

  int64_t elements() const { return channels * positions; }
  // With one channel or one position both orders are the same.
  bool IsRowMajor() const { return !channels_last || channels == 1 || positions == 1; }
  bool IsChannelsLast() const { return channels_last || channels == 1 || positions == 1; }
};

// The layout of a row of `shape`; one without dimensions behind the batch has one channel.
RowLayout LayoutOf(const Shape& shape, bool channels_last);

// Expands a constant, of a shape that broadcasts to `shape`, to all elements of one row in the given layout.
std::vector<float> BroadcastToRow(const std::vector<float>& values, const Shape& values_shape, const Shape& shape,
                                  bool channels_last);

}  // namespace halfwave
