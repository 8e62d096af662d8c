// What follows a linear operator channel by channel, put into its weights: the common half of two rewriting passes.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "model/graph/graph.h"

namespace halfwave {

// What a Conv, ConvTranspose, Gemm, MatMul or Dense with constant weights makes.
struct LinearOutput {
  int64_t channels = 0;
  std::optional<size_t> rank;  // Conv, ConvTranspose and Gemm; the others keep their input's
  bool channels_last = false;  // else dimension 1
};

// y = scale * x + shift, an entry per channel.
struct ChannelAffine {
  std::vector<double> scale;  // empty for 1
  std::vector<double> shift;  // empty for 0
};

// What `node` does to its input `index`, which a linear node made; nothing if it is not of this kind.
using AffineOf =
    std::function<std::optional<ChannelAffine>(const Node& node, size_t index, const LinearOutput& linear)>;

// Folds every node for which `affine_of` gives an answer into the linear node directly before it, if nobody else reads
// what is between and the new weights are finite, computed in double; and the next one into the result. Weights that
// others read are copied, all copies together being bounded. The nodes must be sorted, and stay so.
void FoldIntoLinear(Graph& graph, const char* pass, const AffineOf& affine_of);

// The constant as one value per channel, if it broadcasts to `linear` that way and leaves its shape alone.
std::optional<std::vector<double>> PerChannel(const Constant& constant, const LinearOutput& linear);

}  // namespace halfwave
