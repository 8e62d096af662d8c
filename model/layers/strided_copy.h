#pragma once

#include <utility>
#include <vector>

#include "model/kernels/strided_copy.h"
#include "model/layers/layer.h"

namespace halfwave {

// Transposes and slices of row-major rows; see kernels::StridedCopy.
class StridedCopy : public Layer {
 public:
  StridedCopy(int64_t in_elements, std::vector<int64_t> shape, std::vector<int64_t> strides, int64_t offset)
      : in_elements_(in_elements), shape_(std::move(shape)), strides_(std::move(strides)), offset_(offset) {}
  void Run(const LayerCall& call) const override {
    kernels::StridedCopy(call.rows, in_elements_, shape_, strides_, offset_, call.inputs[0], call.output);
  }

 private:
  int64_t in_elements_;
  std::vector<int64_t> shape_, strides_;
  int64_t offset_;
};

}  // namespace halfwave
