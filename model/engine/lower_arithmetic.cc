#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/layers/dense.h"
#include "model/layers/elementwise.h"

namespace halfwave {
namespace {

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

// One operand that is computed and one that the file holds, or two that are computed.
absl::Status LowerBinary(Builder& builder, kernels::Arithmetic arithmetic) {
  const auto& constants = builder.graph().constants;
  const bool left = constants.contains(builder.node().inputs[0]);
  if (!left && !constants.contains(builder.node().inputs[1])) {
    const Value a = builder.Take(0);
    const Value b = a.channels_last ? builder.TakeChannelsLast(1) : builder.TakeRowMajor(1);
    builder.Emit(std::make_unique<CombineInputs>(arithmetic, RowElements(a.shape)), {a, b}, a.channels_last);
    return absl::OkStatus();
  }
  const Value input = builder.Take(left ? 1 : 0);
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* operand, builder.Weights(left ? 0 : 1, "operand"));
  std::vector<float> row = BroadcastToRow(operand->floats, operand->shape, input.shape, input.channels_last);
  if (arithmetic == kernels::Arithmetic::kDivide && !left && std::count(row.begin(), row.end(), 0.0f) > 0) {
    return NodeError(absl::StatusCode::kInvalidArgument, builder.graph(), builder.node(), "divides by zero");
  }
  auto combine = [arithmetic, left, row = std::move(row)](int64_t rows, int64_t elements, const float* x, float* y) {
    for (int64_t r = 0; r < rows; ++r, x += elements, y += elements) {
      kernels::Combine(arithmetic, elements, left ? row.data() : x, left ? x : row.data(), y);
    }
  };
  builder.Emit(std::make_unique<RowWise>(RowElements(input.shape), std::move(combine)), {input}, input.channels_last);
  return absl::OkStatus();
}

// Which elements of a row a softmax normalises together.
struct Groups {
  int64_t groups = 1, length = 1, stride = 1;
};

absl::StatusOr<Groups> SoftmaxGroups(Builder& builder, const Shape& shape) {
  const bool flattens = builder.graph().opset < 13;  // older ones normalise over all dimensions from the axis on
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t axis, builder.Attribute<int64_t>("axis", flattens ? 1 : -1));
  const size_t first = *NormalizeAxis(axis, shape.size());
  Groups result;
  for (size_t i = 1; i < shape.size(); ++i) {
    int64_t& factor = i < first ? result.groups : (i == first || flattens) ? result.length : result.stride;
    factor *= shape[i];
  }
  return result;
}

using SoftmaxKernel = void (*)(int64_t groups, int64_t length, int64_t stride, const float* x, float* y);

absl::Status LowerSoftmaxWith(Builder& builder, SoftmaxKernel kernel) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const Groups groups, SoftmaxGroups(builder, input.shape));
  auto softmax = [=](int64_t rows, int64_t, const float* x, float* y) {
    kernel(rows * groups.groups, groups.length, groups.stride, x, y);
  };
  builder.Emit(std::make_unique<RowWise>(RowElements(input.shape), softmax), {input}, false);
  return absl::OkStatus();
}

}  // namespace

absl::Status LowerAdd(Builder& builder) { return LowerBinary(builder, kernels::Arithmetic::kAdd); }
absl::Status LowerSub(Builder& builder) { return LowerBinary(builder, kernels::Arithmetic::kSubtract); }
absl::Status LowerMul(Builder& builder) { return LowerBinary(builder, kernels::Arithmetic::kMultiply); }
absl::Status LowerDiv(Builder& builder) { return LowerBinary(builder, kernels::Arithmetic::kDivide); }
absl::Status LowerSoftmax(Builder& builder) { return LowerSoftmaxWith(builder, kernels::Softmax); }
absl::Status LowerLogSoftmax(Builder& builder) { return LowerSoftmaxWith(builder, kernels::LogSoftmax); }

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

}  // namespace halfwave
