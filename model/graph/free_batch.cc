#include "model/graph/free_batch.h"

#include <algorithm>

namespace halfwave {

bool OpenBatch(Graph& graph) {
  const auto size = [](const GraphValue& input) { return input.shape.empty() ? 0 : input.shape[0]; };
  const int64_t fixed = graph.inputs.empty() ? 0 : size(graph.inputs[0]);
  const bool all_alike = std::all_of(graph.inputs.begin(), graph.inputs.end(),
                                     [&](const GraphValue& input) { return size(input) == fixed; });
  if (fixed < 1 || !all_alike) return false;
  graph.fixed_batch = fixed;
  for (GraphValue& input : graph.inputs) input.shape[0] = kBatch;
  return true;
}

void CloseBatch(Graph& graph) {
  for (GraphValue& input : graph.inputs) {
    if (!input.shape.empty() && input.shape[0] == kBatch) input.shape[0] = std::max<int64_t>(1, graph.fixed_batch);
  }
  graph.fixed_batch = 0;
}

Shape ShapeWithBatch(const Shape& shape) {
  Shape result = RowShape(shape);
  const bool leads = !result.empty() && result[0] == 1;
  if (!leads) result.insert(result.begin(), 1);
  result[0] = kBatch;
  return result;
}

}  // namespace halfwave
