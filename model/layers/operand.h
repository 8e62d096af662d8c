#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/layers/layer.h"

namespace halfwave {

// What a layer combines: an input of the call, or a constant that the layer owns, stretched to the shape of the output.
struct Operand {
  std::vector<int64_t> strides;                // floats from step to step, per dimension of the output; 0 repeats
  int64_t row_stride = 0;                      // floats from row to row; 0 repeats
  std::optional<std::vector<float>> constant;  // none: the next input of the call

  int64_t WeightBytes() const { return constant ? BytesOf(*constant) : 0; }

  // An operand whose rows have `shape`, which broadcasts to `output`; each entry stands for `block` floats.
  static Operand Computed(std::span<const int64_t> shape, std::span<const int64_t> output, int64_t block = 1);
  // A constant of that shape, the same for each row.
  static Operand Constant(std::vector<float> values, std::span<const int64_t> shape, std::span<const int64_t> output,
                          int64_t block = 1);
};

// Takes operands in order: constants from themselves, the others from the call's inputs.
class OperandReader {
 public:
  explicit OperandReader(const LayerCall& call) : call_(call) {}
  const float* Next(const Operand& operand) {
    return operand.constant ? operand.constant->data() : call_.inputs[next_++];
  }

 private:
  const LayerCall& call_;
  size_t next_ = 0;
};

}  // namespace halfwave
