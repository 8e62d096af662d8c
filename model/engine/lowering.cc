#include "model/engine/lowering.h"

#include "model/engine/builder.h"
#include "model/engine/operators.h"

namespace halfwave {
namespace {

const OperatorTable& Table() {
  static const auto& table = *new OperatorTable{
      {"Add", LowerAdd},
      {"AveragePool", LowerAveragePool},
      {"BatchNormalization", LowerBatchNormalization},
      {"Celu", LowerCelu},
      {"Clip", LowerClip},
      {"Concat", LowerConcat},
      {"Conv", LowerConv},
      {"Div", LowerDiv},
      {"Dropout", LowerSameMemory},
      {"Elu", LowerElu},
      {"Flatten", LowerReshape},
      {"Gelu", LowerGelu},
      {"Gemm", LowerGemm},
      {"GlobalAveragePool", LowerGlobalAveragePool},
      {"GlobalMaxPool", LowerGlobalMaxPool},
      {"HardSigmoid", LowerHardSigmoid},
      {"HardSwish", LowerHardSwish},
      {"Identity", LowerSameMemory},
      {"LeakyRelu", LowerLeakyRelu},
      {"LogSoftmax", LowerLogSoftmax},
      {"MatMul", LowerMatMul},
      {"MaxPool", LowerMaxPool},
      {"Mish", LowerMish},
      {"Mul", LowerMul},
      {"PRelu", LowerPRelu},
      {"Relu", LowerRelu},
      {"Reshape", LowerReshape},
      {"Selu", LowerSelu},
      {"Sigmoid", LowerSigmoid},
      {"Slice", LowerSlice},
      {"Softmax", LowerSoftmax},
      {"Softplus", LowerSoftplus},
      {"Softsign", LowerSoftsign},
      {"Squeeze", LowerReshape},
      {"Sub", LowerSub},
      {"Tanh", LowerTanh},
      {"ThresholdedRelu", LowerThresholdedRelu},
      {"Transpose", LowerTranspose},
      {"Unsqueeze", LowerReshape},
  };
  return table;
}

}  // namespace

absl::StatusOr<Plan> Lower(const Graph& graph, const ShapeMap& shapes) { return Builder(graph, shapes).Build(Table()); }

std::vector<std::string_view> LoweredOperators() {
  std::vector<std::string_view> operators;
  for (const auto& [name, lower] : Table()) operators.push_back(name);
  return operators;
}

}  // namespace halfwave
