#include "model/graph/shape_inference.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/graph/axes.h"
#include "model/graph/window.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxRowElements = int64_t{1} << 31;
constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();

absl::Status Invalid(const NodeContext& context, const std::string& what) {
  return context.Error(absl::StatusCode::kInvalidArgument, what);
}

absl::Status InTrainingMode(const NodeContext& context) {
  return context.Error(absl::StatusCode::kUnimplemented, "is in training mode; call model.eval() before the export");
}

bool RowCanBeHeld(const Shape& shape) {
  const auto elements = NumElements(std::span(shape).subspan(1));
  return elements && *elements >= 1 && *elements <= kMaxRowElements;
}

absl::Status ExpectRank(const NodeContext& context, const Shape& shape, size_t rank) {
  if (shape.size() == rank) return absl::OkStatus();
  return Invalid(context, absl::StrCat("expects an input of rank ", rank, ", found ", ShapeToString(shape)));
}

absl::StatusOr<Shape> SameAsInput(const NodeContext& context) { return context.InputShape(0); }

// The constant, written with the rank of `shape` and without its batch, must be 1 or equal in every dimension.
absl::Status ExpectBroadcastable(const NodeContext& context, const Shape& constant, const Shape& shape) {
  bool fits = constant.size() <= shape.size();
  for (size_t i = 0; fits && i < constant.size(); ++i) {
    const int64_t theirs = shape[shape.size() - constant.size() + i];
    fits = constant[i] == 1 || constant[i] == theirs;
  }
  if (fits) return absl::OkStatus();
  return Invalid(context, absl::StrCat("a constant of shape ", ShapeToString(constant), " cannot be broadcast to ",
                                       ShapeToString(shape)));
}

absl::StatusOr<Shape> InferDropout(const NodeContext& context) {
  if (HasInput(context.node, 2)) {
    HALFWAVE_ASSIGN_OR_RETURN(const Constant* training,
                              ConstantInput(context.graph, context.node, 2, DataType::kInt64, "training mode"));
    if (!training->ints.empty() && training->ints[0] != 0) return InTrainingMode(context);
  }
  return context.InputShape(0);
}

absl::StatusOr<Shape> InferGemm(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape input, context.InputShape(0));
  HALFWAVE_RETURN_IF_ERROR(ExpectRank(context, input, 2));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t trans_a, GetAttribute<int64_t>(context.graph, context.node, "transA", 0));
  if (trans_a != 0) {
    return context.Error(absl::StatusCode::kUnimplemented, "attribute 'transA' is 1: it would turn the batch sideways");
  }
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t trans_b, GetAttribute<int64_t>(context.graph, context.node, "transB", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights,
                            ConstantInput(context.graph, context.node, 1, DataType::kFloat, "weights"));
  if (weights->shape.size() != 2) {
    return Invalid(context, absl::StrCat("weights are of shape ", ShapeToString(weights->shape), ", expected rank 2"));
  }
  const int64_t in = weights->shape[trans_b ? 1 : 0];
  const int64_t out = weights->shape[trans_b ? 0 : 1];
  if (in != input[1]) {
    return Invalid(context, absl::StrCat("weights take ", in, " features, but the input has ", input[1]));
  }
  Shape output{input[0], out};
  if (HasInput(context.node, 2)) {
    HALFWAVE_ASSIGN_OR_RETURN(const Constant* bias,
                              ConstantInput(context.graph, context.node, 2, DataType::kFloat, "bias"));
    HALFWAVE_RETURN_IF_ERROR(ExpectBroadcastable(context, bias->shape, output));
  }
  return output;
}

absl::StatusOr<Shape> InferMatMul(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights,
                            ConstantInput(context.graph, context.node, 1, DataType::kFloat, "weights"));
  if (weights->shape.size() != 2 || shape.size() < 2 || weights->shape[0] != shape.back()) {
    return Invalid(context, absl::StrCat("cannot multiply ", ShapeToString(shape), " by weights of shape ",
                                         ShapeToString(weights->shape)));
  }
  shape.back() = weights->shape[1];
  return shape;
}

// Two inputs of one shape, or one and a constant that broadcasts to it.
absl::StatusOr<Shape> InferBinary(const NodeContext& context) {
  const auto& constants = context.graph.constants;
  const bool left = constants.contains(context.node.inputs[0]);
  const bool right = constants.contains(context.node.inputs[1]);
  if (left == right) {
    HALFWAVE_ASSIGN_OR_RETURN(const Shape a, context.InputShape(0));
    HALFWAVE_ASSIGN_OR_RETURN(const Shape b, context.InputShape(1));
    if (a != b) {
      return Invalid(context, absl::StrCat("cannot combine ", ShapeToString(a), " and ", ShapeToString(b)));
    }
    return a;
  }
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, context.InputShape(left ? 1 : 0));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* operand,
                            ConstantInput(context.graph, context.node, left ? 0 : 1, DataType::kFloat, "operand"));
  HALFWAVE_RETURN_IF_ERROR(ExpectBroadcastable(context, operand->shape, shape));
  return shape;
}

absl::StatusOr<Shape> InferGelu(const NodeContext& context) {
  const absl::StatusOr<std::string> approximate =
      GetAttribute<std::string>(context.graph, context.node, "approximate", "none");
  if (!approximate.ok()) return approximate.status();
  if (*approximate != "none" && *approximate != "tanh") {
    return Invalid(context, absl::StrCat("attribute 'approximate' is '", *approximate, "', expected 'none' or 'tanh'"));
  }
  return context.InputShape(0);
}

absl::StatusOr<Shape> InferPRelu(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* slope,
                            ConstantInput(context.graph, context.node, 1, DataType::kFloat, "slope"));
  HALFWAVE_RETURN_IF_ERROR(ExpectBroadcastable(context, slope->shape, shape));
  return shape;
}

// A file of a hundred bytes can describe a window that takes days: the steps of one row are bounded, generously.
absl::Status CheckSteps(const NodeContext& context, const Window& window, double channels) {
  constexpr double kMaxSteps = 1e11;
  double steps = channels;
  for (size_t i = 0; i < window.output.size(); ++i) {
    steps *= static_cast<double>(window.output[i]) * static_cast<double>(window.kernel[i]);
  }
  if (steps <= kMaxSteps) return absl::OkStatus();
  return Invalid(context, absl::StrCat("takes ", steps, " steps for one row, at most ", kMaxSteps, " are allowed"));
}

absl::StatusOr<Shape> InferConv(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape input, context.InputShape(0));
  HALFWAVE_RETURN_IF_ERROR(ExpectRank(context, input, 4));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights,
                            ConstantInput(context.graph, context.node, 1, DataType::kFloat, "weights"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t group, GetAttribute<int64_t>(context.graph, context.node, "group", 1));
  const Shape& w = weights->shape;
  if (w.size() != 4 || group < 1 || w[0] % group != 0 || input[1] % group != 0 || w[1] != input[1] / group) {
    return Invalid(context, absl::StrCat("weights of shape ", ShapeToString(w), " and group ", group,
                                         " do not fit an input of shape ", ShapeToString(input)));
  }
  if (HasInput(context.node, 2)) {
    HALFWAVE_ASSIGN_OR_RETURN(const Constant* bias,
                              ConstantInput(context.graph, context.node, 2, DataType::kFloat, "bias"));
    if (bias->shape != Shape{w[0]}) {
      return Invalid(context, absl::StrCat("bias is of shape ", ShapeToString(bias->shape), ", expected [", w[0], "]"));
    }
  }
  HALFWAVE_ASSIGN_OR_RETURN(const Window window, ResolveWindow(context.graph, context.node, std::span(input).subspan(2),
                                                               std::span(w).subspan(2)));
  HALFWAVE_RETURN_IF_ERROR(CheckSteps(context, window, static_cast<double>(w[0]) * static_cast<double>(w[1])));
  return Shape{input[0], w[0], window.output[0], window.output[1]};
}

absl::StatusOr<Shape> InferPool(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape input, context.InputShape(0));
  HALFWAVE_RETURN_IF_ERROR(ExpectRank(context, input, 4));
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveWindow(context.graph, context.node, std::span(input).subspan(2), {}));
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const int64_t extent = (window.kernel[i] - 1) * window.dilations[i] + 1;
    if (std::max(window.pads_begin[i], window.pads_end[i]) >= extent) {
      return Invalid(context,
                     absl::StrCat("padding ", window.pads_begin[i], "+", window.pads_end[i],
                                  " is not smaller than the window of ", extent, ": some windows would hold no data"));
    }
  }
  HALFWAVE_RETURN_IF_ERROR(CheckSteps(context, window, static_cast<double>(input[1])));
  return Shape{input[0], input[1], window.output[0], window.output[1]};
}

absl::StatusOr<Shape> InferGlobalPool(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(0));
  if (shape.size() < 3) return Invalid(context, absl::StrCat("expects rank 3 or more, found ", ShapeToString(shape)));
  std::fill(shape.begin() + 2, shape.end(), 1);
  return shape;
}

absl::StatusOr<Shape> InferBatchNormalization(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, context.InputShape(0));
  if (shape.size() < 2) return Invalid(context, absl::StrCat("expects rank 2 or more, found ", ShapeToString(shape)));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t training,
                            GetAttribute<int64_t>(context.graph, context.node, "training_mode", 0));
  if (training != 0) return InTrainingMode(context);
  constexpr const char* kRoles[] = {"", "scale", "bias", "mean", "variance"};
  for (size_t i = 1; i <= 4; ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(const Constant* values,
                              ConstantInput(context.graph, context.node, i, DataType::kFloat, kRoles[i]));
    if (values->shape != Shape{shape[1]}) {
      return Invalid(context, absl::StrCat(kRoles[i], " is of shape ", ShapeToString(values->shape), ", expected [",
                                           shape[1], "]"));
    }
  }
  return shape;
}

absl::StatusOr<Shape> InferFlatten(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t axis, GetAttribute<int64_t>(context.graph, context.node, "axis", 1));
  const auto signed_rank = static_cast<int64_t>(shape.size());
  if (axis != 1 && axis != 1 - signed_rank) {
    return context.Error(absl::StatusCode::kUnimplemented,
                         absl::StrCat("attribute 'axis' is ", axis, "; only 1 keeps the rows of a batch apart"));
  }
  return Shape{shape[0], RowElements(shape)};
}

// A reshape may rearrange what a row holds, never move anything between rows.
absl::StatusOr<Shape> InferReshape(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape input, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* target,
                            ConstantInput(context.graph, context.node, 1, DataType::kInt64, "target shape"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t allow_zero,
                            GetAttribute<int64_t>(context.graph, context.node, "allowzero", 0));
  const auto refuse = [&] {
    return Invalid(context, absl::StrCat("target shape ", ShapeToString(target->ints), " does not keep the rows of ",
                                         ShapeToString(input), " apart; export with a first dimension of -1 or 0"));
  };
  Shape output = target->ints;
  if (output.empty()) return refuse();
  for (size_t i = 0; i < output.size() && allow_zero == 0; ++i) {
    if (output[i] == 0) {
      if (i >= input.size()) return refuse();
      output[i] = input[i];
    }
  }
  if (target->ints[0] == -1 && std::count(target->ints.begin(), target->ints.end(), -1) > 1) return refuse();
  if (output[0] == -1) output[0] = input[0];  // right exactly if the rest makes up a row, checked below
  if (output[0] != input[0]) return refuse();
  int64_t known = 1;
  int64_t* open = nullptr;
  for (size_t i = 1; i < output.size(); ++i) {
    if (output[i] == -1) {
      if (open != nullptr) return refuse();
      open = &output[i];
    } else if (output[i] < 1 || output[i] > kMaxRowElements || known > kMaxRowElements) {
      return refuse();
    } else {
      known *= output[i];
    }
  }
  const int64_t row = RowElements(input);
  if (open != nullptr) {
    if (row % known != 0) return refuse();
    *open = row / known;
  } else if (known != row) {
    return refuse();
  }
  return output;
}

// A dimension that a node names, which must not be the batch.
absl::StatusOr<size_t> DimensionOfRow(const NodeContext& context, int64_t axis, const Shape& shape) {
  const auto index = NormalizeAxis(axis, shape.size());
  if (!index || *index == 0) {
    return Invalid(context, absl::StrCat("attribute 'axis' is ", axis, " for an input of shape ", ShapeToString(shape),
                                         "; it must name a dimension other than the batch"));
  }
  return *index;
}

absl::StatusOr<Shape> InferConcat(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape output, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t axis, GetAttribute<int64_t>(context.graph, context.node, "axis", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t at, DimensionOfRow(context, axis, output));
  for (size_t i = 1; i < context.node.inputs.size(); ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(i));
    const int64_t size = at < shape.size() ? std::exchange(shape[at], output[at]) : 0;
    if (shape != output || size > kMaxRowElements - output[at]) {
      return Invalid(context, absl::StrCat("cannot put input ", i, " beside the ones before, which together are ",
                                           ShapeToString(output)));
    }
    output[at] += size;
  }
  return output;
}

absl::StatusOr<Shape> InferTranspose(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape input, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> permutation,
                            ResolvePermutation(context.graph, context.node, input.size()));
  Shape output;
  for (const int64_t axis : permutation) output.push_back(input[axis]);
  return output;
}

absl::StatusOr<Shape> InferSlice(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<SliceAxis> axes, ResolveSlice(context.graph, context.node, shape));
  for (const SliceAxis& axis : axes) shape[axis.axis] = axis.count;
  return shape;
}

absl::StatusOr<Shape> InferSqueeze(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape input, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<size_t> axes, ResolveAxes(context.graph, context.node, input.size()));
  Shape output{input[0]};
  for (size_t i = 1; i < input.size(); ++i) {
    const bool named = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (named && input[i] != 1) {
      return Invalid(context, absl::StrCat("dimension ", i, " of ", ShapeToString(input), " is not 1"));
    }
    if (!named && (input[i] != 1 || !axes.empty())) output.push_back(input[i]);
  }
  return output;
}

absl::StatusOr<Shape> InferUnsqueeze(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape input, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> named, ResolveAxesAsWritten(context.graph, context.node));
  if (named.empty()) return Invalid(context, "does not say which dimensions to insert");
  HALFWAVE_ASSIGN_OR_RETURN(std::vector<size_t> axes,
                            ResolveAxes(context.graph, context.node, input.size() + named.size()));
  std::sort(axes.begin(), axes.end());
  Shape output = input;
  for (const size_t axis : axes) output.insert(output.begin() + static_cast<std::ptrdiff_t>(axis), 1);
  return output;
}

absl::StatusOr<Shape> InferSoftmax(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t axis, GetAttribute<int64_t>(context.graph, context.node, "axis",
                                                                      context.graph.opset < 13 ? 1 : -1));
  HALFWAVE_RETURN_IF_ERROR(DimensionOfRow(context, axis, shape).status());
  return shape;
}

}  // namespace

absl::StatusOr<Shape> NodeContext::InputShape(size_t index) const {
  if (!HasInput(node, index)) {
    return Error(absl::StatusCode::kInvalidArgument, absl::StrCat("input ", index, " is missing"));
  }
  const auto found = shapes.find(node.inputs[index]);
  if (found == shapes.end()) {
    return Error(absl::StatusCode::kUnimplemented,
                 absl::StrCat("input '", node.inputs[index],
                              "' is a constant; only data that depends on the model's "
                              "input can be there"));
  }
  return found->second;
}

absl::Status NodeContext::Error(absl::StatusCode code, const std::string& what) const {
  return NodeError(code, graph, node, what);
}

std::span<const OperatorRule> Operators() {
  static const std::vector<OperatorRule>& rules = *new std::vector<OperatorRule>{
      {"Add", 2, 2, InferBinary},
      {"AveragePool", 1, 1, InferPool},
      {"BatchNormalization", 5, 5, InferBatchNormalization},
      {"Celu", 1, 1, SameAsInput},
      {"Clip", 1, 3, SameAsInput},
      {"Concat", 1, kAnyNumber, InferConcat},
      {"Conv", 2, 3, InferConv},
      {"Div", 2, 2, InferBinary},
      {"Dropout", 1, 3, InferDropout},
      {"Elu", 1, 1, SameAsInput},
      {"Flatten", 1, 1, InferFlatten},
      {"Gelu", 1, 1, InferGelu},
      {"Gemm", 2, 3, InferGemm},
      {"GlobalAveragePool", 1, 1, InferGlobalPool},
      {"GlobalMaxPool", 1, 1, InferGlobalPool},
      {"HardSigmoid", 1, 1, SameAsInput},
      {"HardSwish", 1, 1, SameAsInput},
      {"Identity", 1, 1, SameAsInput},
      {"LeakyRelu", 1, 1, SameAsInput},
      {"LogSoftmax", 1, 1, InferSoftmax},
      {"MatMul", 2, 2, InferMatMul},
      {"MaxPool", 1, 1, InferPool},
      {"Mish", 1, 1, SameAsInput},
      {"Mul", 2, 2, InferBinary},
      {"PRelu", 2, 2, InferPRelu},
      {"Relu", 1, 1, SameAsInput},
      {"Reshape", 2, 2, InferReshape},
      {"Selu", 1, 1, SameAsInput},
      {"Sigmoid", 1, 1, SameAsInput},
      {"Slice", 1, 5, InferSlice},
      {"Softmax", 1, 1, InferSoftmax},
      {"Softplus", 1, 1, SameAsInput},
      {"Softsign", 1, 1, SameAsInput},
      {"Squeeze", 1, 2, InferSqueeze},
      {"Sub", 2, 2, InferBinary},
      {"Tanh", 1, 1, SameAsInput},
      {"ThresholdedRelu", 1, 1, SameAsInput},
      {"Transpose", 1, 1, InferTranspose},
      {"Unsqueeze", 1, 2, InferUnsqueeze},
  };
  return rules;
}

absl::StatusOr<Shape> InferNode(const NodeContext& context) {
  const Node& node = context.node;
  const auto rules = Operators();
  const auto rule = std::find_if(rules.begin(), rules.end(), [&](const auto& r) { return r.op == node.op; });
  if (rule == rules.end()) {
    return context.Error(absl::StatusCode::kUnimplemented,
                         absl::StrCat("this operator is not supported; supported are ",
                                      absl::StrJoin(rules, ", ", [](std::string* out, const OperatorRule& supported) {
                                        out->append(supported.op);
                                      })));
  }
  if (node.inputs.size() < rule->min_inputs || node.inputs.size() > rule->max_inputs) {
    return Invalid(context, absl::StrCat("has ", node.inputs.size(), " inputs, expected ", rule->min_inputs, " to ",
                                         rule->max_inputs));
  }
  if (node.outputs.empty() || node.outputs[0].empty()) return Invalid(context, "has no output");
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, rule->infer(context));
  if (!RowCanBeHeld(shape)) {
    return Invalid(context, absl::StrCat("its output ", ShapeToString(shape), " is empty or too large"));
  }
  return shape;
}

absl::StatusOr<ShapeMap> InferShapes(const Graph& graph) {
  ShapeMap shapes;
  for (const GraphValue& input : graph.inputs) {
    if (!RowCanBeHeld(input.shape)) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", input.name, "' ", ShapeToString(input.shape), " is empty or too large"));
    }
    shapes[input.name] = input.shape;
  }
  for (const Node& node : graph.nodes) {
    HALFWAVE_ASSIGN_OR_RETURN(Shape shape, InferNode({graph, node, shapes}));
    shapes[node.outputs[0]] = std::move(shape);
  }
  for (const GraphValue& output : graph.outputs) {
    if (!shapes.contains(output.name)) {
      return absl::UnimplementedError(absl::StrCat(
          "output '", output.name, "' of the model is not the first output of any node; remove it from the export"));
    }
  }
  return shapes;
}

}  // namespace halfwave
