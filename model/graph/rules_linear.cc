#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/axes.h"
#include "model/graph/rules.h"
#include "model/graph/window.h"

namespace halfwave {
namespace {

// One constant value per channel, called `role`.
absl::Status ExpectPerChannel(const NodeContext& context, size_t index, const std::string& role, int64_t channels) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* values, context.Floats(index, role));
  if (values->shape == Shape{channels}) return absl::OkStatus();
  return context.Invalid(
      absl::StrCat(role, " is of shape ", ShapeToString(values->shape), ", expected [", channels, "]"));
}

absl::Status ExpectBroadcastTo(const NodeContext& context, size_t index, const std::string& role, const Shape& shape) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* values, context.Floats(index, role));
  const std::optional<Shape> together = BroadcastShapes(shape, values->shape);
  if (together == shape) return absl::OkStatus();
  return context.Invalid(
      absl::StrCat(role, " of shape ", ShapeToString(values->shape), " cannot be broadcast to ", ShapeToString(shape)));
}

}  // namespace

absl::StatusOr<Types> InferGemm(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType a, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType b, context.Input(1));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t trans_a, context.Attribute<int64_t>("transA", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t trans_b, context.Attribute<int64_t>("transB", 0));
  if (a.shape.size() != 2 || b.shape.size() != 2) {
    return context.Invalid(
        absl::StrCat("multiplies matrices, found ", ShapeToString(a.shape), " and ", ShapeToString(b.shape)));
  }
  const size_t inner_a = trans_a != 0 ? 0 : 1, inner_b = trans_b != 0 ? 1 : 0;
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(a.shape, inner_a));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(b.shape, inner_b));
  if (a.shape[inner_a] != b.shape[inner_b]) {
    return context.Invalid(
        absl::StrCat("its weights take ", b.shape[inner_b], " features, but the input has ", a.shape[inner_a]));
  }
  Shape shape{a.shape[1 - inner_a], b.shape[1 - inner_b]};
  if (context.Has(2)) {
    HALFWAVE_ASSIGN_OR_RETURN(const Shape c, context.InputShape(2));
    if (BroadcastShapes(shape, c) != shape) {
      return context.Invalid(
          absl::StrCat("bias of shape ", ShapeToString(c), " cannot be broadcast to ", ShapeToString(shape)));
    }
  }
  return Types{{a.type, std::move(shape)}};
}

absl::StatusOr<Types> InferMatMul(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType left, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape right, context.InputShape(1));
  Shape a = left.shape, b = right;
  const auto refuse = [&] {
    return context.Invalid(absl::StrCat("cannot multiply ", ShapeToString(left.shape), " by ", ShapeToString(right)));
  };
  if (a.empty() || b.empty()) return refuse();
  const bool vector_a = a.size() == 1, vector_b = b.size() == 1;
  if (vector_a) a.insert(a.begin(), 1);
  if (vector_b) b.push_back(1);
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(a, a.size() - 1));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(b, b.size() - 2));
  const std::optional<Shape> leading = BroadcastShapes(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (a.back() != b[b.size() - 2] || !leading) return refuse();
  Shape shape = *leading;
  if (!vector_a) shape.push_back(a[a.size() - 2]);
  if (!vector_b) shape.push_back(b.back());
  return Types{{left.type, std::move(shape)}};
}

absl::StatusOr<Types> InferDense(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights, context.Floats(1, "weights"));
  if (weights->shape.size() != 2) return context.Invalid("its weights are not a matrix");
  HALFWAVE_ASSIGN_OR_RETURN(Types types, InferMatMul(context));
  HALFWAVE_RETURN_IF_ERROR(ExpectPerChannel(context, 2, "bias", weights->shape[1]));
  return types;
}

absl::StatusOr<Types> InferConv(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Images(3));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights, context.Floats(1, "weights"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t group, context.Attribute<int64_t>("group", 1));
  const Shape& w = weights->shape;
  const Shape& x = input.shape;
  if (x.size() > 5) return context.Unsupported("convolutions of more than three dimensions are not supported");
  if (w.size() != x.size() || group < 1 || w[0] < 1 || w[0] % group != 0 || x[1] % group != 0 || w[1] != x[1] / group) {
    return context.Invalid(absl::StrCat("weights of shape ", ShapeToString(w), " and group ", group,
                                        " do not fit an input of shape ", ShapeToString(x)));
  }
  if (context.Has(2)) HALFWAVE_RETURN_IF_ERROR(ExpectPerChannel(context, 2, "bias", w[0]));
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveWindow(context, std::span(x).subspan(2), std::span(w).subspan(2)));
  Shape shape{x[0], w[0]};
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  return Types{{input.type, std::move(shape)}};
}

absl::StatusOr<Types> InferConvTranspose(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Images(3));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* weights, context.Floats(1, "weights"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t group, context.Attribute<int64_t>("group", 1));
  const Shape& w = weights->shape;
  const Shape& x = input.shape;
  if (x.size() > 5) return context.Unsupported("convolutions of more than three dimensions are not supported");
  constexpr int64_t kMostGroups = int64_t{1} << 24;
  if (w.size() != x.size() || group < 1 || group > kMostGroups || w[1] < 1 || w[1] > kMostGroups || x[1] % group != 0 ||
      w[0] != x[1]) {
    return context.Invalid(absl::StrCat("weights of shape ", ShapeToString(w), " and group ", group,
                                        " do not fit an input of shape ", ShapeToString(x)));
  }
  const int64_t channels = w[1] * group;
  if (context.Has(2)) HALFWAVE_RETURN_IF_ERROR(ExpectPerChannel(context, 2, "bias", channels));
  HALFWAVE_ASSIGN_OR_RETURN(const Window window,
                            ResolveTransposedWindow(context, std::span(x).subspan(2), std::span(w).subspan(2)));
  Shape shape{x[0], channels};
  shape.insert(shape.end(), window.output.begin(), window.output.end());
  return Types{{input.type, std::move(shape)}};
}

absl::StatusOr<Types> InferBatchNormalization(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Images(2));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t training, context.Attribute<int64_t>("training_mode", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t spatial, context.Attribute<int64_t>("spatial", 1));
  if (training != 0 || (context.opset() < 14 && context.node().outputs.size() > 1)) {
    return context.Unsupported("is in training mode; call model.eval() before the export");
  }
  if (spatial == 0 && input.shape.size() > 2) {
    return context.Unsupported("attribute 'spatial' is 0; statistics per position are not supported");
  }
  constexpr const char* kRoles[] = {"", "scale", "bias", "mean", "variance"};
  for (size_t i = 1; i <= 4; ++i) {
    HALFWAVE_RETURN_IF_ERROR(ExpectPerChannel(context, i, kRoles[i], input.shape[1]));
  }
  return Types{input};
}

absl::StatusOr<Types> InferInstanceNormalization(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Images(3));
  HALFWAVE_RETURN_IF_ERROR(ExpectPerChannel(context, 1, "scale", input.shape[1]));
  HALFWAVE_RETURN_IF_ERROR(ExpectPerChannel(context, 2, "bias", input.shape[1]));
  return Types{input};
}

absl::StatusOr<Types> InferGroupNormalization(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Images(2));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t groups, context.Attribute<int64_t>("num_groups", 0));
  if (groups < 1 || input.shape[1] % groups != 0) {
    return context.Invalid(
        absl::StrCat("attribute 'num_groups' is ", groups, ", which does not divide ", input.shape[1], " channels"));
  }
  const int64_t scales = context.opset() < 21 ? groups : input.shape[1];  // one per channel since
  HALFWAVE_RETURN_IF_ERROR(ExpectPerChannel(context, 1, "scale", scales));
  HALFWAVE_RETURN_IF_ERROR(ExpectPerChannel(context, 2, "bias", scales));
  return Types{input};
}

// Also RMSNormalization: over all dimensions from 'axis' on.
absl::StatusOr<Types> InferLayerNormalization(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", -1));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, context.Axis("axis", named, input.shape.size()));
  TensorType statistics{DataType::kFloat, input.shape};
  Shape normalized;
  for (size_t i = axis; i < input.shape.size(); ++i) {
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, i));
    normalized.push_back(input.shape[i]);
    statistics.shape[i] = 1;
  }
  HALFWAVE_RETURN_IF_ERROR(ExpectBroadcastTo(context, 1, "scale", normalized));
  if (context.Has(2)) HALFWAVE_RETURN_IF_ERROR(ExpectBroadcastTo(context, 2, "bias", normalized));
  return Types{input, statistics, statistics};
}

absl::StatusOr<Types> InferMeanVarianceNormalization(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const auto named, context.Attribute("axes", std::vector<int64_t>{0, 2, 3}));
  HALFWAVE_ASSIGN_OR_RETURN(const auto axes, context.Axes("axes", named, input.shape.size()));
  for (const size_t axis : axes) HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(input.shape, axis));
  return Types{input};
}

absl::StatusOr<Types> InferLrn(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, context.Images(2));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t size, context.Attribute<int64_t>("size", 0));
  if (size < 1) return context.Invalid(absl::StrCat("attribute 'size' is ", size, ", expected 1 or more"));
  return Types{input};
}

}  // namespace halfwave
