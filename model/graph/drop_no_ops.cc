#include "model/graph/drop_no_ops.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace halfwave {
namespace {

bool AllZero(const std::vector<int64_t>& values) {
  return !values.empty() && std::all_of(values.begin(), values.end(), [](int64_t value) { return value == 0; });
}

// The amounts are an attribute up to opset 10 and a constant input since.
bool PadsByNothing(const Graph& graph, const Node& node) {
  if (node.op != "Pad") return false;
  if (const auto attribute = node.attributes.find("pads"); attribute != node.attributes.end()) {
    const auto* pads = std::get_if<std::vector<int64_t>>(&attribute->second);
    return pads != nullptr && AllZero(*pads);
  }
  const auto pads = HasInput(node, 1) ? graph.constants.find(node.inputs[1]) : graph.constants.end();
  return pads != graph.constants.end() && AllZero(pads->second.ints);
}

bool IsNoOp(const Graph& graph, const Node& node) {
  if (!HasInput(node, 0) || node.outputs.size() != 1) return false;
  return PadsByNothing(graph, node) || (node.op == "Identity" && graph.constants.contains(node.inputs[0]));
}

}  // namespace

void DropNoOps(Graph& graph) {
  std::unordered_set<std::string> model_outputs;
  for (const GraphValue& output : graph.outputs) model_outputs.insert(output.name);
  std::unordered_map<std::string, std::string> stands_for;
  std::erase_if(graph.nodes, [&](Node& node) {
    for (std::string& input : node.inputs) {
      if (const auto found = stands_for.find(input); found != stands_for.end()) input = found->second;
    }
    if (!IsNoOp(graph, node) || model_outputs.contains(node.outputs[0])) return false;
    stands_for[node.outputs[0]] = node.inputs[0];
    return true;
  });
}

}  // namespace halfwave
