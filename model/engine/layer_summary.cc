#include "model/engine/layer_summary.h"

#include "model/graph/cost.h"
#include "model/graph/free_batch.h"
#include "model/graph/shape_inference.h"
#include "model/graph/uses.h"

namespace halfwave {

std::vector<LayerSummary> SummarizeLayers(const Graph& graph, const TypeMap& types, const ConstantMap* folded) {
  std::vector<LayerSummary> layers;
  for (const Node& node : graph.nodes) {
    const auto type = node.outputs.empty() ? types.end() : types.find(node.outputs[0]);
    if (type == types.end()) continue;
    const NodeContext context(graph, node, types, folded);
    LayerSummary layer{.name = node.name,
                       .op = OperatorName(node),
                       .stands_for = "",
                       .inputs = {},
                       .outputs = node.outputs,
                       .shape = ShapeWithBatch(type->second.shape)};
    if (const auto* op = FindAttribute<std::string>(node, "op"); op && node.op == kObserve) layer.stands_for = *op;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (const Constant* constant = context.FindConstant(i)) {
        layer.parameters += static_cast<int64_t>(constant->floats.size());
      } else if (context.Has(i)) {
        layer.inputs.push_back(node.inputs[i]);
      }
    }
    layer.multiply_adds = MultiplyAdds(context, {type->second});
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace halfwave
