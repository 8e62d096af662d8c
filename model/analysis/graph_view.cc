#include "model/analysis/graph_view.h"

#include <algorithm>

#include "model/graph/uses.h"

namespace halfwave {
namespace {

constexpr size_t kMaxSteps = 1000;  // of a walk along nodes that pass values on

}  // namespace

GraphView::GraphView(const Graph& graph, const Known& known) : graph_(graph), known_(known) {
  for (const GraphValue& output : graph.outputs) outputs_.insert(output.name);
  std::unordered_set<std::string> needed = outputs_;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    const auto is_needed = [&](const std::string& output) {
      return !output.empty() && needed.contains(output) && known.types.contains(output);
    };
    if (!std::any_of(node->outputs.begin(), node->outputs.end(), is_needed)) continue;
    nodes_.push_back(&*node);
    needed.insert(node->inputs.begin(), node->inputs.end());
  }
  std::reverse(nodes_.begin(), nodes_.end());
  for (const Node* node : nodes_) {
    for (const std::string& output : node->outputs) producers_.emplace(output, node);
    for (const std::string& input : node->inputs) {
      if (input.empty() || FindConstant(input) != nullptr) continue;
      std::vector<const Node*>& readers = readers_[input];
      if (readers.empty() || readers.back() != node) readers.push_back(node);
    }
  }
}

const Node* GraphView::Producer(const std::string& value) const {
  const auto found = producers_.find(value);
  return found == producers_.end() ? nullptr : found->second;
}

const Constant* GraphView::FindConstant(const std::string& value) const {
  if (const auto found = graph_.constants.find(value); found != graph_.constants.end()) return &found->second;
  const auto found = known_.constants.find(value);
  return found == known_.constants.end() ? nullptr : &found->second;
}

const Constant* GraphView::ConstantInput(const Node& node, size_t index) const {
  return HasInput(node, index) ? FindConstant(node.inputs[index]) : nullptr;
}

const Shape* GraphView::FindShape(const std::string& value) const {
  if (const auto found = known_.types.find(value); found != known_.types.end()) return &found->second.shape;
  const Constant* constant = FindConstant(value);
  return constant == nullptr ? nullptr : &constant->shape;
}

const Node* GraphView::Source(const std::string& value) const {
  const Node* node = Producer(value);
  for (size_t i = 0; i < kMaxSteps && node != nullptr && PassesOn(*node); ++i) node = Producer(node->inputs[0]);
  return node;
}

std::vector<std::string> GraphView::Aliases(const std::string& value) const {
  std::vector<std::string> aliases = {value};
  for (size_t i = 0; i < aliases.size() && i < kMaxSteps; ++i) {
    const auto readers = readers_.find(aliases[i]);
    if (readers == readers_.end()) continue;
    for (const Node* node : readers->second) {
      if (PassesOn(*node) && node->inputs[0] == aliases[i]) aliases.push_back(node->outputs[0]);
    }
  }
  return aliases;
}

std::vector<const Node*> GraphView::Consumers(const std::string& value) const {
  std::vector<const Node*> consumers;
  for (const std::string& alias : Aliases(value)) {
    const auto readers = readers_.find(alias);
    if (readers == readers_.end()) continue;
    for (const Node* node : readers->second) {
      if (!PassesOn(*node) || node->inputs[0] != alias) consumers.push_back(node);
    }
  }
  return consumers;
}

const Node* GraphView::OnlyConsumer(const std::string& value) const {
  const std::vector<const Node*> consumers = Consumers(value);
  return consumers.size() == 1 && !ReachesOutput(value) ? consumers[0] : nullptr;
}

bool GraphView::ReachesOutput(const std::string& value) const {
  const std::vector<std::string> aliases = Aliases(value);
  return std::any_of(aliases.begin(), aliases.end(), [&](const std::string& alias) { return IsOutput(alias); });
}

bool IsOneOf(const Node& node, std::initializer_list<const char*> ops) {
  return node.domain.empty() && std::any_of(ops.begin(), ops.end(), [&](const char* op) { return node.op == op; });
}

bool PassesOn(const Node& node) {
  return HasInput(node, 0) && !node.outputs.empty() &&
         IsOneOf(node, {"Identity", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"});
}

bool IsRectifier(const GraphView& view, const Node& node) {
  if (IsOneOf(node, {"Relu", "ThresholdedRelu"})) return true;
  if (!IsOneOf(node, {"Clip"})) return false;
  if (const auto* low = FindAttribute<float>(node, "min")) return *low == 0;
  const Constant* low = view.ConstantInput(node, 1);
  return low != nullptr && low->floats.size() == 1 && low->floats[0] == 0;
}

bool IsActivation(const Node& node) {
  return IsOneOf(node, {"Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "ThresholdedRelu", "Sigmoid", "Softplus",
                        "Tanh", "Gelu", "Mish", "HardSigmoid", "HardSwish", "Softsign", "Swish"});
}

}  // namespace halfwave
