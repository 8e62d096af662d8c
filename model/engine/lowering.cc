#include "model/engine/lowering.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/window.h"
#include "model/layers/conv2d.h"
#include "model/layers/dense.h"
#include "model/layers/elementwise.h"
#include "model/layers/layout_change.h"
#include "model/layers/pool.h"

namespace halfwave {
namespace {

// Where a value of the graph lies.
struct Value {
  size_t buffer = 0;
  Shape shape;
  bool channels_last = false;
  bool features_last = false;  // the units are the last dimension: a dense layer at several positions made it

  RowLayout layout() const { return LayoutOf(shape, channels_last); }
};

// Builds the plan node by node. Values are read through Take*, which also keeps the books on who still needs a buffer.
class Builder {
 public:
  Builder(const Graph& graph, const ShapeMap& shapes) : graph_(graph), shapes_(shapes) {}

  absl::StatusOr<Plan> Build();

  // --- for the operators -------------------------------------------------------------------------------------------
  const Graph& graph() const { return graph_; }
  const Node& node() const { return *node_; }
  const Shape& output_shape() const { return shapes_.at(node_->outputs[0]); }

  absl::StatusOr<const Constant*> Weights(size_t index, const std::string& role) const {
    return ConstantInput(graph_, *node_, index, ElementType::kFloat, role);
  }
  template <typename T>
  absl::StatusOr<T> Attribute(const std::string& name, const T& fallback) const {
    return GetAttribute<T>(graph_, *node_, name, fallback);
  }

  // Input `index` in whatever layout it has, or in the one the layer needs, reordered if necessary.
  Value Take(size_t index);
  Value TakeRowMajor(size_t index) { return ToLayout(Take(index), false); }
  Value TakeChannelsLast(size_t index) { return ToLayout(Take(index), true); }

  // Adds a step that computes the node's output from values just taken.
  void Emit(std::unique_ptr<const Layer> layer, const std::vector<Value>& inputs, bool channels_last);
  // The same for an activation, which is counted.
  void EmitActivation(std::unique_ptr<const Layer> layer, const Value& input, ActivationFamily family);
  // The output is the input's memory under another shape.
  void Alias(const Value& input);

 private:
  size_t NewBuffer(int64_t elements, int64_t first_step);
  Value ToLayout(const Value& value, bool channels_last);
  size_t AddStep(std::unique_ptr<const Layer> layer, const std::vector<Value>& inputs, int64_t output_elements);
  void Define(const std::string& name, Value value);
  int64_t next_step() const { return static_cast<int64_t>(plan_.steps.size()); }
  void TakeOutputs();

  const Graph& graph_;
  const ShapeMap& shapes_;
  const Node* node_ = nullptr;
  Plan plan_;
  std::map<std::string, Value> values_;
  std::map<std::string, int64_t> reads_;  // by value: how often nodes and the model's outputs read it
  std::vector<int64_t> pending_reads_;    // by buffer: reads still to come
  std::vector<bool> is_input_;            // by buffer: filled by the caller, never overwritten
};

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
  const bool features_last = output_shape().size() > 2 &&
                             (node_->op == "MatMul" || (output_shape() == inputs[0].shape && inputs[0].features_last));
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

// --- operators -------------------------------------------------------------------------------------------------------

using Operator = absl::Status (*)(Builder&);

// weights: [in, out], or [out, in] if transposed. The result is [in, out], times `factor`.
std::vector<float> ScaledWeights(const Constant& weights, bool transposed, float factor) {
  const int64_t in = weights.shape[transposed ? 1 : 0];
  const int64_t out = weights.shape[transposed ? 0 : 1];
  std::vector<float> result(weights.floats.size());
  for (int64_t i = 0; i < in; ++i) {
    for (int64_t o = 0; o < out; ++o) {
      result[i * out + o] = factor * weights.floats[transposed ? o * in + i : i * out + o];
    }
  }
  return result;
}

absl::Status LowerGemm(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights, builder.Weights(1, "weights"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t trans_b, builder.Attribute<int64_t>("transB", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 1.0f));
  HALFWAVE_ASSIGN_OR_RETURN(const float beta, builder.Attribute<float>("beta", 1.0f));
  const Shape& output = builder.output_shape();
  std::vector<float> bias(output[1], 0.0f);
  if (HasInput(builder.node(), 2)) {
    HALFWAVE_ASSIGN_OR_RETURN(const Constant* values, builder.Weights(2, "bias"));
    bias = BroadcastToRow(values->floats, values->shape, output, false);
    for (float& value : bias) value *= beta;
  }
  const Value input = builder.TakeRowMajor(0);
  std::vector<float> scaled = ScaledWeights(*weights, trans_b != 0, alpha);
  const auto is_finite = [](float value) { return std::isfinite(value); };
  if (!std::all_of(scaled.begin(), scaled.end(), is_finite) || !std::all_of(bias.begin(), bias.end(), is_finite)) {
    return NodeError(absl::StatusCode::kInvalidArgument, builder.graph(), builder.node(),
                     "alpha or beta makes a weight that is not finite");
  }
  builder.Emit(std::make_unique<Dense>(1, RowElements(input.shape), output[1], std::move(scaled), std::move(bias)),
               {input}, false);
  return absl::OkStatus();
}

absl::Status LowerMatMul(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights, builder.Weights(1, "weights"));
  const Value input = builder.TakeRowMajor(0);
  const int64_t in = weights->shape[0];
  const int64_t out = weights->shape[1];
  builder.Emit(
      std::make_unique<Dense>(RowElements(input.shape) / in, in, out, weights->floats, std::vector<float>(out, 0.0f)),
      {input}, false);
  return absl::OkStatus();
}

absl::Status LowerAdd(Builder& builder) {
  const auto& constants = builder.graph().constants;
  const bool left = constants.contains(builder.node().inputs[0]);
  if (!left && !constants.contains(builder.node().inputs[1])) {
    const Value a = builder.Take(0);
    const Value b = a.channels_last ? builder.TakeChannelsLast(1) : builder.TakeRowMajor(1);
    builder.Emit(std::make_unique<AddInputs>(RowElements(a.shape)), {a, b}, a.channels_last);
    return absl::OkStatus();
  }
  const Value input = builder.Take(left ? 1 : 0);
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* addend, builder.Weights(left ? 0 : 1, "addend"));
  auto add = [shift = BroadcastToRow(addend->floats, addend->shape, input.shape, input.channels_last)](
                 int64_t rows, int64_t elements, const float* x, float* y) {
    kernels::AddToRows(rows, elements, shift.data(), x, y);
  };
  builder.Emit(std::make_unique<RowWise>(RowElements(input.shape), std::move(add)), {input}, input.channels_last);
  return absl::OkStatus();
}

absl::Status LowerBatchNormalization(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* gamma, builder.Weights(1, "scale"));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* beta, builder.Weights(2, "bias"));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* mean, builder.Weights(3, "mean"));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* variance, builder.Weights(4, "variance"));
  HALFWAVE_ASSIGN_OR_RETURN(const float epsilon, builder.Attribute<float>("epsilon", 1e-5f));
  std::vector<float> scale, shift;
  for (size_t i = 0; i < gamma->floats.size(); ++i) {
    const double deviation = std::sqrt(static_cast<double>(variance->floats[i]) + epsilon);
    const double factor = gamma->floats[i] / deviation;
    const double offset = beta->floats[i] - mean->floats[i] * factor;
    if (!std::isfinite(static_cast<float>(factor)) || !std::isfinite(static_cast<float>(offset))) {
      return NodeError(absl::StatusCode::kInvalidArgument, builder.graph(), builder.node(),
                       absl::StrCat("variance ", variance->floats[i], " of channel ", i, " with epsilon ", epsilon,
                                    " makes a factor or an offset that is not finite"));
    }
    scale.push_back(static_cast<float>(factor));
    shift.push_back(static_cast<float>(offset));
  }
  const Value input = builder.Take(0);
  // One value per channel: [C, 1, ...] broadcasts over the positions.
  Shape per_channel(input.shape.size() - 1, 1);
  per_channel[0] = input.shape[1];
  auto normalize = [scale = BroadcastToRow(scale, per_channel, input.shape, input.channels_last),
                    shift = BroadcastToRow(shift, per_channel, input.shape, input.channels_last)](
                       int64_t rows, int64_t elements, const float* x, float* y) {
    kernels::ScaleRows(rows, elements, scale.data(), shift.data(), x, y);
  };
  builder.Emit(std::make_unique<RowWise>(RowElements(input.shape), std::move(normalize)), {input}, input.channels_last);
  return absl::OkStatus();
}

kernels::Window2d ToWindow2d(const Window& window, const Shape& input) {
  return {.height = input[2],
          .width = input[3],
          .channels = input[1],
          .kernel_height = window.kernel[0],
          .kernel_width = window.kernel[1],
          .stride_y = window.strides[0],
          .stride_x = window.strides[1],
          .dilation_y = window.dilations[0],
          .dilation_x = window.dilations[1],
          .pad_top = window.pads_begin[0],
          .pad_left = window.pads_begin[1],
          .pad_bottom = window.pads_end[0],
          .pad_right = window.pads_end[1],
          .out_height = window.output[0],
          .out_width = window.output[1]};
}

absl::Status LowerConv(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights, builder.Weights(1, "weights"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t group, builder.Attribute<int64_t>("group", 1));
  std::vector<float> bias(weights->shape[0], 0.0f);
  if (HasInput(builder.node(), 2)) {
    HALFWAVE_ASSIGN_OR_RETURN(const Constant* values, builder.Weights(2, "bias"));
    bias = values->floats;
  }
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveWindow(builder.graph(), builder.node(), std::span(input.shape).subspan(2),
                                          std::span(weights->shape).subspan(2)));
  builder.Emit(std::make_unique<Conv2d>(ToWindow2d(window, input.shape), group, weights->shape[0], weights->floats,
                                        std::move(bias)),
               {input}, true);
  return absl::OkStatus();
}

absl::StatusOr<kernels::Window2d> PoolWindow(Builder& builder, const Value& input) {
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveWindow(builder.graph(), builder.node(), std::span(input.shape).subspan(2), {}));
  return ToWindow2d(window, input.shape);
}

absl::Status LowerMaxPool(Builder& builder) {
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window2d window, PoolWindow(builder, input));
  builder.Emit(std::make_unique<MaxPool>(window), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerAveragePool(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t count_padding, builder.Attribute<int64_t>("count_include_pad", 0));
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window2d window, PoolWindow(builder, input));
  builder.Emit(std::make_unique<AveragePool>(window, count_padding != 0), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerGlobalAveragePool(Builder& builder) {
  const Value input = builder.TakeChannelsLast(0);
  const RowLayout layout = input.layout();
  builder.Emit(std::make_unique<GlobalAveragePool>(layout.positions, layout.channels), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerSameMemory(Builder& builder) {
  builder.Alias(builder.Take(0));
  return absl::OkStatus();
}

absl::Status LowerReshape(Builder& builder) {
  builder.Alias(builder.TakeRowMajor(0));
  return absl::OkStatus();
}

absl::Status LowerSoftmax(Builder& builder) {
  const bool flattens = builder.graph().opset < 13;  // older ones normalise over all dimensions from the axis on
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t axis, builder.Attribute<int64_t>("axis", flattens ? 1 : -1));
  const Value input = builder.TakeRowMajor(0);
  const size_t first = *NormalizeAxis(axis, input.shape.size());
  int64_t groups = 1, length = 1, stride = 1;
  for (size_t i = 1; i < input.shape.size(); ++i) {
    int64_t& factor = i < first ? groups : (i == first || flattens) ? length : stride;
    factor *= input.shape[i];
  }
  auto softmax = [=](int64_t rows, int64_t, const float* x, float* y) {
    kernels::Softmax(rows * groups, length, stride, x, y);
  };
  builder.Emit(std::make_unique<RowWise>(RowElements(input.shape), softmax), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerActivation(Builder& builder, ActivationFamily family, Elementwise::Function function) {
  const Value input = builder.Take(0);
  builder.EmitActivation(std::make_unique<Elementwise>(RowElements(input.shape), std::move(function)), input, family);
  return absl::OkStatus();
}

absl::Status LowerRelu(Builder& builder) {
  return LowerActivation(builder, ActivationFamily::kRectifier, kernels::Relu);
}

absl::Status LowerLeakyRelu(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 0.01f));
  return LowerActivation(builder, ActivationFamily::kLeaky,
                         [=](int64_t count, const float* x, float* y) { kernels::LeakyRelu(count, alpha, x, y); });
}

absl::Status LowerElu(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 1.0f));
  return LowerActivation(builder, ActivationFamily::kLeaky,
                         [=](int64_t count, const float* x, float* y) { kernels::Elu(count, alpha, x, y); });
}

absl::Status LowerSelu(Builder& builder) {
  // The defaults of the ONNX operator, from Klambauer et al., "Self-Normalizing Neural Networks", 2017.
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 1.67326319217681884765625f));
  HALFWAVE_ASSIGN_OR_RETURN(const float gamma, builder.Attribute<float>("gamma", 1.05070102214813232421875f));
  return LowerActivation(builder, ActivationFamily::kLeaky,
                         [=](int64_t count, const float* x, float* y) { kernels::Selu(count, alpha, gamma, x, y); });
}

absl::Status LowerSigmoid(Builder& builder) {
  return LowerActivation(builder, ActivationFamily::kSaturating, kernels::Sigmoid);
}

absl::Status LowerTanh(Builder& builder) {
  return LowerActivation(builder, ActivationFamily::kSaturating, kernels::Tanh);
}

absl::Status LowerPRelu(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* slope, builder.Weights(1, "slope"));
  const Value input = builder.Take(0);
  auto prelu = [slopes = BroadcastToRow(slope->floats, slope->shape, input.shape, input.channels_last)](
                   int64_t rows, int64_t elements, const float* x, float* y) {
    kernels::PRelu(rows, elements, slopes.data(), x, y);
  };
  builder.EmitActivation(std::make_unique<RowWise>(RowElements(input.shape), std::move(prelu)), input,
                         ActivationFamily::kLeaky);
  return absl::OkStatus();
}

const std::map<std::string_view, Operator>& LoweringTable() {
  static const auto& table = *new std::map<std::string_view, Operator>{
      {"Add", LowerAdd},
      {"AveragePool", LowerAveragePool},
      {"BatchNormalization", LowerBatchNormalization},
      {"Conv", LowerConv},
      {"Dropout", LowerSameMemory},
      {"Elu", LowerElu},
      {"Flatten", LowerReshape},
      {"Gemm", LowerGemm},
      {"GlobalAveragePool", LowerGlobalAveragePool},
      {"Identity", LowerSameMemory},
      {"LeakyRelu", LowerLeakyRelu},
      {"MatMul", LowerMatMul},
      {"MaxPool", LowerMaxPool},
      {"PRelu", LowerPRelu},
      {"Relu", LowerRelu},
      {"Reshape", LowerReshape},
      {"Selu", LowerSelu},
      {"Sigmoid", LowerSigmoid},
      {"Softmax", LowerSoftmax},
      {"Tanh", LowerTanh},
  };
  return table;
}

// --- the whole graph -------------------------------------------------------------------------------------------------

absl::StatusOr<Plan> Builder::Build() {
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
    HALFWAVE_RETURN_IF_ERROR(LoweringTable().at(node.op)(*this));
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

}  // namespace

absl::StatusOr<Plan> Lower(const Graph& graph, const ShapeMap& shapes) { return Builder(graph, shapes).Build(); }

std::vector<std::string_view> LoweredOperators() {
  std::vector<std::string_view> operators;
  for (const auto& [name, lower] : LoweringTable()) operators.push_back(name);
  return operators;
}

}  // namespace halfwave
