#include "model/graph/uses.h"

#include "absl/strings/str_cat.h"

namespace halfwave {
namespace {

constexpr size_t kMaxName = 128;  // of what is written down: a file may give a node a whole page for a name

}  // namespace

Uses::Uses(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    for (const std::string& input : node.inputs) ++reads_[input];
  }
  for (const GraphValue& output : graph.outputs) {
    ++reads_[output.name];
    model_outputs_.insert(output.name);
  }
}

int64_t Uses::Reads(const std::string& value) const {
  const auto found = reads_.find(value);
  return found == reads_.end() ? 0 : found->second;
}

bool Uses::HasOneOutput(const Node& node) const {
  if (node.outputs.empty() || node.outputs[0].empty()) return false;
  for (size_t i = 1; i < node.outputs.size(); ++i) {
    if (!node.outputs[i].empty() && Reads(node.outputs[i]) > 0) return false;
  }
  return true;
}

FreshNames::FreshNames(const Graph& graph) {
  for (const GraphValue& input : graph.inputs) taken_.insert(input.name);
  for (const auto& [name, constant] : graph.constants) taken_.insert(name);
  for (const Node& node : graph.nodes) taken_.insert(node.outputs.begin(), node.outputs.end());
}

std::string FreshNames::Like(const std::string& name) {
  const std::string start = name.substr(0, kMaxName);
  for (;; ++next_) {
    std::string fresh = absl::StrCat(start, "/", next_);
    if (taken_.insert(fresh).second) return fresh;
  }
}

void Record(Graph& graph, const char* pass, const std::string& node, const std::string& what,
            const std::string& other) {
  const std::string quoted = other.empty() ? "" : absl::StrCat(" '", other.substr(0, kMaxName), "'");
  graph.rewrites.push_back({pass, node.substr(0, kMaxName), what + quoted});
}

bool IsCounted(const Node& node) {
  const auto* counted = FindAttribute<int64_t>(node, kCounted);
  return counted == nullptr || *counted != 0;
}

void TurnIntoObserve(Node& activation) {
  activation.attributes = {{"op", activation.op}};
  activation.op = kObserve;
}

}  // namespace halfwave
