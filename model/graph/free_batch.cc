#include "model/graph/free_batch.h"

#include "absl/strings/str_cat.h"

namespace halfwave {

absl::StatusOr<bool> FreeBatch(Graph& graph) {
  int64_t fixed = kBatch;
  for (GraphValue& input : graph.inputs) {
    if (!input.shape.empty() && input.shape[0] != kBatch) {
      if (fixed != kBatch && fixed != input.shape[0]) {
        return absl::UnimplementedError(absl::StrCat("input '", input.name, "' has a first dimension of ",
                                                     input.shape[0], " and another input one of ", fixed,
                                                     "; export the model with one open (dynamic) batch for all"));
      }
      fixed = input.shape[0];
      input.shape[0] = kBatch;
    }
  }
  if (fixed == kBatch) return false;
  for (GraphValue& output : graph.outputs) {
    if (!output.shape.empty()) output.shape[0] = kBatch;
  }
  for (const Node& node : graph.nodes) {
    if (node.op != "Reshape" || node.inputs.size() != 2 || graph.constants.contains(node.inputs[0])) continue;
    const auto target = graph.constants.find(node.inputs[1]);
    if (target != graph.constants.end() && !target->second.ints.empty() && target->second.ints[0] == fixed) {
      target->second.ints[0] = 0;
    }
  }
  return true;
}

}  // namespace halfwave
