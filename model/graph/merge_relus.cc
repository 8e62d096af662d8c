#include "model/graph/merge_relus.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>

#include "model/graph/uses.h"

namespace halfwave {
namespace {

constexpr std::string_view kNeverNegative[] = {"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus"};
// Their output holds elements of their first input, and nothing else. No MaxPool: where it sees nothing but padding,
// it gives the lowest number.
constexpr std::string_view kMoves[] = {"Identity", "Dropout",   "Flatten", "Reshape",       "Squeeze",
                                       "Slice",    "Unsqueeze", kObserve,  "GlobalMaxPool", "Transpose"};

template <size_t n>
bool IsOneOf(const std::string_view (&ops)[n], const std::string& op) {
  return std::find(std::begin(ops), std::end(ops), op) != std::end(ops);
}

// A bound that is there and zero or more: an attribute up to opset 10, a constant input since.
bool HasBoundFromZero(const Graph& graph, const Node& node, size_t index, const char* name) {
  if (graph.opset < 11) {
    const auto* bound = FindAttribute<float>(node, name);
    return bound != nullptr && *bound >= 0;
  }
  const auto found = HasInput(node, index) ? graph.constants.find(node.inputs[index]) : graph.constants.end();
  return found != graph.constants.end() && found->second.floats.size() == 1 && found->second.floats[0] >= 0;
}

// The upper bound wins over the lower one.
bool ClipsFromZero(const Graph& graph, const Node& node) {
  const bool unbounded = graph.opset < 11 ? !node.attributes.contains("max") : !HasInput(node, 2);
  return HasBoundFromZero(graph, node, 1, "min") && (unbounded || HasBoundFromZero(graph, node, 2, "max"));
}

}  // namespace

void MergeRelus(Graph& graph) {
  std::unordered_map<std::string, const Node*> never_negative;  // and which node makes it so
  for (Node& node : graph.nodes) {
    if (node.outputs.empty() || !HasInput(node, 0)) continue;
    const auto before = never_negative.find(node.inputs[0]);
    const bool is_known = before != never_negative.end();
    if (is_known && IsOneOf(kMoves, node.op)) {
      never_negative.emplace(node.outputs[0], before->second);
    } else if (is_known && node.op == "Relu") {
      const Node* origin = before->second;
      Record(graph, "merge_relus", node.name, "changes nothing and only counts: never negative behind", origin->name);
      if (IsCounted(node)) {
        TurnIntoObserve(node);
      } else {
        node.op = "Identity";
        node.attributes.clear();
      }
      never_negative.emplace(node.outputs[0], origin);
    } else if (IsOneOf(kNeverNegative, node.op) || (node.op == "Clip" && ClipsFromZero(graph, node))) {
      never_negative.emplace(node.outputs[0], &node);
    }
  }
}

}  // namespace halfwave
