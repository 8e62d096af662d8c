#include "model/graph/fold_constants.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/batch_symbol.h"
#include "model/graph/fold_integers.h"
#include "model/graph/shape_inference.h"
#include "model/graph/uses.h"

namespace halfwave {
namespace {

// Whether all inputs are constants that do not depend on the size of the batch.
bool InputsAreKnown(const NodeContext& context) {
  for (size_t i = 0; i < context.inputs(); ++i) {
    if (!context.Has(i)) continue;
    const Constant* constant = context.FindConstant(i);
    if (constant == nullptr || constant->type == DataType::kString || DependsOnBatch(*constant)) return false;
  }
  return context.inputs() > 0;
}

// Where a shape is expected the size of the batch may stand; as a number to compute with nobody knows it.
absl::Status ExpectNoBatchAsData(const NodeContext& context) {
  const std::string& op = context.node().op;
  for (size_t i = 0; i < context.inputs(); ++i) {
    if (i == 1 && (op == "Reshape" || op == "Expand")) continue;
    if ((i == 2 && op == "Slice") || (i == 3 && op == "Resize")) continue;
    const Constant* constant = context.FindConstant(i);
    if (constant != nullptr && DependsOnBatch(*constant)) {
      return context.Unsupported("computes with the size of the batch");
    }
  }
  return absl::OkStatus();
}

int64_t Elements(const Types& types) {
  int64_t elements = 0;
  for (const TensorType& type : types) elements += RowElements(type.shape);
  return elements;
}

}  // namespace

absl::StatusOr<Known> FindConstants(const Graph& graph, const Evaluate& evaluate, int64_t max_elements) {
  Known known;
  auto& [types, values] = known;
  int64_t elements = 0;
  for (const GraphValue& input : graph.inputs) types[input.name] = {input.type, input.shape};
  for (const Node& node : graph.nodes) {
    const NodeContext context(graph, node, types, &values);
    if (std::optional<Constant> value = FoldIntegers(context); value && !node.outputs.empty()) {
      elements += NumElements(value->shape).value_or(0);
      values[node.outputs[0]] = *std::move(value);
    } else {
      HALFWAVE_RETURN_IF_ERROR(ExpectNoBatchAsData(context));
      HALFWAVE_ASSIGN_OR_RETURN(Types outputs, InferNode(context));
      std::vector<Constant> results;
      if (InputsAreKnown(context)) {
        elements += Elements(outputs);
        if (elements <= max_elements) {
          HALFWAVE_ASSIGN_OR_RETURN(results, evaluate(context, outputs));
        }
      }
      for (size_t i = 0; i < std::min(outputs.size(), node.outputs.size()); ++i) {
        if (node.outputs[i].empty()) continue;
        if (i < results.size()) {
          values[node.outputs[i]] = std::move(results[i]);
        } else {
          types[node.outputs[i]] = std::move(outputs[i]);
        }
      }
    }
    if (elements > max_elements) {
      return context.Error(absl::StatusCode::kResourceExhausted,
                           absl::StrCat("what can be computed at load would take ", elements,
                                        " numbers up to here, at most ", max_elements, " are allowed"));
    }
  }
  for (const GraphValue& output : graph.outputs) {
    const auto found = values.find(output.name);
    if (found != values.end() && DependsOnBatch(found->second)) {
      return absl::UnimplementedError(absl::StrCat("output '", output.name, "' of the model is the size of the batch"));
    }
  }
  return known;
}

void FoldConstants(Graph& graph, ConstantMap values) {
  const auto is_known = [&](const Node& node) { return !node.outputs.empty() && values.contains(node.outputs[0]); };
  for (const Node& node : graph.nodes) {
    if (is_known(node)) Record(graph, "fold_constants", node.name, "computed at load");
  }
  std::erase_if(graph.nodes, is_known);
  graph.constants.merge(values);
}

}  // namespace halfwave
