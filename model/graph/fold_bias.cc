#include "model/graph/fold_bias.h"

#include "model/graph/fold_into_linear.h"

namespace halfwave {

void FoldBias(Graph& graph) {
  if (graph.opset < 7) return;  // other rules of broadcasting
  const auto affine_of = [&](const Node& node, size_t index,
                             const LinearOutput& linear) -> std::optional<ChannelAffine> {
    const bool adds = node.op == "Add", subtracts = node.op == "Sub";
    const bool multiplies = node.op == "Mul", divides = node.op == "Div";
    if (!adds && !subtracts && !multiplies && !divides) return std::nullopt;
    if (node.inputs.size() != 2 || (divides && index == 1)) return std::nullopt;
    const auto constant = graph.constants.find(node.inputs[1 - index]);
    if (constant == graph.constants.end()) return std::nullopt;
    auto values = PerChannel(constant->second, linear);
    if (!values) return std::nullopt;
    if (subtracts && index == 0) {
      for (double& value : *values) value = -value;
    } else if (divides) {
      for (double& value : *values) value = 1 / value;
    }
    if (multiplies || divides) return ChannelAffine{*std::move(values), {}};
    const bool negates = subtracts && index == 1;
    return ChannelAffine{std::vector<double>(negates ? linear.channels : 0, -1.0), *std::move(values)};
  };
  FoldIntoLinear(graph, "fold_bias", affine_of);
}

}  // namespace halfwave
