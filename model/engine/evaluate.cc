#include "model/engine/evaluate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/finite.h"
#include "model/base/status_macros.h"
#include "model/engine/lowering.h"
#include "model/graph/cost.h"
#include "model/tensor/aligned_buffer.h"

namespace halfwave {
namespace {

constexpr double kMaxSteps = 1e9;
constexpr int64_t kLargestExact = int64_t{1} << 24;

// The node alone, with its constants.
absl::StatusOr<Graph> GraphOfNode(const NodeContext& context, const Types& types) {
  Graph graph;
  graph.opset = context.opset();
  graph.nodes = {context.node()};
  for (size_t i = 0; i < context.inputs(); ++i) {
    const Constant* constant = context.FindConstant(i);
    if (constant == nullptr) continue;
    const bool is_data = i == 0 || context.node().op != "Slice";  // whose ends may be as large as can be
    const auto too_large = [](int64_t value) { return value > kLargestExact || value < -kLargestExact; };
    if (is_data && IsInteger(types[0].type) && std::any_of(constant->ints.begin(), constant->ints.end(), too_large)) {
      return context.Unsupported("computes with constant integers above 2^24");
    }
    graph.constants[context.node().inputs[i]] = *constant;
  }
  for (size_t i = 0; i < std::min(types.size(), context.node().outputs.size()); ++i) {
    const std::string& name = context.node().outputs[i];
    if (!name.empty()) graph.outputs.push_back({name, types[i].shape, types[i].type, {}});
  }
  return graph;
}

void RunPlan(const Plan& plan, AlignedBuffer& memory) {
  int64_t scratch_elements = 0;
  for (const Step& step : plan.steps) scratch_elements = std::max(scratch_elements, step.layer->ScratchElements(1));
  AlignedBuffer scratch(scratch_elements);
  std::vector<const float*> inputs;
  for (const Step& step : plan.steps) {
    inputs.clear();
    for (const size_t buffer : step.inputs) inputs.push_back(memory.data() + plan.buffers[buffer].offset);
    step.layer->Run({1, inputs, memory.data() + plan.buffers[step.output].offset, scratch.data()});
  }
}

Constant ToConstant(const GraphValue& value, const float* data) {
  Constant constant;
  constant.type = value.type;
  constant.shape = value.shape;
  const int64_t count = RowElements(value.shape);
  if (IsFloat(value.type)) {
    constant.floats.assign(data, data + count);
  } else {
    std::transform(data, data + count, std::back_inserter(constant.ints),
                   [](float number) { return static_cast<int64_t>(std::llround(number)); });
  }
  return constant;
}

}  // namespace

absl::StatusOr<std::vector<Constant>> EvaluateNode(const NodeContext& context, const Types& types) {
  if (Steps(context, types) > kMaxSteps) {
    return context.Error(absl::StatusCode::kResourceExhausted,
                         absl::StrCat("works on constants alone and would take more than ", kMaxSteps,
                                      " steps at load; compute it before the export"));
  }
  HALFWAVE_ASSIGN_OR_RETURN(const Graph graph, GraphOfNode(context, types));
  TypeMap type_map;
  for (const GraphValue& output : graph.outputs) type_map[output.name] = {output.type, output.shape};
  HALFWAVE_ASSIGN_OR_RETURN(const Plan plan, Lower(graph, type_map));
  AlignedBuffer memory(plan.elements_per_row);
  RunPlan(plan, memory);
  std::vector<Constant> results(context.node().outputs.size());
  size_t next = 0;
  for (Constant& result : results) {
    const size_t index = static_cast<size_t>(&result - results.data());
    if (context.node().outputs[index].empty() || index >= types.size()) continue;
    result = ToConstant(graph.outputs[next], memory.data() + plan.buffers[plan.outputs[next]].offset);
    ++next;
    if (!AllFinite(result.floats)) {
      return context.Invalid("makes a constant that is not finite");
    }
  }
  return results;
}

absl::StatusOr<Known> FindConstants(const Graph& graph) {
  int64_t elements = int64_t{1} << 26;
  for (const auto& [name, constant] : graph.constants) elements += static_cast<int64_t>(constant.floats.size());
  return FindConstants(graph, EvaluateNode, elements);
}

}  // namespace halfwave
