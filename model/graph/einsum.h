// What an Einsum's equation says: which dimensions run together, and which of them are summed over.
#pragma once

#include <map>
#include <vector>

#include "model/graph/node_context.h"

namespace halfwave {

// A dimension is named by its letter, or, if it is one of those of an ellipsis, by -1 for the last of them, -2, ...
using EinsumLabels = std::vector<int>;

struct Einsum {
  std::vector<EinsumLabels> inputs;  // a label for each dimension; one may come up twice, which means the diagonal
  EinsumLabels output;               // each once
  std::map<int, int64_t> sizes;      // of all labels, negative for one that is the batch
};

// The equation of one or two operands: INVALID_ARGUMENT where it does not fit them, UNIMPLEMENTED for more operands or
// where it sums over the batch.
absl::StatusOr<Einsum> ResolveEinsum(const NodeContext& context);

}  // namespace halfwave
