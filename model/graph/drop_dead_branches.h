// A rewriting pass: what the model's outputs do not depend on.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Removes the nodes from which no output of the model is reached, and the constants that nobody reads then. Activations
// among them have no part in any answer, and leave the neuron statistics. The nodes must be sorted.
void DropDeadBranches(Graph& graph);

}  // namespace halfwave
