#include "model/engine/builder.h"

#include <utility>

#include "model/base/status_macros.h"
#include "model/layers/layout_change.h"

namespace halfwave {

size_t Builder::NewBuffer(int64_t elements, int64_t first_step) {
  plan_.buffers.push_back({elements, first_step, first_step, 0});
  pending_reads_.push_back(0);
  is_input_.push_back(first_step < 0);
  return plan_.buffers.size() - 1;
}

void Builder::Define(const std::string& name, Value value) {
  pending_reads_[value.buffer] += reads_[name];
  values_[name] = std::move(value);
}

Value Builder::Take(size_t index) {
  const Value& value = values_.at(node_->inputs[index]);
  --pending_reads_[value.buffer];
  return value;
}

Value Builder::ToLayout(const Value& value, bool channels_last) {
  Value result = value;
  result.channels_last = channels_last;
  const RowLayout layout = value.layout();
  if (channels_last ? layout.IsChannelsLast() : layout.IsRowMajor()) return result;
  auto change = std::make_unique<LayoutChange>(channels_last ? layout.channels : layout.positions,
                                               channels_last ? layout.positions : layout.channels);
  result.buffer = AddStep(std::move(change), {value}, layout.elements());
  return result;
}

size_t Builder::AddStep(std::unique_ptr<const Layer> layer, const std::vector<Value>& inputs, int64_t output_elements) {
  Step step;
  for (const Value& input : inputs) {
    step.inputs.push_back(input.buffer);
    plan_.buffers[input.buffer].last_step = next_step();
  }
  const size_t first = inputs[0].buffer;
  const bool in_place = layer->WorksInPlace() && pending_reads_[first] == 0 && !is_input_[first];
  step.output = in_place ? first : NewBuffer(output_elements, next_step());
  step.layer = std::move(layer);
  plan_.steps.push_back(std::move(step));
  return plan_.steps.back().output;
}

void Builder::Emit(std::unique_ptr<const Layer> layer, const std::vector<Value>& inputs, bool channels_last) {
  const size_t buffer = AddStep(std::move(layer), inputs, RowElements(output_shape()));
  const bool same_order = output_shape() == inputs[0].shape && node_->op != "Transpose";
  const bool features_last =
      output_shape().size() > 2 && (node_->op == "MatMul" || (same_order && inputs[0].features_last));
  Define(node_->outputs[0], {buffer, output_shape(), channels_last, features_last});
}

void Builder::EmitActivation(std::unique_ptr<const Layer> layer, const Value& input, ActivationFamily family) {
  RowLayout layout = input.layout();
  if (input.features_last) layout = {input.shape.back(), layout.elements() / input.shape.back(), true};
  Emit(std::move(layer), {input}, input.channels_last);
  plan_.steps.back().activation = {plan_.activations.size(), layout};
  plan_.activations.push_back(
      {node_->name, node_->op, family, layout.channels, layout.elements(), input.shape.size() > 2});
}

void Builder::Alias(const Value& input) {
  // Behind a change of shape the layout is row-major, whatever it was called before.
  const bool same_shape = output_shape() == input.shape;
  Define(node_->outputs[0],
         {input.buffer, output_shape(), input.channels_last && same_shape, input.features_last && same_shape});
}

absl::StatusOr<Plan> Builder::Build(const OperatorTable& table) {
  for (const Node& node : graph_.nodes) {
    for (const std::string& input : node.inputs) ++reads_[input];
  }
  for (const GraphValue& output : graph_.outputs) ++reads_[output.name];
  for (const GraphValue& input : graph_.inputs) {
    const size_t buffer = NewBuffer(RowElements(input.shape), -1);
    plan_.inputs.push_back(buffer);
    Define(input.name, {buffer, input.shape, false});
  }
  for (const Node& node : graph_.nodes) {
    node_ = &node;
    HALFWAVE_RETURN_IF_ERROR(table.at(node.op)(*this));
  }
  TakeOutputs();
  PlaceBuffers(plan_);
  return std::move(plan_);
}

void Builder::TakeOutputs() {
  for (const GraphValue& output : graph_.outputs) {
    const Value value = ToLayout(values_.at(output.name), false);
    plan_.outputs.push_back(value.buffer);
  }
  for (const size_t buffer : plan_.outputs) plan_.buffers[buffer].last_step = next_step();
}

}  // namespace halfwave
