#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/rules.h"
#include "model/graph/window.h"

namespace halfwave {
absl::StatusOr<Types> InferPool(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Images(3));
  if (input.shape.size() > 5) return context.Unsupported("pools of more than three dimensions are not supported");
  HALFWAVE_ASSIGN_OR_RETURN(const Window window, ResolveWindow(context, std::span(input.shape).subspan(2), {}));
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    const int64_t extent = (window.kernel[i] - 1) * window.dilations[i] + 1;
    if (std::max(window.pads_begin[i], window.pads_end[i]) >= extent) {
      return context.Invalid(absl::StrCat("padding ", window.pads_begin[i], "+", window.pads_end[i],
                                          " is not smaller than the window of ", extent,
                                          ": some windows would hold no data"));
    }
  }
  if (context.node().op == "LpPool") {
    HALFWAVE_ASSIGN_OR_RETURN(const int64_t p, context.Attribute<int64_t>("p", 2));
    if (p < 1) return context.Invalid(absl::StrCat("attribute 'p' is ", p, ", expected 1 or more"));
  }
  const auto& outputs = context.node().outputs;
  if (outputs.size() > 1 && !outputs[1].empty()) {
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, 0));  // places are counted through the whole batch
  }
  Shape shape{input.shape[0], input.shape[1]};
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  return Types{{input.type, shape}, {DataType::kInt64, shape}};  // MaxPool's second output: where the maximum was
}

absl::StatusOr<Types> InferGlobalPool(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Images(3));
  if (context.node().op == "GlobalLpPool") {
    HALFWAVE_ASSIGN_OR_RETURN(const int64_t p, context.Attribute<int64_t>("p", 2));
    if (p < 1) return context.Invalid(absl::StrCat("attribute 'p' is ", p, ", expected 1 or more"));
  }
  std::fill(input.shape.begin() + 2, input.shape.end(), 1);
  return Types{input};
}

}  // namespace halfwave
