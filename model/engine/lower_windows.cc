#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/window.h"
#include "model/layers/conv2d.h"
#include "model/layers/pool.h"

namespace halfwave {
namespace {

kernels::Window2d ToWindow2d(const Window& window, const Shape& input) {
  return {.height = input[2],
          .width = input[3],
          .channels = input[1],
          .kernel_height = window.kernel[0],
          .kernel_width = window.kernel[1],
          .stride_y = window.strides[0],
          .stride_x = window.strides[1],
          .dilation_y = window.dilations[0],
          .dilation_x = window.dilations[1],
          .pad_top = window.pads_begin[0],
          .pad_left = window.pads_begin[1],
          .pad_bottom = window.pads_end[0],
          .pad_right = window.pads_end[1],
          .out_height = window.output[0],
          .out_width = window.output[1]};
}

absl::StatusOr<kernels::Window2d> PoolWindow(Builder& builder, const Value& input) {
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveWindow(builder.graph(), builder.node(), std::span(input.shape).subspan(2), {}));
  return ToWindow2d(window, input.shape);
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
  builder.Emit(std::make_unique<Conv2d>(ToWindow2d(window, input.shape), group, weights->shape[0], weights->floats,
                                        std::move(bias)),
               {input}, true);
  return absl::OkStatus();
}

absl::Status LowerMaxPool(Builder& builder) {
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window2d window, PoolWindow(builder, input));
  builder.Emit(std::make_unique<MaxPool>(window), {input}, true);
  return absl::OkStatus();
}

absl::Status LowerAveragePool(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t count_padding, builder.Attribute<int64_t>("count_include_pad", 0));
  const Value input = builder.TakeChannelsLast(0);
  HALFWAVE_ASSIGN_OR_RETURN(const kernels::Window2d window, PoolWindow(builder, input));
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
