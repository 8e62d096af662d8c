// From a graph to a plan: each node becomes a layer, or nothing where only a shape changes.
#pragma once

#include <string_view>
#include <vector>

#include "model/engine/builder.h"
#include "model/engine/plan.h"
#include "model/graph/shape_inference.h"
#include "model/layers/packed_dense.h"

namespace halfwave {

// Prepares every node of a graph whose types have been inferred. INVALID_ARGUMENT or UNIMPLEMENTED name the node whose
// attributes cannot be served, FAILED_PRECONDITION the weight that the format cannot hold.
absl::StatusOr<Plan> Lower(const Graph& graph, const TypeMap& types, const LoweringOptions& options = {});

// The operators Lower knows, sorted by name: those of graph's Operators() that compute at run time, which a test holds
// together.
std::vector<std::string_view> LoweredOperators();

}  // namespace halfwave
