#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/axes.h"
#include "model/graph/onnx_types.h"
#include "model/graph/rules.h"

namespace halfwave {
namespace {

bool IsSmallInteger(DataType type) {
  return IsInteger(type) && type != DataType::kInt32 && type != DataType::kInt64 && type != DataType::kBool;
}

bool IsUnsigned(DataType type) { return type >= DataType::kUint8 && type <= DataType::kUint64; }

absl::StatusOr<Shape> BroadcastInputs(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(0));
  for (size_t i = 1; i < context.inputs(); ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(const Shape operand, OperandShape(context, i));
    const std::optional<Shape> together = BroadcastShapes(shape, operand);
    if (!together) {
      return context.Invalid(absl::StrCat("cannot combine ", ShapeToString(shape), " and ", ShapeToString(operand)));
    }
    shape = *together;
  }
  return shape;
}

}  // namespace

absl::StatusOr<Types> InferSame(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  return Types{input};
}

absl::StatusOr<Types> InferTruth(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(0));
  return Types{{DataType::kBool, std::move(shape)}};
}

absl::StatusOr<Types> InferArithmetic(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType first, context.Input(0));
  const std::string& op = context.node().op;
  const bool stays_in_range = op == "Max" || op == "Min" || op == "Mod" || (op == "Div" && IsUnsigned(first.type));
  if (IsSmallInteger(first.type) && !stays_in_range) {
    return context.Unsupported(absl::StrCat("computes with ", DataTypeName(first.type),
                                            " at run time, which wraps around; computing is done with floats here"));
  }
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, BroadcastInputs(context));
  return Types{{first.type, std::move(shape)}};
}

absl::StatusOr<Types> InferComparison(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, BroadcastInputs(context));
  return Types{{DataType::kBool, std::move(shape)}};
}

absl::StatusOr<Types> InferWhere(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType chosen, context.Input(1));
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, BroadcastInputs(context));
  return Types{{chosen.type, std::move(shape)}};
}

absl::StatusOr<Types> InferPRelu(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape slope, context.InputShape(1));
  if (BroadcastShapes(input.shape, SlopeShape(context, slope, input.shape.size())) == input.shape) return Types{input};
  return context.Invalid(
      absl::StrCat("a slope of shape ", ShapeToString(slope), " cannot be broadcast to ", ShapeToString(input.shape)));
}

absl::StatusOr<Types> InferGelu(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string approximate, context.Attribute<std::string>("approximate", "none"));
  if (approximate == "none" || approximate == "tanh") return InferSame(context);
  return context.Invalid(absl::StrCat("attribute 'approximate' is '", approximate, "', expected 'none' or 'tanh'"));
}

absl::StatusOr<Types> InferDropout(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  if (context.Has(2)) {
    HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> training, context.Integers(2, "training mode"));
    if (!training.empty() && training[0] != 0) {
      return context.Unsupported("is in training mode; call model.eval() before the export");
    }
  }
  if (context.opset() < 7) {
    HALFWAVE_ASSIGN_OR_RETURN(const int64_t is_test, context.Attribute<int64_t>("is_test", 0));
    if (is_test == 0) return context.Unsupported("is in training mode; call model.eval() before the export");
  }
  return Types{input, {context.opset() < 10 ? input.type : DataType::kBool, input.shape}};
}

absl::StatusOr<Types> InferCast(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t to, context.Attribute<int64_t>("to", 0));
  const std::optional<DataType> type = FromOnnxType(to);
  if (input.type == DataType::kString || !type || *type == DataType::kString) {
    return context.Unsupported(absl::StrCat("attribute 'to' is ", to, ": casts are done between numbers only"));
  }
  input.type = *type;
  return Types{input};
}

absl::StatusOr<Types> InferCastLike(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(TensorType input, context.Input(0));
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType like, context.Input(1));
  input.type = like.type;
  return Types{input};
}

}  // namespace halfwave
