// Dense layers and convolutions with constant weights, all seen as: each output unit is a weighted sum of inputs.
#pragma once

#include <optional>
#include <vector>

#include "model/analysis/graph_view.h"

namespace halfwave {

struct LinearNode {
  const Node* node = nullptr;
  const Constant* weights = nullptr;
  const Constant* bias = nullptr;  // one number per unit; null if there is none
  int64_t units = 0;               // outputs of a dense layer, feature maps of a convolution
  int64_t inputs = 0;              // features or channels that one unit reads
  int64_t taps = 1;                // weights that a unit has for each of them: the positions of the kernel
  int64_t groups = 1;
  double scale = 1;       // of the sum: alpha of Gemm
  double bias_scale = 1;  // of the bias: beta of Gemm
  bool is_conv = false;
  // Where in `weights` the weight of a unit stands: unit * unit_stride + input * input_stride + tap.
  int64_t unit_stride = 0;
  int64_t input_stride = 0;

  float Weight(int64_t unit, int64_t input, int64_t tap) const {
    return weights->floats[unit * unit_stride + input * input_stride + tap];
  }
  double Bias(int64_t unit) const {
    return bias == nullptr ? 0.0 : bias_scale * bias->floats[bias->floats.size() == 1 ? 0 : unit];
  }
  // Among all input channels, the first that the unit reads.
  int64_t FirstInput(int64_t unit) const { return unit / (units / groups) * inputs; }
};

// The node as such, nothing if it is no Gemm, MatMul or Conv of a computed value with constant weights, or one in a
// form that is rare.
std::optional<LinearNode> AsLinear(const GraphView& view, const Node& node);

// Whether the engine may compute it by Winograd's transforms (its choice goes by the sizes).
bool MayUseWinograd(const LinearNode& linear);

}  // namespace halfwave
