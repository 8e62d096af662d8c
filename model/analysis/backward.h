// Reverse-mode differentiation: from the derivatives of one number by a node's output to those by its inputs.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "model/analysis/graph_view.h"

namespace halfwave {

// What each value was for one row, row-major.
using ValueOf = std::function<std::span<const float>(const std::string& value)>;

// By value: the derivatives by each of its elements, row-major. One that is not there is zero everywhere.
using DerivativesByValue = std::unordered_map<std::string, std::vector<double>>;

// Adds to `derivatives` by the node's inputs what follows from those by its output. UNIMPLEMENTED, naming the node, for
// an operator that it does not know; the nodes of ordinary feed-forward networks are known.
absl::Status PropagateBack(const GraphView& view, const Node& node, const ValueOf& value_of,
                           DerivativesByValue& derivatives);

}  // namespace halfwave
