// How a gradient flows back through a network: where it is cut off, and where it shrinks.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "model/analysis/rows.h"
#include "model/engine/model.h"

namespace halfwave {

// At one activation. The gradient is that of the margin between the two highest scores (of the only one, if there is
// one), before a softmax or sigmoid at the end: what moves a decision, however sure the network is.
struct LayerGradient {
  double zero_share = 0;  // of pairs of row and pre-activation: the activation's derivative is exactly zero
  double norm = 0;        // root mean square over rows of the gradient's norm by the layer's pre-activations
  double of_last = 0;     // the same as a multiple of that at the last activation that has one; 0 if none has
};

struct Gradients {
  int64_t rows = 0;                   // that were looked at, evenly spaced among all
  std::vector<LayerGradient> layers;  // in the order of the model's activations
};

// graph: as the reader gave it, of which `model` was made. progress: told how much is done, 0 to 1. UNIMPLEMENTED,
// naming the node, if the gradient passes an operator of unknown derivative; the errors of FindConstants and
// Model::Create.
absl::StatusOr<Gradients> MeasureGradients(const Graph& graph, const Model& model, const Rows& rows,
                                           const std::function<void(double done)>& progress);

}  // namespace halfwave
