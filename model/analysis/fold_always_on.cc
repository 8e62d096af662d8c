#include "model/analysis/fold_always_on.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/analysis/graph_view.h"
#include "model/analysis/linear_node.h"
#include "model/base/status_macros.h"
#include "model/engine/evaluate.h"
#include "model/graph/drop_dead_branches.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

bool IsFlat(const GraphView& view, const std::string& value) {
  const Shape* shape = view.FindShape(value);
  return shape != nullptr && shape->size() == 2;
}

bool IsAlwaysOn(const GraphView& view, const BoundsMap& bounds, const Node& relu) {
  if (relu.op != "Relu" || view.IsOutput(relu.outputs[0]) || !IsFlat(view, relu.inputs[0])) return false;
  const Node* source = view.Producer(relu.inputs[0]);
  if (source == nullptr) return false;
  const Shape& shape = *view.FindShape(relu.inputs[0]);
  return shape[1] > 0 && static_cast<int64_t>(AlwaysActiveUnits(view, relu, bounds).size()) == shape[1];
}

// A node of its own for what enters and leaves: weights [inputs, units] and a bias.
bool CanMerge(const GraphView& view, const Uses& uses, const LinearNode& first, const LinearNode& second) {
  const std::string& between = first.node->outputs[0];
  if (first.is_conv || second.is_conv || view.graph().opset < 7) return false;
  if (uses.Reads(between) != 1 || view.IsOutput(between)) return false;
  if (!IsFlat(view, first.node->inputs[0]) || !IsFlat(view, between)) return false;
  if (first.weights->type != DataType::kFloat || second.weights->type != DataType::kFloat) return false;
  return first.inputs * second.units < first.inputs * first.units + second.inputs * second.units;
}

// Into `node`, the second of them.
void Merge(const LinearNode& first, const LinearNode& second, Graph& graph, Node& node) {
  Constant weights{DataType::kFloat, {first.inputs, second.units}, {}, {}, {}};
  weights.floats.reserve(first.inputs * second.units);
  std::vector<double> row(second.units);
  const auto times_second = [&](const auto& of_first) {
    std::fill(row.begin(), row.end(), 0.0);
    for (int64_t between = 0; between < second.inputs; ++between) {
      const double value = second.scale * of_first(between);
      for (int64_t unit = 0; unit < second.units; ++unit) row[unit] += value * second.Weight(unit, between, 0);
    }
  };
  for (int64_t input = 0; input < first.inputs; ++input) {
    times_second([&](int64_t between) { return first.scale * first.Weight(between, input, 0); });
    weights.floats.insert(weights.floats.end(), row.begin(), row.end());
  }
  times_second([&](int64_t between) { return first.Bias(between); });
  Constant bias{DataType::kFloat, {second.units}, {}, {}, {}};
  for (int64_t unit = 0; unit < second.units; ++unit) {
    bias.floats.push_back(static_cast<float>(row[unit] + second.Bias(unit)));
  }
  FreshNames names(graph);
  const std::string of_weights = names.Like(node.name), of_bias = names.Like(node.name);
  node.op = "Gemm";
  node.attributes.clear();
  node.inputs = {first.node->inputs[0], of_weights, of_bias};
  graph.constants[of_weights] = std::move(weights);
  graph.constants[of_bias] = std::move(bias);
}

// Merges one pair that meets at one of the values; returns the names of both, or nothing.
std::string MergeOne(Graph& graph, const Known& known, const std::set<std::string>& meetings, std::string& meeting) {
  const GraphView view(graph, known);
  const Uses uses(graph);
  for (Node& node : graph.nodes) {
    const auto second = AsLinear(view, node);
    if (!second || !meetings.contains(node.inputs[0])) continue;
    const Node* before = view.Producer(node.inputs[0]);
    const auto first = before == nullptr ? std::nullopt : AsLinear(view, *before);
    if (!first || !CanMerge(view, uses, *first, *second)) continue;
    meeting = node.inputs[0];
    const std::string both = absl::StrCat("'", before->name, "' and '", node.name, "'");
    Merge(*first, *second, graph, node);
    DropDeadBranches(graph);
    return both;
  }
  return "";
}

}  // namespace

absl::StatusOr<Folded> FoldAlwaysOn(Graph graph, const std::optional<InputDomain>& domain) {
  Folded folded;
  std::map<std::string, size_t> layer_at;  // by the value where two layers meet now
  {
    HALFWAVE_ASSIGN_OR_RETURN(const Known known, FindConstants(graph));
    const GraphView view(graph, known);
    const BoundsMap bounds(view, domain ? &*domain : nullptr);
    std::map<std::string, std::string> same;  // the output of a removed Relu, and its input
    for (const Node* node : view.nodes()) {
      if (node->inputs.empty() || node->outputs.empty() || !IsAlwaysOn(view, bounds, *node)) continue;
      const auto chain = same.find(node->inputs[0]);
      const std::string& value = same[node->outputs[0]] = chain == same.end() ? node->inputs[0] : chain->second;
      layer_at[value] = folded.layers.size();
      folded.layers.push_back({node->name, ""});
    }
    std::erase_if(graph.nodes,
                  [&](const Node& node) { return !node.outputs.empty() && same.contains(node.outputs[0]); });
    for (Node& node : graph.nodes) {
      for (std::string& input : node.inputs) {
        if (const auto found = same.find(input); found != same.end()) input = found->second;
      }
    }
  }
  std::set<std::string> meetings;
  for (const auto& [value, layer] : layer_at) meetings.insert(value);
  while (!meetings.empty()) {
    HALFWAVE_ASSIGN_OR_RETURN(const Known known, FindConstants(graph));
    std::string meeting;
    const std::string merged = MergeOne(graph, known, meetings, meeting);
    if (merged.empty()) break;
    folded.layers[layer_at.at(meeting)].merged = merged;
    meetings.erase(meeting);
  }
  folded.graph = std::move(graph);
  return folded;
}

}  // namespace halfwave
