#include "model/engine/heads.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>

#include "nlohmann/json.hpp"

namespace halfwave {
namespace {

using Producers = std::unordered_map<std::string, const Node*>;

Producers FindProducers(const Graph& graph) {
  Producers producers;
  for (const Node& node : graph.nodes) {
    for (const std::string& output : node.outputs) producers.emplace(output, &node);
  }
  return producers;
}

bool IsAnyOf(const std::string& op, std::initializer_list<std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), op) != ops.end();
}

// What the value is, seen through nodes that only pass it on.
std::string KindOfScores(const Producers& producers, const std::string& value) {
  for (auto found = producers.find(value); found != producers.end();) {
    const Node& node = *found->second;
    if (node.op == "Softmax") return "softmax";
    if (node.op == "LogSoftmax") return "log-softmax";
    if (node.op == "Sigmoid") return "sigmoid";
    if (node.inputs.empty()) break;
    if (node.op == "Concat" && node.inputs.size() == 2) {  // [1 - p, p], scikit-learn's two classes
      const auto second = producers.find(node.inputs[1]);
      return second != producers.end() && second->second->op == "Sigmoid" ? "sigmoid" : "logits";
    }
    if (!IsAnyOf(node.op, {"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze", "ZipMap"})) {
      break;
    }
    found = producers.find(node.inputs[0]);
  }
  return "logits";
}

// Whether an output says the class: the place of a maximum, perhaps looked up in a table.
bool IsLabel(const Graph& graph, const Producers& producers, const std::string& value, const Constant** table) {
  for (auto found = producers.find(value); found != producers.end();) {
    const Node& node = *found->second;
    if (IsAnyOf(node.op, {"ArgMax", "TopK", "Binarizer"})) return true;
    if (IsAnyOf(node.op, {"ArrayFeatureExtractor", "Gather"}) && node.inputs.size() == 2) {
      const auto constant = graph.constants.find(node.inputs[0]);
      if (constant != graph.constants.end()) *table = &constant->second;
      found = producers.find(node.inputs[1]);
      continue;
    }
    if (!IsAnyOf(node.op, {"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})) return false;
    found = producers.find(node.inputs[0]);
  }
  return false;
}

std::vector<std::string> ToStrings(const std::vector<int64_t>& numbers) {
  std::vector<std::string> strings;
  std::transform(numbers.begin(), numbers.end(), std::back_inserter(strings),
                 [](int64_t number) { return std::to_string(number); });
  return strings;
}

std::vector<std::string> LabelsOfZipMap(const Graph& graph) {
  for (const Node& node : graph.nodes) {
    if (node.op != "ZipMap") continue;
    const auto strings = GetAttribute(graph, node, "classlabels_strings", Constant());
    if (strings.ok() && !strings->strings.empty()) return strings->strings;
    const auto numbers = GetAttribute(graph, node, "classlabels_int64s", std::vector<int64_t>());
    if (numbers.ok()) return ToStrings(*numbers);
  }
  return {};
}

}  // namespace

Head FindHeads(const Graph& graph, const TypeMap& types) {
  const Producers producers = FindProducers(graph);
  const auto is_float = [&](const GraphValue& output) {
    const auto type = types.find(output.name);
    return type != types.end() && IsFloat(type->second.type);
  };
  Head head;
  const auto scores = std::find_if(graph.outputs.begin(), graph.outputs.end(), is_float);
  if (scores != graph.outputs.end()) head.scores = static_cast<size_t>(scores - graph.outputs.begin());
  head.name = KindOfScores(producers, graph.outputs[head.scores].name);
  head.labels = LabelsOfZipMap(graph);
  for (const GraphValue& output : graph.outputs) {
    const Constant* table = nullptr;
    if (is_float(output) || !IsLabel(graph, producers, output.name, &table)) continue;
    head.name = scores == graph.outputs.end() ? "label" : "label + " + head.name;
    if (head.labels.empty() && table != nullptr) {
      head.labels = table->type == DataType::kString ? table->strings : ToStrings(table->ints);
    }
    break;
  }
  return head;
}

std::string LabelsToJson(const std::vector<std::string>& labels) {
  return nlohmann::json(labels).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace halfwave
