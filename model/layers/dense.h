#pragma once

#include <vector>

#include "model/layers/layer.h"
#include "model/layers/packed_dense.h"

namespace halfwave {

// y = x W + b on the last dimension of each row: a row is [positions, in] and becomes [positions, out].
class Dense : public Layer {
 public:
  // weights: [in, out], or [out, in] if `transposed`, row-major. bias: [out].
  Dense(int64_t positions, int64_t in, int64_t out, const std::vector<float>& weights, bool transposed,
        const std::vector<float>& bias, WeightFormat format = WeightFormat::kFloat)
      : positions_(positions), weights_(in, out, weights.data(), transposed, bias.data(), format) {}
  void Run(const LayerCall& call) const override;
  int64_t ScratchElements(int64_t rows) const override { return weights_.ScratchElements(rows * positions_); }
  int64_t PreferredRows() const override { return weights_.bytes() < (size_t{1} << 17) ? 1 : 512; }
  const char* Algorithm() const override { return "packed"; }
  int64_t WeightBytes() const override { return static_cast<int64_t>(weights_.bytes()); }
  double WorkToSplit(int64_t rows) const override;
  // Counts only units that have one position.
  bool Fuse(const kernels::Activation& activation, const RowLayout* counted) override;

 private:
  int64_t positions_;
  PackedDense weights_;
  kernels::Activation activation_ = {};
};

}  // namespace halfwave
