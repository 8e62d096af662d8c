#pragma once

#include <vector>

#include "model/layers/layer.h"

namespace halfwave {

// y = x W + b on the last dimension of each row: a row is [positions, in] and becomes [positions, out].
class Dense : public Layer {
 public:
  // weights: [in, out] row-major. bias: [out].
  Dense(int64_t positions, int64_t in, int64_t out, std::vector<float> weights, std::vector<float> bias);
  void Run(const LayerCall& call) const override;

 private:
  int64_t positions_, in_, out_;
  std::vector<float> weights_;
  std::vector<float> bias_;
};

}  // namespace halfwave
