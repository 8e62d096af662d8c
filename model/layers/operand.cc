#include "model/layers/operand.h"

#include <utility>

namespace halfwave {

Operand Operand::Computed(std::span<const int64_t> shape, std::span<const int64_t> output, int64_t block) {
  Operand operand;
  operand.strides.assign(output.size(), 0);
  int64_t stride = block;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1) operand.strides[output.size() - shape.size() + i] = stride;
    stride *= shape[i];
  }
  operand.row_stride = stride;
  return operand;
}

Operand Operand::Constant(std::vector<float> values, std::span<const int64_t> shape, std::span<const int64_t> output,
                          int64_t block) {
  Operand operand = Computed(shape, output, block);
  operand.row_stride = 0;
  operand.constant = std::move(values);
  return operand;
}

}  // namespace halfwave
