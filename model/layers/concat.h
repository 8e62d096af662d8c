#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "model/layers/layer.h"

namespace halfwave {

// Puts its inputs side by side: each row of input i is [groups, parts[i]], the output's row [groups, sum of parts].
class Concat : public Layer {
 public:
  Concat(int64_t groups, std::vector<int64_t> parts) : groups_(groups), parts_(std::move(parts)) {}
  void Run(const LayerCall& call) const override {
    float* out = call.output;
    for (int64_t group = 0; group < call.rows * groups_; ++group) {
      for (size_t i = 0; i < parts_.size(); ++i) {
        out = std::copy_n(call.inputs[i] + group * parts_[i], parts_[i], out);
      }
    }
  }

 private:
  int64_t groups_;
  std::vector<int64_t> parts_;
};

}  // namespace halfwave
