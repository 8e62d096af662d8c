#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/window.h"
#include "model/layers/conv.h"
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

absl::StatusOr<kernels::Window> PoolWindow(Builder& builder, const Value& input) {
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveWindow(builder.graph(), builder.node(), std::span(input.shape).subspan(2), {}));
  return ToKernelWindow(window, input.shape);
}

}  // namespace

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
  builder.Emit(std::make_unique<Conv>(ToKernelWindow(window, input.shape), group, weights->shape[0], weights->floats,
                                      std::move(bias)),
               {input}, true);
  return absl::OkStatus();
}

absl::Status LowerMaxPool(Builder& builder) {
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window window, PoolWindow(builder, input));
  builder.Emit(std::make_unique<MaxPool>(window), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerAveragePool(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t count_padding, builder.Attribute<int64_t>("count_include_pad", 0));
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window window, PoolWindow(builder, input));
  builder.Emit(std::make_unique<AveragePool>(window, count_padding != 0), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerGlobalAveragePool(Builder& builder) {
  const Value input = builder.TakeChannelsLast(0);
  const RowLayout layout = input.layout();
  builder.Emit(std::make_unique<GlobalAveragePool>(layout.positions, layout.channels), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerGlobalMaxPool(Builder& builder) {
  const Value input = builder.TakeChannelsLast(0);
  const RowLayout layout = input.layout();
  builder.Emit(std::make_unique<GlobalMaxPool>(layout.positions, layout.channels), {input}, true);
  return absl::OkStatus();
}

}  // namespace halfwave
