// The slopes of activations.
#pragma once

#include <functional>
#include <optional>

#include "model/analysis/graph_view.h"

namespace halfwave {

// The derivative of an activation of one number, given that number and its index among the elements of a row; at a kink
// the one from below, as training frameworks have it. Nothing for a node that is none, or a rare one. The node and the
// view must outlive it.
using Derivative = std::function<double(double x, int64_t index)>;
std::optional<Derivative> DerivativeOf(const GraphView& view, const Node& node);

}  // namespace halfwave
