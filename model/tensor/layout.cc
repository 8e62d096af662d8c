#include "model/tensor/layout.h"

namespace halfwave {

RowLayout LayoutOf(const Shape& shape, bool channels_last) {
  RowLayout layout;
  layout.channels = shape.size() > 1 ? shape[1] : 1;
  for (size_t i = 2; i < shape.size(); ++i) layout.positions *= shape[i];
  layout.channels_last = channels_last;
  return layout;
}

std::vector<float> BroadcastToRow(const std::vector<float>& values, const Shape& values_shape, const Shape& shape,
                                  bool channels_last) {
  const RowLayout layout = LayoutOf(shape, channels_last);
  std::vector<float> row(layout.elements());
  // A stride per dimension of `shape` into `values`; 0 where the constant is broadcast, the batch included.
  std::vector<int64_t> strides(shape.size(), 0);
  int64_t stride = 1;
  for (size_t i = values_shape.size(); i-- > 0;) {
    const size_t axis = shape.size() - values_shape.size() + i;
    strides[axis] = values_shape[i] == 1 || axis == 0 ? 0 : stride;
    stride *= values_shape[i];
  }
  for (int64_t element = 0; element < layout.elements(); ++element) {
    int64_t rest = element;
    int64_t source = 0;
    for (size_t axis = shape.size(); axis-- > 1;) {
      source += rest % shape[axis] * strides[axis];
      rest /= shape[axis];
    }
    const int64_t channel = element / layout.positions;
    const int64_t position = element % layout.positions;
    row[channels_last ? position * layout.channels + channel : element] = values[source];
  }
  return row;
}

}  // namespace halfwave
