#include "model/graph/shape_inference.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/status_macros.h"
#include "model/graph/cost.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxRowElements = int64_t{1} << 26;
constexpr size_t kMaxRank = 16;
constexpr size_t kAnyNumber = std::numeric_limits<size_t>::max();

bool RowCanBeHeld(const Shape& shape) {
  const auto elements = NumElements(RowShape(shape));
  const auto batches = std::count_if(shape.begin(), shape.end(), [](int64_t dimension) { return dimension < 0; });
  return shape.size() <= kMaxRank && elements && *elements >= 1 && *elements <= kMaxRowElements && batches <= 1;
}

using RuleIndex = std::unordered_map<std::string_view, const OperatorRule*>;

const RuleIndex& RulesByName() {
  static const RuleIndex& index = *[] {
    auto* rules = new RuleIndex();
    for (const OperatorRule& rule : Operators()) rules->emplace(rule.op, &rule);
    return rules;
  }();
  return index;
}

// Strings are labels: they are looked up, pass through changes of shape, and leave.
absl::Status ExpectNoStrings(const NodeContext& context) {
  for (const char* op : {"ArrayFeatureExtractor", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"}) {
    if (context.node().op == op) return absl::OkStatus();
  }
  for (size_t i = 0; i < context.inputs(); ++i) {
    const auto input = context.Has(i) ? context.Input(i) : TensorType{};
    if (input.ok() && input->type == DataType::kString) return context.Unsupported("computes with strings");
  }
  return absl::OkStatus();
}

absl::Status NotSupported(const NodeContext& context) {
  std::vector<std::string> supported;
  for (const OperatorRule& rule : Operators()) {
    if (rule.kind != OperatorKind::kInternal) supported.emplace_back(rule.op);
  }
  return context.Unsupported(
      absl::StrCat("this operator is not supported; supported are ", absl::StrJoin(supported, ", ")));
}

}  // namespace

std::span<const OperatorRule> Operators() {
  static const std::vector<OperatorRule>& rules = *new std::vector<OperatorRule>{
      {"Abs", OperatorKind::kElementwise, 6, 1, 1, InferSame},
      {"Acos", OperatorKind::kElementwise, 7, 1, 1, InferSame},
      {"Acosh", OperatorKind::kElementwise, 9, 1, 1, InferSame},
      {"Add", OperatorKind::kElementwise, 1, 2, 2, InferArithmetic},
      {"And", OperatorKind::kElementwise, 1, 2, 2, InferComparison},
      {"ArgMax", OperatorKind::kReduction, 1, 1, 1, InferArgExtreme},
      {"ArgMin", OperatorKind::kReduction, 1, 1, 1, InferArgExtreme},
      {"Asin", OperatorKind::kElementwise, 7, 1, 1, InferSame},
      {"Asinh", OperatorKind::kElementwise, 9, 1, 1, InferSame},
      {"Atan", OperatorKind::kElementwise, 7, 1, 1, InferSame},
      {"Atanh", OperatorKind::kElementwise, 9, 1, 1, InferSame},
      {"AveragePool", OperatorKind::kPool, 1, 1, 1, InferPool},
      {"BatchNormalization", OperatorKind::kNormalization, 1, 5, 5, InferBatchNormalization},
      {"Cast", OperatorKind::kShape, 6, 1, 1, InferCast},
      {"CastLike", OperatorKind::kShape, 15, 2, 2, InferCastLike},
      {"Ceil", OperatorKind::kElementwise, 1, 1, 1, InferSame},
      {"Celu", OperatorKind::kActivation, 12, 1, 1, InferSame},
      {"Clip", OperatorKind::kActivation, 1, 1, 3, InferSame},
      {"Concat", OperatorKind::kShape, 4, 1, kAnyNumber, InferConcat},
      {"ConstantOfShape", OperatorKind::kShape, 9, 1, 1, InferFolded},
      {"Conv", OperatorKind::kLinear, 1, 2, 3, InferConv},
      {"ConvTranspose", OperatorKind::kLinear, 1, 2, 3, InferConvTranspose},
      {"Cos", OperatorKind::kElementwise, 7, 1, 1, InferSame},
      {"Cosh", OperatorKind::kElementwise, 9, 1, 1, InferSame},
      {"CumSum", OperatorKind::kReduction, 11, 2, 2, InferAlongAxis},
      {"DepthToSpace", OperatorKind::kShape, 1, 1, 1, InferDepthToSpace},
      {"Div", OperatorKind::kElementwise, 1, 2, 2, InferArithmetic},
      {"Dropout", OperatorKind::kNormalization, 1, 1, 3, InferDropout},
      {"Einsum", OperatorKind::kLinear, 12, 1, kAnyNumber, InferEinsum},
      {"Elu", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"Equal", OperatorKind::kElementwise, 1, 2, 2, InferComparison},
      {"Erf", OperatorKind::kElementwise, 9, 1, 1, InferSame},
      {"Exp", OperatorKind::kElementwise, 1, 1, 1, InferSame},
      {"Expand", OperatorKind::kShape, 8, 2, 2, InferExpand},
      {"Flatten", OperatorKind::kShape, 1, 1, 1, InferFlatten},
      {"Floor", OperatorKind::kElementwise, 1, 1, 1, InferSame},
      {"Gather", OperatorKind::kShape, 1, 2, 2, InferGather},
      {"GatherElements", OperatorKind::kShape, 11, 2, 2, InferGatherElements},
      {"GatherND", OperatorKind::kShape, 11, 2, 2, InferGatherNd},
      {"Gelu", OperatorKind::kActivation, 20, 1, 1, InferGelu},
      {"Gemm", OperatorKind::kLinear, 1, 2, 3, InferGemm},
      {"GlobalAveragePool", OperatorKind::kPool, 1, 1, 1, InferGlobalPool},
      {"GlobalLpPool", OperatorKind::kPool, 1, 1, 1, InferGlobalPool},
      {"GlobalMaxPool", OperatorKind::kPool, 1, 1, 1, InferGlobalPool},
      {"Greater", OperatorKind::kElementwise, 1, 2, 2, InferComparison},
      {"GreaterOrEqual", OperatorKind::kElementwise, 12, 2, 2, InferComparison},
      {"GroupNormalization", OperatorKind::kNormalization, 18, 3, 3, InferGroupNormalization},
      {"HardSigmoid", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"HardSwish", OperatorKind::kActivation, 14, 1, 1, InferSame},
      {"Hardmax", OperatorKind::kReduction, 1, 1, 1, InferSoftmax},
      {"Identity", OperatorKind::kShape, 1, 1, 1, InferSame},
      {"InstanceNormalization", OperatorKind::kNormalization, 1, 3, 3, InferInstanceNormalization},
      {"IsInf", OperatorKind::kElementwise, 10, 1, 1, InferTruth},
      {"IsNaN", OperatorKind::kElementwise, 9, 1, 1, InferTruth},
      {"LRN", OperatorKind::kNormalization, 1, 1, 1, InferLrn},
      {"LayerNormalization", OperatorKind::kNormalization, 17, 2, 3, InferLayerNormalization},
      {"LeakyRelu", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"Less", OperatorKind::kElementwise, 1, 2, 2, InferComparison},
      {"LessOrEqual", OperatorKind::kElementwise, 12, 2, 2, InferComparison},
      {"Log", OperatorKind::kElementwise, 1, 1, 1, InferSame},
      {"LogSoftmax", OperatorKind::kReduction, 1, 1, 1, InferSoftmax},
      {"LpNormalization", OperatorKind::kNormalization, 1, 1, 1, InferAlongAxis},
      {"LpPool", OperatorKind::kPool, 2, 1, 1, InferPool},
      {"MatMul", OperatorKind::kLinear, 1, 2, 2, InferMatMul},
      {"Max", OperatorKind::kElementwise, 1, 1, kAnyNumber, InferArithmetic},
      {"MaxPool", OperatorKind::kPool, 1, 1, 1, InferPool},
      {"Mean", OperatorKind::kElementwise, 1, 1, kAnyNumber, InferArithmetic},
      {"MeanVarianceNormalization", OperatorKind::kNormalization, 9, 1, 1, InferMeanVarianceNormalization},
      {"Min", OperatorKind::kElementwise, 1, 1, kAnyNumber, InferArithmetic},
      {"Mish", OperatorKind::kActivation, 18, 1, 1, InferSame},
      {"Mod", OperatorKind::kElementwise, 10, 2, 2, InferArithmetic},
      {"Mul", OperatorKind::kElementwise, 1, 2, 2, InferArithmetic},
      {"Neg", OperatorKind::kElementwise, 1, 1, 1, InferSame},
      {"Not", OperatorKind::kElementwise, 1, 1, 1, InferTruth},
      {"OneHot", OperatorKind::kShape, 9, 3, 3, InferOneHot},
      {"Or", OperatorKind::kElementwise, 1, 2, 2, InferComparison},
      {"PRelu", OperatorKind::kActivation, 1, 2, 2, InferPRelu},
      {"Pad", OperatorKind::kShape, 2, 1, 4, InferPad},
      {"Pow", OperatorKind::kElementwise, 1, 2, 2, InferArithmetic},
      {"RMSNormalization", OperatorKind::kNormalization, 23, 2, 2, InferLayerNormalization},
      {"Range", OperatorKind::kShape, 11, 3, 3, InferFolded},
      {"Reciprocal", OperatorKind::kElementwise, 1, 1, 1, InferSame},
      {"ReduceL1", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceL2", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceLogSum", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceLogSumExp", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceMax", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceMean", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceMin", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceProd", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceSum", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"ReduceSumSquare", OperatorKind::kReduction, 1, 1, 2, InferReduce},
      {"Relu", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"Reshape", OperatorKind::kShape, 1, 1, 2, InferReshape},
      {"Resize", OperatorKind::kPool, 10, 1, 4, InferResize},
      {"Round", OperatorKind::kElementwise, 11, 1, 1, InferSame},
      {"Selu", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"Shape", OperatorKind::kShape, 1, 1, 1, InferFolded},
      {"Shrink", OperatorKind::kActivation, 9, 1, 1, InferSame},
      {"Sigmoid", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"Sign", OperatorKind::kElementwise, 9, 1, 1, InferSame},
      {"Sin", OperatorKind::kElementwise, 7, 1, 1, InferSame},
      {"Sinh", OperatorKind::kElementwise, 9, 1, 1, InferSame},
      {"Size", OperatorKind::kShape, 1, 1, 1, InferFolded},
      {"Slice", OperatorKind::kShape, 1, 1, 5, InferSlice},
      {"Softmax", OperatorKind::kReduction, 1, 1, 1, InferSoftmax},
      {"Softplus", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"Softsign", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"SpaceToDepth", OperatorKind::kShape, 1, 1, 1, InferSpaceToDepth},
      {"Split", OperatorKind::kShape, 2, 1, 2, InferSplit},
      {"Sqrt", OperatorKind::kElementwise, 1, 1, 1, InferSame},
      {"Squeeze", OperatorKind::kShape, 1, 1, 2, InferSqueeze},
      {"Sub", OperatorKind::kElementwise, 1, 2, 2, InferArithmetic},
      {"Sum", OperatorKind::kElementwise, 1, 1, kAnyNumber, InferArithmetic},
      {"Swish", OperatorKind::kActivation, 24, 1, 1, InferSame},
      {"Tan", OperatorKind::kElementwise, 7, 1, 1, InferSame},
      {"Tanh", OperatorKind::kActivation, 1, 1, 1, InferSame},
      {"ThresholdedRelu", OperatorKind::kActivation, 10, 1, 1, InferSame},
      {"Tile", OperatorKind::kShape, 6, 2, 2, InferTile},
      {"TopK", OperatorKind::kReduction, 1, 1, 2, InferTopK},
      {"Transpose", OperatorKind::kShape, 1, 1, 1, InferTranspose},
      {"Trilu", OperatorKind::kShape, 14, 1, 2, InferTrilu},
      {"Unsqueeze", OperatorKind::kShape, 1, 1, 2, InferUnsqueeze},
      {"Upsample", OperatorKind::kPool, 7, 1, 2, InferResize},
      {"Where", OperatorKind::kShape, 9, 3, 3, InferWhere},
      {"Xor", OperatorKind::kElementwise, 1, 2, 2, InferComparison},
      {"ai.onnx.ml::ArrayFeatureExtractor", OperatorKind::kPipeline, 1, 2, 2, InferArrayFeatureExtractor},
      {"ai.onnx.ml::Binarizer", OperatorKind::kPipeline, 1, 1, 1, InferSame},
      {"ai.onnx.ml::Normalizer", OperatorKind::kPipeline, 1, 1, 1, InferNormalizer},
      {"ai.onnx.ml::Scaler", OperatorKind::kPipeline, 1, 1, 1, InferScaler},
      {"ai.onnx.ml::ZipMap", OperatorKind::kPipeline, 1, 1, 1, InferZipMap},
      {"halfwave.Dense", OperatorKind::kInternal, 1, 3, 3, InferDense},
      {"halfwave.Observe", OperatorKind::kInternal, 1, 1, 1, InferSame},
  };
  return rules;
}

std::string OperatorName(const Node& node) {
  return node.domain.empty() ? node.op : absl::StrCat(node.domain, "::", node.op);
}

absl::StatusOr<Types> InferNode(const NodeContext& context) {
  const Node& node = context.node();
  const std::string name = OperatorName(node);
  const auto found = RulesByName().find(name);
  if (found == RulesByName().end()) return NotSupported(context);
  const OperatorRule& rule = *found->second;
  if (context.opset() < rule.since && node.domain.empty()) {
    return context.Invalid(absl::StrCat("exists since opset ", rule.since, "; export with that opset or later"));
  }
  if (node.inputs.size() < rule.min_inputs || node.inputs.size() > rule.max_inputs) {
    return context.Invalid(
        absl::StrCat("has ", node.inputs.size(), " inputs, expected ", rule.min_inputs, " to ", rule.max_inputs));
  }
  if (node.outputs.empty()) return context.Invalid("has no output");
  HALFWAVE_RETURN_IF_ERROR(ExpectNoStrings(context));
  HALFWAVE_ASSIGN_OR_RETURN(Types types, rule.infer(context));
  for (const TensorType& type : types) {
    if (!RowCanBeHeld(type.shape)) {
      return context.Invalid(absl::StrCat("its output ", ShapeToString(type.shape), " is empty or too large"));
    }
  }
  return types;
}

absl::StatusOr<TypeMap> InferShapes(const Graph& graph, double max_steps) {
  TypeMap types;
  double steps = 0;
  for (const GraphValue& input : graph.inputs) {
    if (!RowCanBeHeld(input.shape)) {
      return absl::InvalidArgumentError(
          absl::StrCat("input '", input.name, "' ", ShapeToString(input.shape), " is empty or too large"));
    }
    types[input.name] = {input.type, input.shape};
  }
  for (const Node& node : graph.nodes) {
    const NodeContext context(graph, node, types);
    HALFWAVE_ASSIGN_OR_RETURN(Types outputs, InferNode(context));
    steps += Steps(context, outputs);
    if (steps > max_steps) {
      return context.Error(absl::StatusCode::kResourceExhausted,
                           absl::StrCat("with all before it takes ", steps, " steps for one row, at most ", max_steps,
                                        " are allowed (--max-macs-per-row)"));
    }
    for (size_t i = 0; i < std::min(outputs.size(), node.outputs.size()); ++i) {
      if (!node.outputs[i].empty()) types[node.outputs[i]] = std::move(outputs[i]);
    }
  }
  for (const GraphValue& output : graph.outputs) {
    if (types.contains(output.name) || graph.constants.contains(output.name)) continue;
    return absl::UnimplementedError(absl::StrCat(
        "output '", output.name, "' of the model is one that no supported node has; remove it from the export"));
  }
  return types;
}

}  // namespace halfwave
