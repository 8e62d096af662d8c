#include "model/analysis/linear_node.h"

#include "model/graph/uses.h"

namespace halfwave {
namespace {

template <typename T>
T AttributeOr(const Node& node, const char* name, T fallback) {
  const T* value = FindAttribute<T>(node, name);
  return value == nullptr ? fallback : *value;
}

// A bias of one number for each unit, or one for all; false if it is anything else.
bool TakeBias(const GraphView& view, const Node& node, LinearNode& linear) {
  if (!HasInput(node, 2)) return true;
  linear.bias = view.ConstantInput(node, 2);
  if (linear.bias == nullptr) return false;
  const auto size = static_cast<int64_t>(linear.bias->floats.size());
  const bool by_unit = !linear.bias->shape.empty() && linear.bias->shape.back() == linear.units;
  return size == 1 || (size == linear.units && by_unit);
}

}  // namespace

std::optional<LinearNode> AsLinear(const GraphView& view, const Node& node) {
  if (!IsOneOf(node, {"Gemm", "MatMul", "Conv"})) return std::nullopt;
  LinearNode linear;
  linear.node = &node;
  linear.weights = view.ConstantInput(node, 1);
  if (linear.weights == nullptr || linear.weights->floats.empty() || view.ConstantInput(node, 0) != nullptr) {
    return std::nullopt;
  }
  const Shape& shape = linear.weights->shape;
  if (node.op == "Conv") {
    if (shape.size() < 3) return std::nullopt;
    linear.is_conv = true;
    linear.units = shape[0];
    linear.inputs = shape[1];
    linear.groups = AttributeOr<int64_t>(node, "group", 1);
    for (size_t i = 2; i < shape.size(); ++i) linear.taps *= shape[i];
    linear.input_stride = linear.taps;
    linear.unit_stride = linear.inputs * linear.taps;
    if (linear.groups < 1 || linear.units % linear.groups != 0) return std::nullopt;
  } else {
    if (shape.size() != 2) return std::nullopt;
    const bool transposed = node.op == "Gemm" && AttributeOr<int64_t>(node, "transB", 0) != 0;
    if (node.op == "Gemm") {
      if (AttributeOr<int64_t>(node, "transA", 0) != 0) return std::nullopt;
      linear.scale = AttributeOr(node, "alpha", 1.0f);
      linear.bias_scale = AttributeOr(node, "beta", 1.0f);
    }
    linear.units = shape[transposed ? 0 : 1];
    linear.inputs = shape[transposed ? 1 : 0];
    linear.unit_stride = transposed ? linear.inputs : 1;
    linear.input_stride = transposed ? 1 : linear.units;
  }
  if (node.op != "MatMul" && !TakeBias(view, node, linear)) return std::nullopt;
  return linear;
}

bool MayUseWinograd(const LinearNode& linear) {
  const Shape& shape = linear.weights->shape;
  if (!linear.is_conv || shape.size() != 4 || shape[2] != 3 || shape[3] != 3 || linear.groups != 1) return false;
  for (const char* name : {"strides", "dilations"}) {
    const auto* steps = FindAttribute<std::vector<int64_t>>(*linear.node, name);
    if (steps != nullptr && *steps != std::vector<int64_t>{1, 1}) return false;
  }
  return true;
}

}  // namespace halfwave
