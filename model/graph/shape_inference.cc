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

constexpr int64_t kMaxRowElements = int64_t{1} << 31;
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
  return context.Unsupported(absl::StrCat("this operator is not supported; supported are ",
                                          absl::StrJoin(Operators(), ", ", [](std::string* out, const auto& rule) {
                                            if (rule.op.substr(0, 9) != "halfwave.") out->append(rule.op);
                                          })));
}

}  // namespace

std::span<const OperatorRule> Operators() {
  static const std::vector<OperatorRule>& rules = *new std::vector<OperatorRule>{
      {"Abs", 6, 1, 1, InferSame},
      {"Acos", 7, 1, 1, InferSame},
      {"Acosh", 9, 1, 1, InferSame},
      {"Add", 1, 2, 2, InferArithmetic},
      {"And", 1, 2, 2, InferComparison},
      {"ArgMax", 1, 1, 1, InferArgExtreme},
      {"ArgMin", 1, 1, 1, InferArgExtreme},
      {"Asin", 7, 1, 1, InferSame},
      {"Asinh", 9, 1, 1, InferSame},
      {"Atan", 7, 1, 1, InferSame},
      {"Atanh", 9, 1, 1, InferSame},
      {"AveragePool", 1, 1, 1, InferPool},
      {"BatchNormalization", 1, 5, 5, InferBatchNormalization},
      {"Cast", 6, 1, 1, InferCast},
      {"CastLike", 15, 2, 2, InferCastLike},
      {"Ceil", 1, 1, 1, InferSame},
      {"Celu", 12, 1, 1, InferSame},
      {"Clip", 1, 1, 3, InferSame},
      {"Concat", 4, 1, kAnyNumber, InferConcat},
      {"ConstantOfShape", 9, 1, 1, InferFolded},
      {"Conv", 1, 2, 3, InferConv},
      {"ConvTranspose", 1, 2, 3, InferConvTranspose},
      {"Cos", 7, 1, 1, InferSame},
      {"Cosh", 9, 1, 1, InferSame},
      {"CumSum", 11, 2, 2, InferAlongAxis},
      {"DepthToSpace", 1, 1, 1, InferDepthToSpace},
      {"Div", 1, 2, 2, InferArithmetic},
      {"Dropout", 1, 1, 3, InferDropout},
      {"Einsum", 12, 1, kAnyNumber, InferEinsum},
      {"Elu", 1, 1, 1, InferSame},
      {"Equal", 1, 2, 2, InferComparison},
      {"Erf", 9, 1, 1, InferSame},
      {"Exp", 1, 1, 1, InferSame},
      {"Expand", 8, 2, 2, InferExpand},
      {"Flatten", 1, 1, 1, InferFlatten},
      {"Floor", 1, 1, 1, InferSame},
      {"Gather", 1, 2, 2, InferGather},
      {"GatherElements", 11, 2, 2, InferGatherElements},
      {"GatherND", 11, 2, 2, InferGatherNd},
      {"Gelu", 20, 1, 1, InferGelu},
      {"Gemm", 1, 2, 3, InferGemm},
      {"GlobalAveragePool", 1, 1, 1, InferGlobalPool},
      {"GlobalLpPool", 1, 1, 1, InferGlobalPool},
      {"GlobalMaxPool", 1, 1, 1, InferGlobalPool},
      {"Greater", 1, 2, 2, InferComparison},
      {"GreaterOrEqual", 12, 2, 2, InferComparison},
      {"GroupNormalization", 18, 3, 3, InferGroupNormalization},
      {"HardSigmoid", 1, 1, 1, InferSame},
      {"HardSwish", 14, 1, 1, InferSame},
      {"Hardmax", 1, 1, 1, InferSoftmax},
      {"Identity", 1, 1, 1, InferSame},
      {"InstanceNormalization", 1, 3, 3, InferInstanceNormalization},
      {"IsInf", 10, 1, 1, InferTruth},
      {"IsNaN", 9, 1, 1, InferTruth},
      {"LRN", 1, 1, 1, InferLrn},
      {"LayerNormalization", 17, 2, 3, InferLayerNormalization},
      {"LeakyRelu", 1, 1, 1, InferSame},
      {"Less", 1, 2, 2, InferComparison},
      {"LessOrEqual", 12, 2, 2, InferComparison},
      {"Log", 1, 1, 1, InferSame},
      {"LogSoftmax", 1, 1, 1, InferSoftmax},
      {"LpNormalization", 1, 1, 1, InferAlongAxis},
      {"LpPool", 2, 1, 1, InferPool},
      {"MatMul", 1, 2, 2, InferMatMul},
      {"Max", 1, 1, kAnyNumber, InferArithmetic},
      {"MaxPool", 1, 1, 1, InferPool},
      {"Mean", 1, 1, kAnyNumber, InferArithmetic},
      {"MeanVarianceNormalization", 9, 1, 1, InferMeanVarianceNormalization},
      {"Min", 1, 1, kAnyNumber, InferArithmetic},
      {"Mish", 18, 1, 1, InferSame},
      {"Mod", 10, 2, 2, InferArithmetic},
      {"Mul", 1, 2, 2, InferArithmetic},
      {"Neg", 1, 1, 1, InferSame},
      {"Not", 1, 1, 1, InferTruth},
      {"OneHot", 9, 3, 3, InferOneHot},
      {"Or", 1, 2, 2, InferComparison},
      {"PRelu", 1, 2, 2, InferPRelu},
      {"Pad", 2, 1, 4, InferPad},
      {"Pow", 1, 2, 2, InferArithmetic},
      {"RMSNormalization", 23, 2, 2, InferLayerNormalization},
      {"Range", 11, 3, 3, InferFolded},
      {"Reciprocal", 1, 1, 1, InferSame},
      {"ReduceL1", 1, 1, 2, InferReduce},
      {"ReduceL2", 1, 1, 2, InferReduce},
      {"ReduceLogSum", 1, 1, 2, InferReduce},
      {"ReduceLogSumExp", 1, 1, 2, InferReduce},
      {"ReduceMax", 1, 1, 2, InferReduce},
      {"ReduceMean", 1, 1, 2, InferReduce},
      {"ReduceMin", 1, 1, 2, InferReduce},
      {"ReduceProd", 1, 1, 2, InferReduce},
      {"ReduceSum", 1, 1, 2, InferReduce},
      {"ReduceSumSquare", 1, 1, 2, InferReduce},
      {"Relu", 1, 1, 1, InferSame},
      {"Reshape", 1, 1, 2, InferReshape},
      {"Resize", 10, 1, 4, InferResize},
      {"Round", 11, 1, 1, InferSame},
      {"Selu", 1, 1, 1, InferSame},
      {"Shape", 1, 1, 1, InferFolded},
      {"Shrink", 9, 1, 1, InferSame},
      {"Sigmoid", 1, 1, 1, InferSame},
      {"Sign", 9, 1, 1, InferSame},
      {"Sin", 7, 1, 1, InferSame},
      {"Sinh", 9, 1, 1, InferSame},
      {"Size", 1, 1, 1, InferFolded},
      {"Slice", 1, 1, 5, InferSlice},
      {"Softmax", 1, 1, 1, InferSoftmax},
      {"Softplus", 1, 1, 1, InferSame},
      {"Softsign", 1, 1, 1, InferSame},
      {"SpaceToDepth", 1, 1, 1, InferSpaceToDepth},
      {"Split", 2, 1, 2, InferSplit},
      {"Sqrt", 1, 1, 1, InferSame},
      {"Squeeze", 1, 1, 2, InferSqueeze},
      {"Sub", 1, 2, 2, InferArithmetic},
      {"Sum", 1, 1, kAnyNumber, InferArithmetic},
      {"Swish", 24, 1, 1, InferSame},
      {"Tan", 7, 1, 1, InferSame},
      {"Tanh", 1, 1, 1, InferSame},
      {"ThresholdedRelu", 10, 1, 1, InferSame},
      {"Tile", 6, 2, 2, InferTile},
      {"TopK", 1, 1, 2, InferTopK},
      {"Transpose", 1, 1, 1, InferTranspose},
      {"Trilu", 14, 1, 2, InferTrilu},
      {"Unsqueeze", 1, 1, 2, InferUnsqueeze},
      {"Upsample", 7, 1, 2, InferResize},
      {"Where", 9, 3, 3, InferWhere},
      {"Xor", 1, 2, 2, InferComparison},
      {"ai.onnx.ml::ArrayFeatureExtractor", 1, 2, 2, InferArrayFeatureExtractor},
      {"ai.onnx.ml::Binarizer", 1, 1, 1, InferSame},
      {"ai.onnx.ml::Normalizer", 1, 1, 1, InferNormalizer},
      {"ai.onnx.ml::Scaler", 1, 1, 1, InferScaler},
      {"ai.onnx.ml::ZipMap", 1, 1, 1, InferZipMap},
      {"halfwave.Dense", 1, 3, 3, InferDense},
      {"halfwave.Observe", 1, 1, 1, InferSame},
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
