#include "model/engine/lowering.h"

#include "model/engine/builder.h"
#include "model/engine/operators.h"
#include "model/kernels/elementwise.h"

namespace halfwave {
namespace {

template <void (*function)(int64_t count, const float* x, float* y)>
absl::Status LowerUnaryWith(Builder& builder) {
  return LowerUnary(builder, function);
}

template <kernels::Reduction reduction>
absl::Status LowerReduceWith(Builder& builder) {
  return LowerReduce(builder, reduction);
}

const OperatorTable& Table() {
  static const auto& table = *new OperatorTable{
      {"Abs", LowerUnaryWith<kernels::Abs>},
      {"Acos", LowerUnaryWith<kernels::Acos>},
      {"Acosh", LowerUnaryWith<kernels::Acosh>},
      {"Add", LowerAdd},
      {"And", LowerAnd},
      {"ArgMax", LowerArgMax},
      {"ArgMin", LowerArgMin},
      {"Asin", LowerUnaryWith<kernels::Asin>},
      {"Asinh", LowerUnaryWith<kernels::Asinh>},
      {"Atan", LowerUnaryWith<kernels::Atan>},
      {"Atanh", LowerUnaryWith<kernels::Atanh>},
      {"AveragePool", LowerAveragePool},
      {"BatchNormalization", LowerBatchNormalization},
      {"Cast", LowerCast},
      {"CastLike", LowerCast},
      {"Ceil", LowerUnaryWith<kernels::Ceil>},
      {"Celu", LowerCelu},
      {"Clip", LowerClip},
      {"Concat", LowerConcat},
      {"Conv", LowerConv},
      {"ConvTranspose", LowerConvTranspose},
      {"Cos", LowerUnaryWith<kernels::Cos>},
      {"Cosh", LowerUnaryWith<kernels::Cosh>},
      {"CumSum", LowerCumSum},
      {"DepthToSpace", LowerDepthToSpace},
      {"Div", LowerDiv},
      {"Dropout", LowerDropout},
      {"Einsum", LowerEinsum},
      {"Elu", LowerElu},
      {"Equal", LowerEqual},
      {"Erf", LowerUnaryWith<kernels::Erf>},
      {"Exp", LowerUnaryWith<kernels::Exp>},
      {"Expand", LowerExpand},
      {"Flatten", LowerReshape},
      {"Floor", LowerUnaryWith<kernels::Floor>},
      {"Gather", LowerGather},
      {"GatherElements", LowerGatherElements},
      {"GatherND", LowerGatherNd},
      {"Gelu", LowerGelu},
      {"Gemm", LowerGemm},
      {"GlobalAveragePool", LowerGlobalAveragePool},
      {"GlobalLpPool", LowerGlobalLpPool},
      {"GlobalMaxPool", LowerGlobalMaxPool},
      {"Greater", LowerGreater},
      {"GreaterOrEqual", LowerGreaterOrEqual},
      {"GroupNormalization", LowerGroupNormalization},
      {"HardSigmoid", LowerHardSigmoid},
      {"HardSwish", LowerHardSwish},
      {"Hardmax", LowerHardmax},
      {"Identity", LowerSameMemory},
      {"InstanceNormalization", LowerInstanceNormalization},
      {"IsInf", LowerIsInf},
      {"IsNaN", LowerUnaryWith<kernels::IsNan>},
      {"LRN", LowerLrn},
      {"LayerNormalization", LowerLayerNormalization},
      {"LeakyRelu", LowerLeakyRelu},
      {"Less", LowerLess},
      {"LessOrEqual", LowerLessOrEqual},
      {"Log", LowerUnaryWith<kernels::Log>},
      {"LogSoftmax", LowerLogSoftmax},
      {"LpNormalization", LowerLpNormalization},
      {"LpPool", LowerLpPool},
      {"MatMul", LowerMatMul},
      {"Max", LowerMax},
      {"MaxPool", LowerMaxPool},
      {"Mean", LowerMean},
      {"MeanVarianceNormalization", LowerMeanVarianceNormalization},
      {"Min", LowerMin},
      {"Mish", LowerMish},
      {"Mod", LowerMod},
      {"Mul", LowerMul},
      {"Neg", LowerUnaryWith<kernels::Negate>},
      {"Not", LowerUnaryWith<kernels::Not>},
      {"OneHot", LowerOneHot},
      {"Or", LowerOr},
      {"PRelu", LowerPRelu},
      {"Pad", LowerPad},
      {"Pow", LowerPow},
      {"RMSNormalization", LowerRmsNormalization},
      {"Reciprocal", LowerUnaryWith<kernels::Reciprocal>},
      {"ReduceL1", LowerReduceWith<kernels::Reduction::kL1>},
      {"ReduceL2", LowerReduceWith<kernels::Reduction::kL2>},
      {"ReduceLogSum", LowerReduceWith<kernels::Reduction::kLogSum>},
      {"ReduceLogSumExp", LowerReduceWith<kernels::Reduction::kLogSumExp>},
      {"ReduceMax", LowerReduceWith<kernels::Reduction::kMax>},
      {"ReduceMean", LowerReduceWith<kernels::Reduction::kMean>},
      {"ReduceMin", LowerReduceWith<kernels::Reduction::kMin>},
      {"ReduceProd", LowerReduceWith<kernels::Reduction::kProd>},
      {"ReduceSum", LowerReduceWith<kernels::Reduction::kSum>},
      {"ReduceSumSquare", LowerReduceWith<kernels::Reduction::kSumSquare>},
      {"Relu", LowerRelu},
      {"Reshape", LowerReshape},
      {"Resize", LowerResize},
      {"Round", LowerUnaryWith<kernels::Round>},
      {"Selu", LowerSelu},
      {"Shrink", LowerShrink},
      {"Sigmoid", LowerSigmoid},
      {"Sign", LowerUnaryWith<kernels::Sign>},
      {"Sin", LowerUnaryWith<kernels::Sin>},
      {"Sinh", LowerUnaryWith<kernels::Sinh>},
      {"Slice", LowerSlice},
      {"Softmax", LowerSoftmax},
      {"Softplus", LowerSoftplus},
      {"Softsign", LowerSoftsign},
      {"SpaceToDepth", LowerSpaceToDepth},
      {"Split", LowerSplit},
      {"Sqrt", LowerUnaryWith<kernels::Sqrt>},
      {"Squeeze", LowerReshape},
      {"Sub", LowerSub},
      {"Sum", LowerSum},
      {"Swish", LowerSwish},
      {"Tan", LowerUnaryWith<kernels::Tan>},
      {"Tanh", LowerTanh},
      {"ThresholdedRelu", LowerThresholdedRelu},
      {"Tile", LowerTile},
      {"TopK", LowerTopK},
      {"Transpose", LowerTranspose},
      {"Trilu", LowerTrilu},
      {"Unsqueeze", LowerReshape},
      {"Upsample", LowerResize},
      {"Where", LowerWhere},
      {"Xor", LowerXor},
      {"ai.onnx.ml::ArrayFeatureExtractor", LowerArrayFeatureExtractor},
      {"ai.onnx.ml::Binarizer", LowerBinarizer},
      {"ai.onnx.ml::Normalizer", LowerNormalizer},
      {"ai.onnx.ml::Scaler", LowerScaler},
      {"ai.onnx.ml::ZipMap", LowerSameMemory},
      {"halfwave.Dense", LowerMatMul},
      {"halfwave.Observe", LowerObserve},
  };
  return table;
}

}  // namespace

absl::StatusOr<Plan> Lower(const Graph& graph, const TypeMap& types, const LoweringOptions& options) {
  return Builder(graph, types, options).Build(Table());
}

std::vector<std::string_view> LoweredOperators() {
  std::vector<std::string_view> operators;
  for (const auto& [name, lower] : Table()) operators.push_back(name);
  return operators;
}

}  // namespace halfwave
