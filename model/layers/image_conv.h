#pragma once

#include <vector>

#include "model/kernels/isa/table.h"
#include "model/kernels/window.h"
#include "model/layers/layer.h"
#include "model/layers/weight_format.h"
#include "model/tensor/aligned_buffer.h"

namespace halfwave {

// The ways to compute a convolution over channels-last images [height, width, channels].
enum class ConvAlgorithm { kDirect, kWinograd, kDepthwise };

// Convolution of images with at most two spatial dimensions, all channels with all or each with itself. A row holds
// `images` images, one after another. Takes a sum, an activation and a maximum that follow.
class ImageConv : public Layer {
 public:
  // Whether this layer can do it; Conv does the others.
  static bool Supports(const kernels::Window& window, int64_t group, int64_t out_channels);

  // What the constructor chooses, by the shape alone: so that a row's bits depend on nothing else. Winograd where it
  // saves work: 3x3 windows side by side, enough channels to be worth the transforms, and maps that its tiles of 4x4
  // outputs fit well enough.
  static ConvAlgorithm Choose(const kernels::ConvShape& shape, int64_t group);

  // Supports(window, group, out_channels). weights: ONNX's order, [out_channels, channels / group, kernel]. bias:
  // [out_channels]. In half precision Winograd rounds what it transforms the weights to; depthwise convolutions, whose
  // weights are few, keep floats.
  ImageConv(const kernels::Window& window, int64_t group, int64_t out_channels, const std::vector<float>& weights,
            const std::vector<float>& bias, int64_t images = 1, WeightFormat format = WeightFormat::kFloat);

  void Run(const LayerCall& call) const override;
  int64_t ScratchElements(int64_t rows) const override;
  int64_t PreferredRows() const override;
  double WorkToSplit(int64_t rows) const override;
  // Counts units over the images of a row.
  bool Fuse(const kernels::Activation& activation, const RowLayout* counted) override;
  bool FuseSum() override;
  // Not into a depthwise convolution, nor behind a sum.
  bool FuseMaxPool() override;

  const char* Algorithm() const override;
  int64_t WeightBytes() const override { return static_cast<int64_t>(packed_.size() * sizeof(float)); }
  ConvAlgorithm algorithm() const { return algorithm_; }

 private:
  kernels::ConvShape shape_;
  int64_t images_;
  ConvAlgorithm algorithm_;
  const kernels::ConvKernels& kernels_;
  AlignedBuffer packed_;
  kernels::Activation activation_ = {};
  bool has_summand_ = false;
  bool pooled_ = false;
};

}  // namespace halfwave
