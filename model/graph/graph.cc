#include "model/graph/graph.h"

#include <functional>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace halfwave {
namespace {

using Producers = std::unordered_map<std::string, size_t>;

// Names of what is there before the first node runs; "" marks an optional input left out.
std::unordered_set<std::string> Sources(const Graph& graph) {
  std::unordered_set<std::string> sources = {""};
  for (const GraphValue& input : graph.inputs) sources.insert(input.name);
  for (const auto& [name, constant] : graph.constants) sources.insert(name);
  return sources;
}

absl::StatusOr<Producers> FindProducers(const Graph& graph, const std::unordered_set<std::string>& sources) {
  Producers producers;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    for (const std::string& output : node.outputs) {
      if (output.empty()) continue;
      if (sources.contains(output) || !producers.emplace(output, i).second) {
        return NodeError(
            absl::StatusCode::kInvalidArgument, graph, node,
            absl::StrCat("output '", output, "' is already produced elsewhere; each value needs one source"));
      }
    }
  }
  return producers;
}

// A node on a cycle, given that some nodes wait for others for ever: each of them waits for another such node, so
// following that one backwards long enough ends in a circle.
size_t FindCycle(const Graph& graph, const Producers& producers, const std::vector<size_t>& waiting_for) {
  size_t node = 0;
  while (waiting_for[node] == 0) ++node;
  for (std::vector<bool> seen(waiting_for.size()); !seen[node];) {
    seen[node] = true;
    for (const std::string& input : graph.nodes[node].inputs) {
      const auto producer = producers.find(input);
      if (producer != producers.end() && waiting_for[producer->second] != 0) {
        node = producer->second;
        break;
      }
    }
  }
  return node;
}

}  // namespace

absl::Status SortNodes(Graph& graph) {
  const std::unordered_set<std::string> sources = Sources(graph);
  HALFWAVE_ASSIGN_OR_RETURN(const Producers producers, FindProducers(graph, sources));
  std::vector<std::vector<size_t>> readers(graph.nodes.size());
  std::vector<size_t> waiting_for(graph.nodes.size(), 0);
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    for (const std::string& input : graph.nodes[i].inputs) {
      if (sources.contains(input)) continue;
      const auto producer = producers.find(input);
      if (producer == producers.end()) {
        return NodeError(absl::StatusCode::kInvalidArgument, graph, graph.nodes[i],
                         absl::StrCat("input '", input,
                                      "' is neither an input of the model, nor a weight, nor another "
                                      "node's output; the file is incomplete"));
      }
      readers[producer->second].push_back(i);
      ++waiting_for[i];
    }
  }
  // The earliest first: a file that is in order stays in its order.
  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    if (waiting_for[i] == 0) ready.push(i);
  }
  std::vector<Node> sorted;
  sorted.reserve(graph.nodes.size());
  while (!ready.empty()) {
    const size_t i = ready.top();
    ready.pop();
    for (const size_t reader : readers[i]) {
      if (--waiting_for[reader] == 0) ready.push(reader);
    }
    sorted.push_back(std::move(graph.nodes[i]));
  }
  if (sorted.size() != waiting_for.size()) {
    return NodeError(absl::StatusCode::kInvalidArgument, graph, graph.nodes[FindCycle(graph, producers, waiting_for)],
                     "is part of a cycle; only feed-forward networks can be served");
  }
  graph.nodes = std::move(sorted);
  return absl::OkStatus();
}

absl::Status NodeError(absl::StatusCode code, const Graph& graph, const Node& node, const std::string& what) {
  return absl::Status(code, absl::StrCat("node '", node.name, "' (", node.op, ", opset ", graph.opset, "): ", what));
}

bool HasInput(const Node& node, size_t index) { return index < node.inputs.size() && !node.inputs[index].empty(); }

absl::StatusOr<const Constant*> ConstantInput(const Graph& graph, const Node& node, size_t index, DataType type,
                                              const std::string& role) {
  if (!HasInput(node, index)) {
    return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                     absl::StrCat("has no ", role, " (input ", index, ")"));
  }
  const auto found = graph.constants.find(node.inputs[index]);
  if (found == graph.constants.end()) {
    return NodeError(absl::StatusCode::kUnimplemented, graph, node,
                     absl::StrCat("its ", role, " '", node.inputs[index],
                                  "' is computed at run time; only a constant one is supported"));
  }
  const bool wants_floats = IsFloat(type);
  if (wants_floats ? !IsFloat(found->second.type) : !IsInteger(found->second.type)) {
    return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                     absl::StrCat("its ", role, " '", node.inputs[index], "' holds ", DataTypeName(found->second.type),
                                  ", expected ", wants_floats ? "floats" : "integers"));
  }
  return &found->second;
}

}  // namespace halfwave
