#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/axes.h"
#include "model/graph/rules.h"

namespace halfwave {

absl::StatusOr<Types> InferReduce(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<size_t> axes, ResolveReducedAxes(context, input.shape.size()));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t keep, context.Attribute<int64_t>("keepdims", 1));
  TensorType output{input.type, {}};
  for (size_t i = 0; i < input.shape.size(); ++i) {
    if (!std::binary_search(axes.begin(), axes.end(), i)) {
      output.shape.push_back(input.shape[i]);
      continue;
    }
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, i));
    if (keep != 0) output.shape.push_back(1);
  }
  return Types{output};
}

absl::StatusOr<Types> InferArgExtreme(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t keep, context.Attribute<int64_t>("keepdims", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, context.Axis("axis", named, shape.size()));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(shape, axis));
  shape[axis] = 1;
  if (keep == 0) shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(axis));
  return Types{{DataType::kInt64, std::move(shape)}};
}

absl::StatusOr<Types> InferTopK(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", -1));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, context.Axis("axis", named, input.shape.size()));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, axis));
  std::vector<int64_t> k(1);
  if (context.opset() < 10) {
    HALFWAVE_ASSIGN_OR_RETURN(k[0], context.Attribute<int64_t>("k", 0));
  } else {
    HALFWAVE_ASSIGN_OR_RETURN(k, context.Integers(1, "k"));
  }
  if (k.size() != 1 || k[0] < 1 || k[0] > input.shape[axis]) {
    return context.Invalid(absl::StrCat("takes the top ", ShapeToString(k), " of ", input.shape[axis], " elements"));
  }
  input.shape[axis] = k[0];
  return Types{input, {DataType::kInt64, input.shape}};
}

absl::StatusOr<Types> InferSoftmax(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const SoftmaxAxes axes, ResolveSoftmax(context, input.shape.size()));
  for (size_t i = 0; i < axes.count; ++i) {
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, axes.first + i));
  }
  return Types{input};
}

absl::StatusOr<Types> InferAlongAxis(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  int64_t named = -1;
  if (context.node().op == "CumSum") {
    HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> axis, context.Integers(1, "axis"));
    if (axis.size() != 1) return context.Invalid("works along one axis, expected one number");
    named = axis[0];
  } else {
    HALFWAVE_ASSIGN_OR_RETURN(named, context.Attribute<int64_t>("axis", -1));
  }
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, context.Axis("axis", named, input.shape.size()));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, axis));
  return Types{input};
}

}  // namespace halfwave
