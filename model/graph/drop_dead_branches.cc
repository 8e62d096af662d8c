#include "model/graph/drop_dead_branches.h"

#include <algorithm>
#include <unordered_set>

#include "model/graph/uses.h"

namespace halfwave {

void DropDeadBranches(Graph& graph) {
  std::unordered_set<std::string> needed;
  for (const GraphValue& output : graph.outputs) needed.insert(output.name);
  std::vector<bool> dead(graph.nodes.size());
  for (size_t i = graph.nodes.size(); i-- > 0;) {
    const Node& node = graph.nodes[i];
    dead[i] = std::none_of(node.outputs.begin(), node.outputs.end(),
                           [&](const std::string& output) { return !output.empty() && needed.contains(output); });
    if (!dead[i]) needed.insert(node.inputs.begin(), node.inputs.end());
  }
  size_t at = 0;
  std::erase_if(graph.nodes, [&](const Node& node) {
    if (!dead[at++]) return false;
    Record(graph, "drop_dead_branches", node.name, "removed: no output of the model depends on it");
    return true;
  });
  std::erase_if(graph.constants, [&](const auto& constant) { return !needed.contains(constant.first); });
}

}  // namespace halfwave
