#pragma once

#include "model/layers/layer.h"

namespace halfwave {

// ONNX's OneHot: rows of indices [groups, block] become [groups, depth, block], `on` at the index and `off` elsewhere.
// A negative index counts from the end; one that is out of range is nowhere.
class OneHot : public Layer {
 public:
  OneHot(int64_t groups, int64_t block, int64_t depth, float off, float on)
      : groups_(groups), block_(block), depth_(depth), off_(off), on_(on) {}
  void Run(const LayerCall& call) const override {
    const float* indices = call.inputs[0];
    float* y = call.output;
    const auto depth = static_cast<double>(depth_);
    for (int64_t group = 0; group < call.rows * groups_; ++group, indices += block_) {
      for (int64_t place = 0; place < depth_; ++place) {
        const auto at = static_cast<double>(place);
        for (int64_t i = 0; i < block_; ++i) *y++ = indices[i] == at || indices[i] + depth == at ? on_ : off_;
      }
    }
  }

 private:
  int64_t groups_, block_, depth_;
  float off_, on_;
};

}  // namespace halfwave
