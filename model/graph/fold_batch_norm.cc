#include "model/graph/fold_batch_norm.h"

#include <cmath>
#include <iterator>
#include <string_view>
#include <unordered_set>

#include "model/graph/fold_into_linear.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

using Names = std::unordered_set<std::string>;

bool HasAttribute(const Graph& graph, const Node& node, const char* name, int64_t fallback, int64_t value) {
  const auto found = GetAttribute<int64_t>(graph, node, name, fallback);
  return found.ok() && *found == value;
}

// Each opset has its own way to say that the running statistics are used, and per channel.
bool IsPlain(const Graph& graph, const Node& node) {
  if (node.op != "BatchNormalization" || node.inputs.size() != 5) return false;
  if (graph.opset < 7 && !HasAttribute(graph, node, "is_test", 0, 1)) return false;
  if (graph.opset < 9 && !HasAttribute(graph, node, "spatial", 1, 1)) return false;
  return HasAttribute(graph, node, "training_mode", 0, 0);
}

// Values of rank 2, as far as that is plain.
Names FindRankTwo(const Graph& graph) {
  constexpr std::string_view kKeepRank[] = {"BatchNormalization", "Dropout", "Elu",    "Identity",
                                            "LeakyRelu",          "Relu",    "Selu",   "Sigmoid",
                                            "Softplus",           "Tanh",    kObserve, kDense};
  Names names;
  for (const GraphValue& input : graph.inputs) {
    if (input.shape.size() == 2) names.insert(input.name);
  }
  for (const Node& node : graph.nodes) {
    if (node.outputs.empty() || !HasInput(node, 0)) continue;
    bool is_two = node.op == "Flatten" || node.op == "Gemm";
    for (const std::string_view op : kKeepRank) is_two |= op == node.op && names.contains(node.inputs[0]);
    if (node.op == "MatMul" && HasInput(node, 1) && names.contains(node.inputs[0])) {
      const auto weights = graph.constants.find(node.inputs[1]);
      is_two = weights != graph.constants.end() && weights->second.shape.size() == 2;
    }
    if (node.op == "Reshape" && HasInput(node, 1)) {
      const auto target = graph.constants.find(node.inputs[1]);
      is_two = target != graph.constants.end() && target->second.ints.size() == 2;
    }
    if (is_two) names.insert(node.outputs[0]);
  }
  return names;
}

}  // namespace

void FoldBatchNorm(Graph& graph) {
  const Names rank_two = FindRankTwo(graph);
  const auto affine_of = [&](const Node& node, size_t index,
                             const LinearOutput& linear) -> std::optional<ChannelAffine> {
    if (index != 0 || !IsPlain(graph, node)) return std::nullopt;
    if (linear.channels_last && linear.rank != 2u && !rank_two.contains(node.inputs[0])) return std::nullopt;
    const Constant* parameters[4];
    for (size_t i = 0; i < 4; ++i) {
      const auto constant = ConstantInput(graph, node, i + 1, DataType::kFloat, "parameter");
      if (!constant.ok() || (*constant)->shape != Shape{linear.channels} ||
          (*constant)->floats.size() != static_cast<size_t>(linear.channels)) {
        return std::nullopt;
      }
      parameters[i] = *constant;
    }
    const auto& [gamma, beta, mean, variance] = parameters;
    const auto epsilon = GetAttribute<float>(graph, node, "epsilon", 1e-5f);
    if (!epsilon.ok()) return std::nullopt;
    ChannelAffine affine;
    for (int64_t i = 0; i < linear.channels; ++i) {
      const double factor = gamma->floats[i] / std::sqrt(static_cast<double>(variance->floats[i]) + *epsilon);
      const double offset = beta->floats[i] - mean->floats[i] * factor;
      if (!std::isfinite(static_cast<float>(factor)) || !std::isfinite(static_cast<float>(offset))) {
        return std::nullopt;
      }
      affine.scale.push_back(factor);
      affine.shift.push_back(offset);
    }
    return affine;
  };
  FoldIntoLinear(graph, "fold_batch_norm", affine_of);
}

}  // namespace halfwave
