#include "model/graph/drop_no_ops.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "model/graph/uses.h"

namespace halfwave {
namespace {

using Names = std::unordered_set<std::string>;

bool AllZero(const std::vector<int64_t>& values) {
  return !values.empty() && std::all_of(values.begin(), values.end(), [](int64_t value) { return value == 0; });
}

// The amounts are an attribute up to opset 10 and a constant input since.
bool PadsByNothing(const Graph& graph, const Node& node) {
  if (const auto* pads = FindAttribute<std::vector<int64_t>>(node, "pads")) return AllZero(*pads);
  const auto pads = HasInput(node, 1) ? graph.constants.find(node.inputs[1]) : graph.constants.end();
  return pads != graph.constants.end() && AllZero(pads->second.ints);
}

// Training is an attribute's default before opset 7, and a constant input since opset 12.
bool IsDropoutOutsideOfTraining(const Graph& graph, const Node& node) {
  if (graph.opset < 7) return false;
  if (!HasInput(node, 2)) return true;
  const auto training = graph.constants.find(node.inputs[2]);
  return training != graph.constants.end() && AllZero(training->second.ints);
}

bool KeepsTheOrder(const Node& node) {
  const auto* permutation = FindAttribute<std::vector<int64_t>>(node, "perm");
  if (permutation == nullptr || permutation->empty()) return false;
  for (size_t i = 0; i < permutation->size(); ++i) {
    if ((*permutation)[i] != static_cast<int64_t>(i)) return false;
  }
  return true;
}

bool CastsToFloat(const Node& node) {
  constexpr int64_t kOnnxFloat = 1;
  const auto* to = FindAttribute<int64_t>(node, "to");
  return node.op == "Cast" && to != nullptr && *to == kOnnxFloat;
}

// Whether the node's first output holds floats, as far as that is plain: `floats` are the values known to.
bool MakesFloats(const Node& node, const Names& floats) {
  constexpr std::string_view kAlways[] = {"AveragePool", "BatchNormalization", "Conv",    "ConvTranspose",
                                          "Elu",         "GlobalAveragePool",  "Sigmoid", "LogSoftmax",
                                          "Softmax",     "Softplus",           "Tanh",    kDense};
  constexpr std::string_view kLikeFirstInput[] = {"Add",     "Clip",     "Concat",    "Div",      "Flatten",   "Gemm",
                                                  "Dropout", "MatMul",   "MaxPool",   "Mul",      "LeakyRelu", "PRelu",
                                                  "Pad",     "Relu",     "Reshape",   "Squeeze",  "Sub",       kObserve,
                                                  "Slice",   "Identity", "Transpose", "Unsqueeze"};
  const auto is = [&](std::string_view op) { return op == node.op; };
  if (CastsToFloat(node) || std::any_of(std::begin(kAlways), std::end(kAlways), is)) return true;
  return std::any_of(std::begin(kLikeFirstInput), std::end(kLikeFirstInput), is) && HasInput(node, 0) &&
         floats.contains(node.inputs[0]);
}

bool IsNoOp(const Graph& graph, const Node& node, const Names& floats) {
  if (!HasInput(node, 0) || !node.domain.empty()) return false;
  if (node.op == "Identity") return true;
  if (node.op == "Pad") return PadsByNothing(graph, node);
  if (node.op == "Dropout") return IsDropoutOutsideOfTraining(graph, node);
  if (node.op == "Transpose") return KeepsTheOrder(node);
  if (node.op == "Concat") return node.inputs.size() == 1;
  return CastsToFloat(node) && floats.contains(node.inputs[0]);
}

class Dropper {
 public:
  explicit Dropper(Graph& graph) : graph_(graph), uses_(graph) {
    for (const GraphValue& input : graph.inputs) {
      fixed_.insert(input.name);
      if (IsFloat(input.type)) floats_.insert(input.name);
    }
    for (const GraphValue& output : graph.outputs) fixed_.insert(output.name);
  }

  void Run() {
    std::erase_if(graph_.nodes, [&](Node& node) {
      for (std::string& input : node.inputs) Replace(input, stands_for_);
      const bool drop = uses_.HasOneOutput(node) && IsNoOp(graph_, node, floats_) && Bypass(node);
      if (drop) Record(graph_, "drop_no_ops", node.name, "removed: this " + node.op + " does nothing");
      if (!drop && !node.outputs.empty() && MakesFloats(node, floats_)) floats_.insert(node.outputs[0]);
      return drop;
    });
    for (Node& node : graph_.nodes) {
      for (std::string& input : node.inputs) Replace(input, renamed_);
      for (std::string& output : node.outputs) Replace(output, renamed_);
    }
  }

 private:
  using Renaming = std::unordered_map<std::string, std::string>;

  static void Replace(std::string& name, const Renaming& by) {
    if (const auto found = by.find(name); found != by.end()) name = found->second;
  }

  // Says who stands for the node's output; false if nobody can.
  bool Bypass(const Node& node) {
    const std::string& input = node.inputs[0];
    const std::string& output = node.outputs[0];
    if (!uses_.IsModelOutput(output)) {
      stands_for_[output] = input;
      return true;
    }
    if (fixed_.contains(input) || graph_.constants.contains(input) || !renamed_.emplace(input, output).second) {
      return false;
    }
    stands_for_[output] = input;
    return true;
  }

  Graph& graph_;
  Uses uses_;
  Names fixed_;   // inputs and outputs of the model
  Names floats_;  // values known to hold floats
  Renaming stands_for_;
  Renaming renamed_;  // once all nodes have been seen
};

}  // namespace

void DropNoOps(Graph& graph) { Dropper(graph).Run(); }

}  // namespace halfwave
