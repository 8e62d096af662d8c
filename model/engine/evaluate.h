// Computes at load what does not depend on the model's input, with the layers that compute the rest.
#pragma once

#include "model/graph/fold_constants.h"

namespace halfwave {

// The outputs of a node whose inputs are all constants: an Evaluate for FindConstants. UNIMPLEMENTED for integers that
// the engine's floats cannot hold; RESOURCE_EXHAUSTED for work that would delay a load noticeably.
absl::StatusOr<std::vector<Constant>> EvaluateNode(const NodeContext& context, const Types& types);

// FindConstants with it. They may be as many elements as the graph's own constants have, and 2^26 more.
absl::StatusOr<Known> FindConstants(const Graph& graph);

}  // namespace halfwave
