// Types and shapes of all values of a graph, and the list of operators that exist here.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "model/graph/rules.h"

namespace halfwave {

// What an operator is for: how documents group them.
enum class OperatorKind {
  kActivation,
  kLinear,
  kPool,
  kNormalization,
  kReduction,
  kElementwise,
  kShape,
  kPipeline,  // of scikit-learn, in the domain ai.onnx.ml
  kInternal,  // made by rewriting, never in a file
};

// An operator as the graph knows it: what it is called, since which opset it exists, how many inputs it takes, and the
// rule for its outputs.
struct OperatorRule {
  std::string_view op;
  OperatorKind kind;
  int64_t since;
  size_t min_inputs;
  size_t max_inputs;
  std::function<absl::StatusOr<Types>(const NodeContext&)> infer;
};

// Every operator that can be served, by name. Those of other domains than ONNX's own are called "domain::name", and
// "halfwave." begins the names of those that only rewriting makes.
std::span<const OperatorRule> Operators();

// A node's operator as Operators() calls it.
std::string OperatorName(const Node& node);

// The types of a node's outputs, given those before it. UNIMPLEMENTED for an operator that is not supported,
// INVALID_ARGUMENT for shapes that do not fit together; both name the node.
absl::StatusOr<Types> InferNode(const NodeContext& context);

// The types of all inputs and node outputs. The nodes must be sorted. Where an input's dimension 0 is kBatch, whatever
// would mix the rows of a batch is refused; where it is a size, it is a dimension like any other. Errors as
// InferNode's; RESOURCE_EXHAUSTED for a graph whose row takes more than `max_steps` steps: a hundred bytes can ask for
// days.
absl::StatusOr<TypeMap> InferShapes(const Graph& graph, double max_steps = 2e10);

}  // namespace halfwave
