#include "model/graph/relu_after_max_pool.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "model/graph/uses.h"

namespace halfwave {
namespace {

// Whether the attribute is left out, or a list of nothing but `value`.
bool IsAll(const Node& node, const char* attribute, int64_t value) {
  if (!node.attributes.contains(attribute)) return true;
  const auto* list = FindAttribute<std::vector<int64_t>>(node, attribute);
  return list != nullptr && std::all_of(list->begin(), list->end(), [=](int64_t entry) { return entry == value; });
}

bool IsPadded(const Node& node) {
  const auto* automatic = FindAttribute<std::string>(node, "auto_pad");
  if (automatic == nullptr || *automatic == "NOTSET") return !IsAll(node, "pads", 0);
  return *automatic != "VALID";
}

// The ONNX shape rule demands that padding be smaller than the window, so only steps within it can miss all data.
bool EveryWindowSeesData(const Node& node) { return IsAll(node, "dilations", 1) || !IsPadded(node); }

}  // namespace

void ReluAfterMaxPool(Graph& graph) {
  const Uses uses(graph);
  FreshNames names(graph);
  std::vector<Node> nodes;
  nodes.reserve(graph.nodes.size());
  std::unordered_map<std::string, size_t> relus;  // by their output, where nobody but one node reads it
  std::unordered_set<size_t> moved_on;
  std::unordered_set<std::string> sums;  // outputs of convolutions that nobody but one node reads
  for (Node& node : graph.nodes) {
    const bool is_pool = node.op == "MaxPool" && HasInput(node, 0) && uses.HasOneOutput(node);
    const auto relu = is_pool && EveryWindowSeesData(node) ? relus.find(node.inputs[0]) : relus.end();
    nodes.push_back(std::move(node));
    if (relu == relus.end()) {
      const Node& last = nodes.back();
      const bool read_once = last.outputs.size() == 1 && uses.Reads(last.outputs[0]) == 1;
      if (last.op == "Conv" && read_once && !uses.IsModelOutput(last.outputs[0])) sums.insert(last.outputs[0]);
      const bool may_move =
          last.op == "Relu" && HasInput(last, 0) && last.outputs.size() == 1 && !sums.contains(last.inputs[0]);
      if (may_move && uses.Reads(last.outputs[0]) == 1 && !uses.IsModelOutput(last.outputs[0])) {
        relus.emplace(last.outputs[0], nodes.size() - 1);
      }
      continue;
    }
    Node& before = nodes[relu->second];
    Node& pool = nodes.back();
    Node after = before;
    after.attributes[kCounted] = int64_t{0};
    after.outputs = {pool.outputs[0]};
    pool.outputs[0] = names.Like(pool.outputs[0]);
    after.inputs = {pool.outputs[0]};
    if (IsCounted(before)) {
      Record(graph, "relu_after_max_pool", before.name, "rectifies after", pool.name);
      TurnIntoObserve(before);
    } else {  // moved already: nothing stays behind
      pool.inputs[0] = before.inputs[0];
      moved_on.insert(relu->second);
    }
    const std::string& output = after.outputs[0];
    if (uses.Reads(output) == 1 && !uses.IsModelOutput(output)) relus.emplace(output, nodes.size());
    nodes.push_back(std::move(after));
  }
  size_t at = 0;
  std::erase_if(nodes, [&](const Node&) { return moved_on.contains(at++); });
  graph.nodes = std::move(nodes);
}

}  // namespace halfwave
