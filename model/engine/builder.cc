#include "model/engine/builder.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/uses.h"
#include "model/layers/fill.h"
#include "model/layers/layout_change.h"
#include "model/layers/nothing.h"

namespace halfwave {

size_t Builder::NewBuffer(int64_t elements, int64_t first_step) {
  plan_.buffers.push_back({elements, first_step, first_step, 0});
  pending_reads_.push_back(0);
  is_input_.push_back(first_step < 0);
  return plan_.buffers.size() - 1;
}

void Builder::Define(const std::string& name, Value value) {
  const auto reads = reads_.find(name);
  pending_reads_[value.buffer] += reads == reads_.end() ? 0 : reads->second;
  values_[name] = std::move(value);
}

absl::Status Builder::ExpectStorable(const std::vector<float>& weights) const {
  constexpr float kFirstInfinite = 65520;  // once rounded
  if (options_.weights == WeightFormat::kFloat) return absl::OkStatus();
  const auto too_large =
      std::find_if(weights.begin(), weights.end(), [](float weight) { return std::abs(weight) >= kFirstInfinite; });
  if (too_large == weights.end()) return absl::OkStatus();
  return context().Error(
      absl::StatusCode::kFailedPrecondition,
      absl::StrCat("weight '", node_->inputs[1], "' holds ", *too_large, " (element ", too_large - weights.begin(),
                   "), and half precision holds 65504 at most; serve this model with weights in fp32"));
}

bool Builder::OutputIsUsed(size_t index) const {
  return index < node_->outputs.size() && !node_->outputs[index].empty() && reads_.contains(node_->outputs[index]);
}

Value Builder::FillWith(const Constant& constant) {
  Value value;
  value.type = constant.type;
  value.shape = constant.shape;
  std::vector<float> values = constant.floats;
  for (const int64_t number : constant.ints) values.push_back(static_cast<float>(number));
  value.buffer = AddStep(std::make_unique<Fill>(std::move(values)), {}, value.elements());
  return value;
}

Value Builder::Take(size_t index) {
  const std::string& name = node_->inputs[index];
  if (const auto constant = graph_.constants.find(name); constant != graph_.constants.end()) {
    return FillWith(constant->second);
  }
  const Value& value = values_.at(name);
  --pending_reads_[value.buffer];
  return Unflattened(value);
}

Value Builder::TakeForDense(size_t index) {
  const auto value = values_.find(node_->inputs[index]);
  if (value == values_.end() || value->second.flattened_positions == 1) return TakeRowMajor(index);
  --pending_reads_[value->second.buffer];
  return value->second;
}

bool Builder::Flatten(const Value& input) {
  const RowLayout layout = input.layout();
  if (layout.IsRowMajor() || layout.elements() == 0) return false;
  if (OutputShape() != Shape{layout.images, layout.channels * layout.positions}) return false;
  Value output;
  output.buffer = input.buffer;
  output.type = OutputType();
  output.shape = OutputShape();
  output.flattened_positions = layout.positions;
  Define(node_->outputs[0], std::move(output));
  return true;
}

// The same, row-major.
Value Builder::Unflattened(const Value& value) {
  if (value.flattened_positions == 1) return value;
  const int64_t channels = value.shape[1] / value.flattened_positions;
  Value result = value;
  result.flattened_positions = 1;
  result.buffer = AddStep(std::make_unique<LayoutChange>(value.shape[0], value.flattened_positions, channels), {value},
                          value.elements());
  return result;
}

Value Builder::ToLayout(const Value& value, bool channels_last) {
  Value result = value;
  result.channels_last = channels_last;
  const RowLayout layout = value.layout();
  if (channels_last ? layout.IsChannelsLast() : layout.IsRowMajor()) return result;
  auto change = std::make_unique<LayoutChange>(layout.images, channels_last ? layout.channels : layout.positions,
                                               channels_last ? layout.positions : layout.channels);
  result.buffer = AddStep(std::move(change), {value}, layout.elements());
  return result;
}

std::vector<size_t> Builder::CurrentNode() const {
  if (node_ == nullptr) return {};
  return {static_cast<size_t>(node_ - graph_.nodes.data())};
}

size_t Builder::AddStep(std::unique_ptr<Layer> layer, const std::vector<Value>& inputs, int64_t output_elements) {
  Step step;
  for (const Value& input : inputs) {
    step.inputs.push_back(input.buffer);
    plan_.buffers[input.buffer].last_step = next_step();
  }
  bool in_place = !inputs.empty() && layer->WorksInPlace();
  if (in_place) {
    const size_t first = inputs[0].buffer;
    in_place = pending_reads_[first] == 0 && !is_input_[first] &&
               std::count(step.inputs.begin() + 1, step.inputs.end(), first) == 0;
  }
  step.output = in_place ? inputs[0].buffer : NewBuffer(output_elements, next_step());
  step.layer = std::move(layer);
  step.nodes = CurrentNode();
  plan_.steps.push_back(std::move(step));
  return plan_.steps.back().output;
}

void Builder::Emit(std::unique_ptr<Layer> layer, const std::vector<Value>& inputs, bool channels_last, size_t index) {
  Value output;
  output.shape = OutputShape(index);
  output.type = OutputType(index);
  output.channels_last = channels_last;
  output.buffer = AddStep(std::move(layer), inputs, output.elements());
  const bool same_order = !inputs.empty() && output.shape == inputs[0].shape && node_->op != "Transpose";
  const bool dense = node_->op == "MatMul" || node_->op == kDense;
  // What works on channels makes them the units, and counting relies on features lying last in memory.
  const bool passed_on = same_order && inputs[0].features_last && !channels_last;
  output.features_last = output.shape.size() > 2 && (dense || passed_on);
  Define(node_->outputs[index], std::move(output));
}

Value Builder::EmitTemporary(std::unique_ptr<Layer> layer, const std::vector<Value>& inputs, Shape shape,
                             bool channels_last) {
  Value value;
  value.shape = std::move(shape);
  value.channels_last = channels_last;
  value.features_last = !channels_last && !inputs.empty() && inputs[0].features_last && inputs[0].shape == value.shape;
  value.buffer = AddStep(std::move(layer), inputs, value.elements());
  return value;
}

RowLayout Builder::UnitLayout(const Value& value) {
  const RowLayout layout = value.layout();
  if (!value.features_last) return layout;
  return {1, value.shape.back(), layout.elements() / value.shape.back(), true};
}

void Builder::Count(const Value& input, const std::string& op, ActivationFamily family, bool only_observed) {
  const RowLayout layout = UnitLayout(input);
  plan_.steps.back().activation = {plan_.activations.size(), layout, only_observed};
  plan_.activations.push_back({node_->name, op, family, layout.channels, layout.elements(), input.shape.size() > 2});
}

void Builder::EmitActivation(std::unique_ptr<Layer> layer, const Value& input, ActivationFamily family) {
  Emit(std::move(layer), {input}, input.channels_last);
  if (IsCounted(*node_)) Count(input, node_->op, family, false);
}

bool Builder::FuseActivation(const kernels::Activation& activation, const Value& input,
                             std::optional<ActivationFamily> family) {
  // Whoever read the value before, be it as another shape or to count it, has a step behind the one that computes it.
  if (plan_.steps.empty() || plan_.steps.back().output != input.buffer || pending_reads_[input.buffer] != 0)
    return false;
  if (family && !options_.fuse_activations) return false;
  const bool counted = family && IsCounted(*node_);
  const RowLayout layout = UnitLayout(input);
  if (plan_.steps.back().activation || !plan_.steps.back().layer->Fuse(activation, counted ? &layout : nullptr)) {
    return false;
  }
  if (counted) {
    Count(input, node_->op, *family, false);
    plan_.steps.back().activation->fused = true;
  }
  plan_.steps.back().nodes.push_back(CurrentNode().front());
  Alias(input);
  return true;
}

bool Builder::FuseSum(const Value& a, const Value& b) {
  if (plan_.steps.empty() || a.shape != b.shape || a.channels_last != b.channels_last || a.buffer == b.buffer) {
    return false;
  }
  Step& step = plan_.steps.back();
  if (step.output == b.buffer && step.output != a.buffer) return FuseSum(b, a);
  const bool only_read_here = step.output == a.buffer && pending_reads_[a.buffer] == 0;
  if (!only_read_here || step.activation || !step.layer->FuseSum()) return false;
  plan_.buffers[b.buffer].last_step = std::max(plan_.buffers[b.buffer].last_step, next_step() - 1);
  step.inputs.push_back(b.buffer);
  step.nodes.push_back(CurrentNode().front());
  Alias(a);
  return true;
}

bool Builder::FuseMaxPool(const Value& input) {
  if (plan_.steps.empty() || plan_.steps.back().output != input.buffer || pending_reads_[input.buffer] != 0)
    return false;
  if (!plan_.steps.back().layer->FuseMaxPool()) return false;
  plan_.steps.back().nodes.push_back(CurrentNode().front());
  Value output = input;
  output.shape = OutputShape();
  plan_.buffers[output.buffer].elements = output.elements();
  Define(node_->outputs[0], std::move(output));
  return true;
}

void Builder::Observe(const Value& input, const std::string& op, ActivationFamily family) {
  Step step;
  step.inputs = {input.buffer};
  step.output = input.buffer;
  plan_.buffers[input.buffer].last_step = next_step();
  step.layer = std::make_unique<Nothing>();
  step.nodes = CurrentNode();
  plan_.steps.push_back(std::move(step));
  Count(input, op, family, true);
  Alias(input);
}

void Builder::Alias(const Value& input) {
  Value output = input;
  output.shape = OutputShape();
  output.type = OutputType();
  // Behind a change of shape the layout is row-major, whatever it was called before.
  const bool same_shape = output.shape == input.shape;
  output.channels_last = input.channels_last && same_shape;
  output.features_last = input.features_last && same_shape;
  Define(node_->outputs[0], std::move(output));
}

void Builder::AliasStrings(const Value& indices, const Constant* strings) {
  Value named = indices;
  named.strings = strings;
  Alias(named);
}

// Layers keep weights in their own order, each its own copy, and some a map of their output: many small nodes of a
// small file could ask for all memory there is.
absl::Status Builder::ChargeForPreparation() {
  constexpr int64_t kFree = int64_t{1} << 26;
  constexpr std::string_view kKeepMaps[] = {
      "BatchNormalization", "DepthToSpace", "Gather", "GatherElements", "GatherND", "Pad", "Resize",
      "SpaceToDepth",       "Tile",         "Trilu",  "Upsample"};
  for (const std::string& input : node_->inputs) {
    const auto constant = graph_.constants.find(input);
    if (constant != graph_.constants.end()) prepared_ += RowElements(constant->second.shape);
  }
  if (std::find(std::begin(kKeepMaps), std::end(kKeepMaps), node_->op) != std::end(kKeepMaps)) {
    prepared_ += 2 * RowElements(OutputShape());
  }
  if (prepared_ <= kFree + 4 * in_file_) return absl::OkStatus();
  return context().Error(absl::StatusCode::kResourceExhausted,
                         absl::StrCat("with all before it keeps ", prepared_, " numbers for the arithmetic of ",
                                      in_file_, " weights, which many nodes share; export the weights once for each"));
}

absl::StatusOr<Plan> Builder::Build(const OperatorTable& table) {
  for (const Node& node : graph_.nodes) {
    for (const std::string& input : node.inputs) ++reads_[input];
  }
  for (const GraphValue& output : graph_.outputs) ++reads_[output.name];
  for (const auto& [name, constant] : graph_.constants) in_file_ += RowElements(constant.shape);
  for (const GraphValue& input : graph_.inputs) {
    Value value;
    value.shape = RowShape(input.shape);
    value.type = input.type;
    value.buffer = NewBuffer(value.elements(), -1);
    plan_.inputs.push_back(value.buffer);
    Define(input.name, std::move(value));
  }
  for (const Node& node : graph_.nodes) {
    node_ = &node;
    const std::string name = OperatorName(node);
    HALFWAVE_RETURN_IF_ERROR(ChargeForPreparation());
    HALFWAVE_RETURN_IF_ERROR(table.at(name)(*this));
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (!OutputIsUsed(i) || values_.contains(node.outputs[i])) continue;
      return context().Unsupported(
          absl::StrCat("its output ", i, " '", node.outputs[i], "' is read; only the first is supported"));
    }
  }
  TakeOutputs();
  CutIntoBlocks(plan_);
  PlaceBuffers(plan_);
  return std::move(plan_);
}

void Builder::TakeOutputs() {
  node_ = nullptr;
  for (const GraphValue& output : graph_.outputs) {
    const auto constant = graph_.constants.find(output.name);
    const Value value = constant != graph_.constants.end() ? FillWith(constant->second)
                                                           : ToLayout(Unflattened(values_.at(output.name)), false);
    plan_.outputs.push_back(value.buffer);
    plan_.output_strings.push_back(value.strings == nullptr ? std::vector<std::string>() : value.strings->strings);
  }
  for (const size_t buffer : plan_.outputs) plan_.buffers[buffer].last_step = next_step();
}

}  // namespace halfwave
