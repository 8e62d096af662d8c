#pragma once

#include <vector>

#include "model/kernels/window.h"
#include "model/layers/layer.h"

namespace halfwave {

// Two-dimensional convolution over channels-last rows [height, width, channels], as what each output position sees
// (im2col) times the weights: one GEMM over all rows of the batch and group, cut only where the columns would exceed
// kMaxColumnElements.
class Conv2d : public Layer {
 public:
  static constexpr int64_t kMaxColumnElements = int64_t{4} << 20;  // 16 MiB

  // weights: ONNX's order, [out_channels, channels / group, kernel_height, kernel_width]. bias: [out_channels].
  // Both channel counts are multiples of `group`.
  Conv2d(const kernels::Window2d& window, int64_t group, int64_t out_channels, const std::vector<float>& weights,
         std::vector<float> bias);
  void Run(const LayerCall& call) const override;
  int64_t ScratchElements(int64_t rows) const override;

 private:
  int64_t ColumnsPerBlock(int64_t rows) const;

  kernels::Window2d window_;
  int64_t group_, group_in_, group_out_, depth_;  // depth: the length of the sum behind each output
  std::vector<float> weights_;                    // per group [kernel_height, kernel_width, group_in, group_out]
  std::vector<float> bias_;
};

}  // namespace halfwave
