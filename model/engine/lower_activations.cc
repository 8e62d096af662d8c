#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/axes.h"
#include "model/layers/broadcast.h"
#include "model/layers/elementwise.h"

namespace halfwave {
namespace {

// `fused` says how the activation reads as the end of another step, if it can.
absl::Status LowerActivation(Builder& builder, ActivationFamily family, Elementwise::Function function,
                             std::optional<kernels::Activation> fused = std::nullopt) {
  const Value input = builder.Take(0);
  if (fused && builder.FuseActivation(*fused, input, family)) return absl::OkStatus();
  builder.EmitActivation(std::make_unique<Elementwise>(input.elements(), std::move(function)), input, family);
  return absl::OkStatus();
}

// A bound of Clip: an attribute up to opset 10, an optional input since.
absl::StatusOr<float> ClipBound(Builder& builder, size_t input, const char* name, float fallback) {
  if (builder.context().opset() < 11) return builder.Attribute<float>(name, fallback);
  if (!HasInput(builder.node(), input)) return fallback;
  const Constant* number = builder.context().FindConstant(input);
  if (number != nullptr && number->ints.size() == 1) return static_cast<float>(number->ints[0]);
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* bound, builder.Weights(input, name));
  if (bound->floats.size() == 1) return bound->floats[0];
  return builder.context().Invalid(absl::StrCat("its ", name, " has ", bound->floats.size(), " values, expected one"));
}

}  // namespace

absl::Status LowerRelu(Builder& builder) {
  return LowerActivation(builder, ActivationFamily::kRectifier, kernels::Relu,
                         kernels::Activation{kernels::ActivationKind::kRelu, 0, 0});
}

absl::Status LowerLeakyRelu(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 0.01f));
  return LowerActivation(
      builder, ActivationFamily::kLeaky,
      [=](int64_t count, const float* x, float* y) { kernels::LeakyRelu(count, alpha, x, y); },
      kernels::Activation{kernels::ActivationKind::kLeakyRelu, alpha, 0});
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
  const NodeContext context = builder.context();
  const Value input = builder.Take(0);
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* slope, builder.Weights(1, "slope"));
  const Shape slope_shape = SlopeShape(context, slope->shape, input.shape.size());
  const Shape order = InMemoryOrder(input.shape, input.channels_last);
  Operand slopes = Operand::Constant(slope->floats, slope_shape, input.shape);
  slopes.strides = InMemoryOrder(slopes.strides, input.channels_last);
  builder.EmitActivation(
      std::make_unique<Broadcast>(kernels::BinaryOp::kPRelu, order, Operand::Computed(order, order), std::move(slopes)),
      input, ActivationFamily::kLeaky);
  return absl::OkStatus();
}

absl::Status LowerSwish(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 1.0f));
  return LowerActivation(builder, ActivationFamily::kLeaky,
                         [=](int64_t count, const float* x, float* y) { kernels::Swish(count, alpha, x, y); });
}

absl::Status LowerObserve(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string op, builder.Attribute<std::string>("op", "Relu"));
  builder.Observe(builder.Take(0), op, ActivationFamily::kRectifier);
  return absl::OkStatus();
}

absl::Status LowerCelu(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 1.0f));
  return LowerActivation(builder, ActivationFamily::kLeaky,
                         [=](int64_t count, const float* x, float* y) { kernels::Celu(count, alpha, x, y); });
}

absl::Status LowerGelu(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string approximate, builder.Attribute<std::string>("approximate", "none"));
  return LowerActivation(builder, ActivationFamily::kLeaky, approximate == "tanh" ? kernels::GeluTanh : kernels::Gelu);
}

absl::Status LowerHardSigmoid(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 0.2f));
  HALFWAVE_ASSIGN_OR_RETURN(const float beta, builder.Attribute<float>("beta", 0.5f));
  return LowerActivation(builder, ActivationFamily::kSaturating, [=](int64_t count, const float* x, float* y) {
    kernels::HardSigmoid(count, alpha, beta, x, y);
  });
}

absl::Status LowerHardSwish(Builder& builder) {
  return LowerActivation(builder, ActivationFamily::kLeaky, kernels::HardSwish);
}

absl::Status LowerMish(Builder& builder) { return LowerActivation(builder, ActivationFamily::kLeaky, kernels::Mish); }

absl::Status LowerSoftplus(Builder& builder) {
  return LowerActivation(builder, ActivationFamily::kLeaky, kernels::Softplus);
}

absl::Status LowerSoftsign(Builder& builder) {
  return LowerActivation(builder, ActivationFamily::kSaturating, kernels::Softsign);
}

absl::Status LowerThresholdedRelu(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 1.0f));
  return LowerActivation(builder, ActivationFamily::kRectifier, [=](int64_t count, const float* x, float* y) {
    kernels::ThresholdedRelu(count, alpha, x, y);
  });
}

absl::Status LowerClip(Builder& builder) {
  constexpr float kLimit = std::numeric_limits<float>::max();
  HALFWAVE_ASSIGN_OR_RETURN(const float low, ClipBound(builder, 1, "min", -kLimit));
  HALFWAVE_ASSIGN_OR_RETURN(const float high, ClipBound(builder, 2, "max", kLimit));
  auto clip = [=](int64_t count, const float* x, float* y) { kernels::Clip(count, low, high, x, y); };
  const kernels::Activation fused = {kernels::ActivationKind::kClip, std::min(low, high), high};
  if (low == 0 && IsFloat(builder.OutputType())) {  // ReLU6 and its kin
    return LowerActivation(builder, ActivationFamily::kRectifier, clip, fused);
  }
  const Value input = builder.Take(0);
  if (builder.FuseActivation(fused, input, std::nullopt)) return absl::OkStatus();
  builder.Emit(std::make_unique<Elementwise>(input.elements(), clip), {input}, input.channels_last);
  return absl::OkStatus();
}

}  // namespace halfwave
