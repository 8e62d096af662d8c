#pragma once

#include <vector>

#include "model/kernels/window.h"
#include "model/layers/layer.h"
#include "model/layers/packed_dense.h"

namespace halfwave {

// Convolution over channels-last images [depth, height, width, channels], as what each output position sees (im2col)
// times the weights: one GEMM over all images of the batch and group, cut only where the columns would exceed
// kMaxColumnElements. A row holds `images` images, one after another.
class Conv : public Layer {
 public:
  static constexpr int64_t kMaxColumnElements = int64_t{4} << 20;  // 16 MiB

  // weights: ONNX's order, [out_channels, channels / group, kernel]. bias: [out_channels]. Both channel counts are
  // multiples of `group`.
  Conv(const kernels::Window& window, int64_t group, int64_t out_channels, const std::vector<float>& weights,
       const std::vector<float>& bias, int64_t images = 1, WeightFormat format = WeightFormat::kFloat);
  void Run(const LayerCall& call) const override;
  int64_t ScratchElements(int64_t rows) const override;
  const char* Algorithm() const override { return window_.IsPointwise() ? "gemm" : "im2col"; }
  int64_t WeightBytes() const override;

 private:
  int64_t ColumnsPerBlock(int64_t rows) const;
  int64_t ColumnElements(int64_t rows) const;  // of scratch memory

  kernels::Window window_;
  int64_t group_, group_in_, group_out_, depth_;  // depth: the length of the sum behind each output
  int64_t images_;
  std::vector<PackedDense> weights_;  // per group [kernel, group_in] by group_out, and the bias
};

// Transposed convolution in the same layout, as the convolution over the input spread out by its strides: the zeros
// between are multiplied as well.
// Formula: ONNX operator specification, ConvTranspose: input position i adds weights[k] times itself to output
// i * stride + k * dilation - pads_begin.
class ConvTranspose : public Conv {
 public:
  // window: `size` and `channels` of the input, `out` of the output (output_padding included), strides, dilations and
  // pads_begin as the attributes say; pads_end and `transposed` do not matter. weights: ONNX's order,
  // [channels, out_channels / group, kernel]. bias: [out_channels].
  ConvTranspose(kernels::Window window, int64_t group, int64_t out_channels, const std::vector<float>& weights,
                const std::vector<float>& bias, int64_t images = 1, WeightFormat format = WeightFormat::kFloat);
};

}  // namespace halfwave
