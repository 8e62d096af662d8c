#pragma once

#include <cstdint>
#include <utility>

#include "model/layers/layer.h"
#include "model/layers/packed_dense.h"

namespace halfwave {

// y = x W + b on the last dimension of each row: a row is [times, in] and becomes [times, out].
class Dense : public Layer {
 public:
  // As PackedDense has them.
  Dense(int64_t times, PackedDense weights) : times_(times), weights_(std::move(weights)) {}
  void Run(const LayerCall& call) const override;
  int64_t ScratchElements(int64_t rows) const override { return weights_.ScratchElements(rows * times_); }
  int64_t PreferredRows() const override { return weights_.bytes() < (size_t{1} << 17) ? 1 : 512; }
  const char* Algorithm() const override { return "packed"; }
  int64_t WeightBytes() const override { return static_cast<int64_t>(weights_.bytes()); }
  double WorkToSplit(int64_t rows) const override;
  // Counts only units that a row has once.
  bool Fuse(const kernels::Activation& activation, const RowLayout* counted) override;

 private:
  int64_t times_;
  PackedDense weights_;
  kernels::Activation activation_ = {};
};

}  // namespace halfwave
