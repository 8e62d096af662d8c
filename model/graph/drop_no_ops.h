// A rewriting pass: nodes that exporters leave behind and that do nothing.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Lets everybody who reads the output of such a node read its input instead, and removes the node: Identity, Dropout
// outside of training, Pad by nothing, Transpose that keeps the order, Concat of one, Cast of a float to float. The
// nodes must be sorted. Outputs of the model keep their names: the node that made the removed one's input takes over
// the name, and where that cannot be (an input of the model, a constant, another output of it) the node stays.
void DropNoOps(Graph& graph);

}  // namespace halfwave
