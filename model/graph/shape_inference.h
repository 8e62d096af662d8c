// Shapes of all values of a graph, and the list of operators that exist here.
#pragma once

#include <functional>
#include <string_view>

#include "model/graph/graph.h"

namespace halfwave {

using ShapeMap = std::map<std::string, Shape>;  // by value name; constants are not in it

// What a rule may look at: the node, its graph, and the shapes of everything before it.
struct NodeContext {
  const Graph& graph;
  const Node& node;
  const ShapeMap& shapes;

  // The shape of input `index`; INVALID_ARGUMENT if it is left out or a constant where data must flow.
  absl::StatusOr<Shape> InputShape(size_t index) const;
  // An error that blames this node.
  absl::Status Error(absl::StatusCode code, const std::string& what) const;
};

// An operator as the graph knows it: what it is called, how many inputs it takes, and the shape of its first output.
struct OperatorRule {
  std::string_view op;
  size_t min_inputs;
  size_t max_inputs;
  std::function<absl::StatusOr<Shape>(const NodeContext&)> infer;
};

// Every operator that can be served, by name.
std::span<const OperatorRule> Operators();

// The shape of a node's first output, given those before it. UNIMPLEMENTED for an operator that is not supported,
// INVALID_ARGUMENT for shapes that do not fit together; both name the node.
absl::StatusOr<Shape> InferNode(const NodeContext& context);

// The shapes of all inputs and node outputs, in terms of kBatch where the batch is open. The nodes must be sorted.
// Errors as InferNode's.
absl::StatusOr<ShapeMap> InferShapes(const Graph& graph);

}  // namespace halfwave
