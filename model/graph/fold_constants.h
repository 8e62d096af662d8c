// What can be known at load is computed at load: shape arithmetic, and whatever else depends on weights alone.
#pragma once

#include <functional>

#include "model/graph/rules.h"

namespace halfwave {

// Computes the outputs of a node whose inputs are all constants, given their types.
using Evaluate = std::function<absl::StatusOr<std::vector<Constant>>(const NodeContext& context, const Types& types)>;

// What is known of a graph's values before it runs.
struct Known {
  TypeMap types;          // of what is computed at run time
  ConstantMap constants;  // what depends on weights and on the shapes of the inputs alone
};

// Tells the one from the other. The size of an open batch goes through shape arithmetic as a symbol. The graph must be
// sorted and stays as it is. Errors as InferShapes's; UNIMPLEMENTED if that size is computed with otherwise;
// RESOURCE_EXHAUSTED if the constants found would take more than `max_elements` elements.
absl::StatusOr<Known> FindConstants(const Graph& graph, const Evaluate& evaluate, int64_t max_elements);

// Puts such values among the graph's constants and removes the nodes that computed them.
void FoldConstants(Graph& graph, ConstantMap values);

}  // namespace halfwave
