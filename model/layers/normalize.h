// Normalisations with the constants they scale by. All but LocalResponseNorm and Moments work in place. LpNormalization
// needs no layer of its own: it is a RowWise function, kernels::LpNorm.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "model/kernels/normalize.h"
#include "model/layers/layer.h"

namespace halfwave {

// LayerNormalization, or RMSNormalization, over the last dimension of rows [groups, length]. Empty scale or bias: 1, 0.
class LayerNorm : public Layer {
 public:
  enum class Kind { kMeanAndVariance, kRootMeanSquare };

  LayerNorm(Kind kind, int64_t groups, int64_t length, float epsilon, std::vector<float> scale, std::vector<float> bias)
      : kind_(kind),
        groups_(groups),
        length_(length),
        epsilon_(epsilon),
        scale_(std::move(scale)),
        bias_(std::move(bias)) {}
  void Run(const LayerCall& call) const override {
    const auto function = kind_ == Kind::kMeanAndVariance ? kernels::LayerNorm : kernels::RmsNorm;
    function(call.rows * groups_, length_, epsilon_, scale_.empty() ? nullptr : scale_.data(),
             bias_.empty() ? nullptr : bias_.data(), call.inputs[0], call.output);
  }
  bool WorksInPlace() const override { return true; }
  int64_t WeightBytes() const override { return BytesOf(scale_) + BytesOf(bias_); }

 private:
  Kind kind_;
  int64_t groups_, length_;
  float epsilon_;
  std::vector<float> scale_, bias_;
};

// What LayerNormalization subtracts or multiplies by: rows [groups, length] become [groups].
class Moments : public Layer {
 public:
  enum class Output { kMean, kInverseDeviation };

  Moments(int64_t groups, int64_t length, float epsilon, Output output)
      : groups_(groups), length_(length), epsilon_(epsilon), output_(output) {}
  void Run(const LayerCall& call) const override {
    kernels::Moments(call.rows * groups_, length_, epsilon_, call.inputs[0],
                     output_ == Output::kMean ? call.output : nullptr,
                     output_ == Output::kInverseDeviation ? call.output : nullptr);
  }

 private:
  int64_t groups_, length_;
  float epsilon_;
  Output output_;
};

// GroupNormalization of rows [images, channels, positions], row-major; InstanceNormalization with groups = channels.
class GroupNorm : public Layer {
 public:
  // scale, bias: [channels].
  GroupNorm(int64_t groups, int64_t channels, int64_t positions, float epsilon, std::vector<float> scale,
            std::vector<float> bias, int64_t images = 1)
      : groups_(groups),
        channels_(channels),
        positions_(positions),
        images_(images),
        epsilon_(epsilon),
        scale_(std::move(scale)),
        bias_(std::move(bias)) {}
  void Run(const LayerCall& call) const override {
    kernels::GroupNorm(call.rows * images_, groups_, channels_, positions_, epsilon_, scale_.data(), bias_.data(),
                       call.inputs[0], call.output);
  }
  bool WorksInPlace() const override { return true; }
  int64_t WeightBytes() const override { return BytesOf(scale_) + BytesOf(bias_); }

 private:
  int64_t groups_, channels_, positions_, images_;
  float epsilon_;
  std::vector<float> scale_, bias_;
};

// MeanVarianceNormalization over `axes` of rows of `shape`. An axis that is the batch cannot be among them: rows are
// independent.
class MeanVarianceNorm : public Layer {
 public:
  MeanVarianceNorm(std::span<const int64_t> shape, std::span<const int64_t> axes)
      : loops_(kernels::SplitLoops(shape, axes)) {}
  void Run(const LayerCall& call) const override {
    kernels::MeanVarianceNorm(call.rows, loops_.elements, loops_.kept, loops_.reduced, call.inputs[0], call.output);
  }
  bool WorksInPlace() const override { return true; }

 private:
  kernels::AxisLoops loops_;
};

// LRN of rows [images, channels, positions], row-major, across channels.
class LocalResponseNorm : public Layer {
 public:
  LocalResponseNorm(int64_t channels, int64_t positions, int64_t size, float alpha, float beta, float bias,
                    int64_t images = 1)
      : channels_(channels),
        positions_(positions),
        images_(images),
        size_(size),
        alpha_(alpha),
        beta_(beta),
        bias_(bias) {}
  void Run(const LayerCall& call) const override {
    kernels::LocalResponseNorm(call.rows * images_, channels_, positions_, size_, alpha_, beta_, bias_, call.inputs[0],
                               call.output);
  }

 private:
  int64_t channels_, positions_, images_, size_;
  float alpha_, beta_, bias_;
};

}  // namespace halfwave
