#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "model/layers/layer.h"

namespace halfwave {

// Gives every row the same values: a constant where an operator wants data.
class Fill : public Layer {
 public:
  explicit Fill(std::vector<float> values) : values_(std::move(values)) {}
  void Run(const LayerCall& call) const override {
    for (int64_t row = 0; row < call.rows; ++row) {
      std::copy(values_.begin(), values_.end(), call.output + row * static_cast<int64_t>(values_.size()));
    }
  }
  const char* Algorithm() const override { return "fill"; }
  int64_t WeightBytes() const override { return BytesOf(values_); }

 private:
  std::vector<float> values_;
};

}  // namespace halfwave
