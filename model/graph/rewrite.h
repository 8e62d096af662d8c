// All rewriting passes that work on the graph alone, in their order.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Makes the graph smaller without changing what it computes (within rounding where weights are folded) or what the
// neuron statistics count, and records in graph.rewrites what was done. May leave operators that no file holds: see
// uses.h. The nodes must be sorted, and stay so; constants that nobody reads are gone afterwards. Time is linear in the
// size of the graph: the passes are repeated while they find something, a few times at most.
void RewriteGraph(Graph& graph);

}  // namespace halfwave
