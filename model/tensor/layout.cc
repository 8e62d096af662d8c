#include "model/tensor/layout.h"

namespace halfwave {

RowLayout LayoutOf(const Shape& shape, bool channels_last) {
  RowLayout layout;
  layout.channels_last = channels_last;
  if (shape.empty()) return layout;
  if (shape.size() == 1) {
    layout.channels = shape[0];
    return layout;
  }
  layout.images = shape[0];
  layout.channels = shape[1];
  for (size_t i = 2; i < shape.size(); ++i) layout.positions *= shape[i];
  return layout;
}

Shape InMemoryOrder(const Shape& shape, bool channels_last) {
  if (!channels_last || shape.size() < 3) return shape;
  Shape order{shape[0]};
  order.insert(order.end(), shape.begin() + 2, shape.end());
  order.push_back(shape[1]);
  return order;
}

std::vector<int64_t> RowMajorStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::vector<int64_t> BroadcastStrides(const Shape& operand, const Shape& shape) {
  const std::vector<int64_t> own = RowMajorStrides(operand);
  std::vector<int64_t> strides(shape.size(), 0);
  for (size_t i = 0; i < operand.size(); ++i) {
    if (operand[i] != 1) strides[shape.size() - operand.size() + i] = own[i];
  }
  return strides;
}

std::vector<float> BroadcastToRow(const std::vector<float>& values, const Shape& values_shape, const Shape& shape,
                                  bool channels_last) {
  // A shape and the strides are vectors of the same kind: both are reordered in the same way.
  const Shape order = InMemoryOrder(shape, channels_last);
  const Shape strides = InMemoryOrder(BroadcastStrides(values_shape, shape), channels_last);
  std::vector<float> row(RowElements(shape));
  for (size_t element = 0; element < row.size(); ++element) {
    auto rest = static_cast<int64_t>(element);
    int64_t source = 0;
    for (size_t axis = order.size(); axis-- > 0;) {
      source += rest % order[axis] * strides[axis];
      rest /= order[axis];
    }
    row[element] = values[source];
  }
  return row;
}

}  // namespace halfwave
