// A rewriting pass: nodes that exporters leave behind and that do nothing.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Lets everybody who reads the output of such a node read its input instead, and removes the node: an Identity of a
// weight (PyTorch stores equal weights once, and the others as Identity of the first) and a Pad by nothing (PyTorch
// puts one before every AveragePool). The nodes must be sorted. A node whose output is one of the model's stays.
void DropNoOps(Graph& graph);

}  // namespace halfwave
