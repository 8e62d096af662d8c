#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/window.h"
#include "model/layers/conv.h"
#include "model/layers/image_conv.h"
#include "model/layers/pool.h"

namespace halfwave {
namespace {

// For up to three spatial dimensions.
kernels::Window ToKernelWindow(const Window& window, const Shape& input) {
  kernels::Window result;
  result.channels = input[1];
  const size_t first = result.size.size() - window.kernel.size();
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    result.size[first + i] = input[2 + i];
    result.kernel[first + i] = window.kernel[i];
    result.strides[first + i] = window.strides[i];
    result.dilations[first + i] = window.dilations[i];
    result.pads_begin[first + i] = window.pads_begin[i];
    result.pads_end[first + i] = window.pads_end[i];
    result.out[first + i] = window.output[i];
  }
  return result;
}

// Whether windows of 2x2 cover an image, none of them twice.
bool IsSideBySide(const kernels::Window& w) {
  using Sizes = kernels::Window::Sizes;
  return w.kernel == Sizes{1, 2, 2} && w.strides[1] == 2 && w.strides[2] == 2 && w.pads_begin == Sizes{} &&
         w.dilations[1] == 1 && w.dilations[2] == 1 && w.out == Sizes{1, w.size[1] / 2, w.size[2] / 2};
}

absl::StatusOr<kernels::Window> PoolWindow(Builder& builder, const Value& input) {
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveWindow(builder.context(), std::span(input.shape).subspan(2), {}));
  return ToKernelWindow(window, input.shape);
}

absl::StatusOr<std::vector<float>> BiasOrZero(Builder& builder, int64_t channels) {
  if (!builder.context().Has(2)) return std::vector<float>(channels, 0.0f);
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* bias, builder.Weights(2, "bias"));
  return bias->floats;
}

}  // namespace

absl::Status LowerConv(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights, builder.Weights(1, "weights"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t group, builder.Attribute<int64_t>("group", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<float> bias, BiasOrZero(builder, weights->shape[0]));
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const Window window, ResolveWindow(builder.context(), std::span(input.shape).subspan(2),
                                                               std::span(weights->shape).subspan(2)));
  const kernels::Window kernel_window = ToKernelWindow(window, input.shape);
  const int64_t images = input.shape[0], out = weights->shape[0];
  const WeightFormat format = builder.weight_format();
  HALFWAVE_RETURN_IF_ERROR(builder.ExpectStorable(weights->floats));
  if (ImageConv::Supports(kernel_window, group, out)) {
    builder.Emit(std::make_unique<ImageConv>(kernel_window, group, out, weights->floats, bias, images, format), {input},
                 true);
  } else {
    builder.Emit(std::make_unique<Conv>(kernel_window, group, out, weights->floats, bias, images, format), {input},
                 true);
  }
  return absl::OkStatus();
}

absl::Status LowerConvTranspose(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights, builder.Weights(1, "weights"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t group, builder.Attribute<int64_t>("group", 1));
  HALFWAVE_RETURN_IF_ERROR(builder.ExpectStorable(weights->floats));
  const int64_t channels = weights->shape[1] * group;
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<float> bias, BiasOrZero(builder, channels));
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveTransposedWindow(builder.context(), std::span(input.shape).subspan(2),
                                                    std::span(weights->shape).subspan(2)));
  builder.Emit(std::make_unique<ConvTranspose>(ToKernelWindow(window, input.shape), group, channels, weights->floats,
                                               bias, input.shape[0], builder.weight_format()),
               {input}, true);
  return absl::OkStatus();
}

absl::Status LowerMaxPool(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t column_major, builder.Attribute<int64_t>("storage_order", 0));
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window window, PoolWindow(builder, input));
  const int64_t images = input.shape[0];
  if (IsSideBySide(window) && !builder.OutputIsUsed(1) && builder.FuseMaxPool(input)) return absl::OkStatus();
  if (builder.OutputIsUsed(0)) builder.Emit(std::make_unique<MaxPool>(window, images), {input}, true);
  if (builder.OutputIsUsed(1)) {
    builder.Emit(std::make_unique<MaxPoolIndices>(window, column_major != 0, images), {input}, true, 1);
  }
  return absl::OkStatus();
}

absl::Status LowerAveragePool(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t count_padding, builder.Attribute<int64_t>("count_include_pad", 0));
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window window, PoolWindow(builder, input));
  builder.Emit(std::make_unique<AveragePool>(window, count_padding != 0, input.shape[0]), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerLpPool(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t p, builder.Attribute<int64_t>("p", 2));
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window window, PoolWindow(builder, input));
  builder.Emit(std::make_unique<LpPool>(window, static_cast<float>(p), input.shape[0]), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerGlobalAveragePool(Builder& builder) {
  const Value input = builder.TakeChannelsLast(0);
  const RowLayout layout = input.layout();
  builder.Emit(std::make_unique<GlobalAveragePool>(layout.positions, layout.channels, layout.images), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerGlobalMaxPool(Builder& builder) {
  const Value input = builder.TakeChannelsLast(0);
  const RowLayout layout = input.layout();
  builder.Emit(std::make_unique<GlobalMaxPool>(layout.positions, layout.channels, layout.images), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerGlobalLpPool(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t p, builder.Attribute<int64_t>("p", 2));
  const Value input = builder.TakeChannelsLast(0);
  const RowLayout layout = input.layout();
  builder.Emit(std::make_unique<GlobalLpPool>(layout.positions, layout.channels, static_cast<float>(p), layout.images),
               {input}, true);
  return absl::OkStatus();
}

}  // namespace halfwave
