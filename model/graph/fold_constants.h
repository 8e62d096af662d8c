// A rewriting pass: what can be known at load is computed at load.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Removes nodes whose inputs are all known, and puts their values among the constants: the shape arithmetic that
// exporters leave behind, Shape → Gather → Unsqueeze → Concat → Reshape and its kin, and weights that are reshaped or
// transposed. An open batch goes through such arithmetic as a symbol, and a Reshape to it copies the input's batch. A
// node that cannot be folded stays, for shape inference to judge. The nodes must be sorted.
void FoldConstants(Graph& graph);

}  // namespace halfwave
