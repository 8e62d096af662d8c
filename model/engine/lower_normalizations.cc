#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/layers/elementwise.h"
#include "model/layers/normalize.h"

namespace halfwave {
namespace {

// Scale and bias of GroupNormalization, one per channel: up to opset 20 the file has one per group.
std::vector<float> PerChannel(const std::vector<float>& values, int64_t channels) {
  const int64_t repeats = channels / static_cast<int64_t>(values.size());
  std::vector<float> result(channels);
  for (int64_t channel = 0; channel < channels; ++channel) result[channel] = values[channel / repeats];
  return result;
}

absl::Status LowerGroups(Builder& builder, int64_t groups) {
  HALFWAVE_ASSIGN_OR_RETURN(const float epsilon, builder.Attribute<float>("epsilon", 1e-5f));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* scale, builder.Weights(1, "scale"));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* bias, builder.Weights(2, "bias"));
  const Value input = builder.TakeRowMajor(0);
  const RowLayout layout = input.layout();
  if (groups == 0) groups = layout.channels;
  builder.Emit(std::make_unique<GroupNorm>(groups, layout.channels, layout.positions, epsilon,
                                           PerChannel(scale->floats, layout.channels),
                                           PerChannel(bias->floats, layout.channels), layout.images),
               {input}, false);
  return absl::OkStatus();
}

absl::Status LowerLayerNorm(Builder& builder, LayerNorm::Kind kind) {
  HALFWAVE_ASSIGN_OR_RETURN(const float epsilon, builder.Attribute<float>("epsilon", 1e-5f));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, builder.Attribute<int64_t>("axis", -1));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* scale, builder.Weights(1, "scale"));
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, builder.context().Axis("axis", named, input.shape.size()));
  const Shape normalized(input.shape.begin() + static_cast<std::ptrdiff_t>(axis), input.shape.end());
  const int64_t length = RowElements(normalized);
  std::vector<float> bias;
  if (builder.context().Has(2)) {
    HALFWAVE_ASSIGN_OR_RETURN(const Constant* values, builder.Weights(2, "bias"));
    bias = BroadcastToRow(values->floats, values->shape, normalized, false);
  }
  const int64_t groups = input.elements() / length;
  // Before the output, which may be the memory of the input.
  for (const auto& [index, moment] : {std::pair(1, Moments::Output::kMean), {2, Moments::Output::kInverseDeviation}}) {
    if (!builder.OutputIsUsed(index)) continue;
    if (kind != LayerNorm::Kind::kMeanAndVariance) return builder.context().Invalid("has one output only");
    builder.Emit(std::make_unique<Moments>(groups, length, epsilon, moment), {input}, false, index);
  }
  if (builder.node().outputs[0].empty()) return absl::OkStatus();
  builder.Emit(
      std::make_unique<LayerNorm>(kind, groups, length, epsilon,
                                  BroadcastToRow(scale->floats, scale->shape, normalized, false), std::move(bias)),
      {input}, false);
  return absl::OkStatus();
}

}  // namespace

absl::Status LowerInstanceNormalization(Builder& builder) { return LowerGroups(builder, 0); }

absl::Status LowerGroupNormalization(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t groups, builder.Attribute<int64_t>("num_groups", 1));
  return LowerGroups(builder, groups);
}

absl::Status LowerLayerNormalization(Builder& builder) {
  return LowerLayerNorm(builder, LayerNorm::Kind::kMeanAndVariance);
}

absl::Status LowerRmsNormalization(Builder& builder) {
  return LowerLayerNorm(builder, LayerNorm::Kind::kRootMeanSquare);
}

absl::Status LowerMeanVarianceNormalization(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const auto named, builder.Attribute("axes", std::vector<int64_t>{0, 2, 3}));
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const auto axes, builder.context().Axes("axes", named, input.shape.size()));
  const std::vector<int64_t> reduced(axes.begin(), axes.end());
  builder.Emit(std::make_unique<MeanVarianceNorm>(input.shape, reduced), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerLrn(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t size, builder.Attribute<int64_t>("size", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 1e-4f));
  HALFWAVE_ASSIGN_OR_RETURN(const float beta, builder.Attribute<float>("beta", 0.75f));
  HALFWAVE_ASSIGN_OR_RETURN(const float bias, builder.Attribute<float>("bias", 1.0f));
  const Value input = builder.TakeRowMajor(0);
  const RowLayout layout = input.layout();
  builder.Emit(
      std::make_unique<LocalResponseNorm>(layout.channels, layout.positions, size, alpha, beta, bias, layout.images),
      {input}, false);
  return absl::OkStatus();
}

absl::Status LowerLpNormalization(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t p, builder.Attribute<int64_t>("p", 2));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, builder.Attribute<int64_t>("axis", -1));
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, builder.context().Axis("axis", named, input.shape.size()));
  const int64_t stride = RowMajorStrides(input.shape)[axis];
  const int64_t length = input.shape[axis];
  auto normalize = [=](int64_t rows, int64_t elements, const float* x, float* y) {
    kernels::LpNorm(rows * elements / (length * stride), length, stride, static_cast<int>(p), x, y);
  };
  builder.Emit(std::make_unique<RowWise>(input.elements(), normalize), {input}, false);
  return absl::OkStatus();
}

}  // namespace halfwave
