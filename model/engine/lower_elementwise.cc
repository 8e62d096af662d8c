#include <algorithm>
#include <cmath>
#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/floats_of.h"
#include "model/engine/operators.h"
#include "model/graph/axes.h"
#include "model/graph/onnx_types.h"
#include "model/layers/broadcast.h"
#include "model/layers/elementwise.h"

namespace halfwave {
namespace {

using kernels::BinaryOp;

// An operand of a node: a constant, or a value that is computed.
struct Term {
  Shape shape;  // as it broadcasts
  const Constant* constant = nullptr;
  Value value;
};

absl::StatusOr<Term> TakeTerm(Builder& builder, size_t index, bool as_data) {
  Term term;
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, OperandShape(builder.context(), index));
  term.shape = RowShape(shape);
  term.constant = as_data ? nullptr : builder.context().FindConstant(index);
  if (term.constant == nullptr) term.value = builder.Take(index);
  return term;
}

bool AnyIsComputed(const Builder& builder) {
  for (size_t i = 0; i < builder.node().inputs.size(); ++i) {
    if (builder.context().IsComputed(i)) return true;
  }
  return false;
}

// All operands, for one step; one of them at least is data, as a layer needs it.
absl::StatusOr<std::vector<Term>> TakeTerms(Builder& builder) {
  const bool any_computed = AnyIsComputed(builder);
  std::vector<Term> terms;
  for (size_t i = 0; i < builder.node().inputs.size(); ++i) {
    HALFWAVE_ASSIGN_OR_RETURN(Term term, TakeTerm(builder, i, !any_computed && i == 0));
    terms.push_back(std::move(term));
  }
  return terms;
}

// The output takes the layout of an operand that has all its elements.
bool OutputIsChannelsLast(const std::vector<Term>& terms, const Shape& output) {
  return std::any_of(terms.begin(), terms.end(), [&](const Term& term) {
    return term.constant == nullptr && term.value.channels_last && term.value.shape == output;
  });
}

// The operand as the layer reads it; what is computed is added to the layer's inputs.
Operand ToOperand(Builder& builder, const Term& term, const Shape& output, bool channels_last,
                  std::vector<Value>& inputs) {
  if (term.constant == nullptr) {
    const bool whole = term.value.shape == output;
    inputs.push_back(builder.ToLayout(term.value, whole && channels_last));
    if (whole) {
      const Shape order = InMemoryOrder(output, channels_last);
      return Operand::Computed(order, order);
    }
  }
  Operand operand = term.constant != nullptr ? Operand::Constant(FloatsOf(*term.constant), term.shape, output)
                                             : Operand::Computed(term.shape, output);
  operand.strides = InMemoryOrder(operand.strides, channels_last);
  return operand;
}

struct Combination {
  std::unique_ptr<Layer> layer;
  std::vector<Value> inputs;
  bool channels_last;
};

Combination Combine(Builder& builder, BinaryOp op, const Term& a, const Term& b, const Shape& output) {
  Combination result;
  result.channels_last = OutputIsChannelsLast({a, b}, output);
  Operand left = ToOperand(builder, a, output, result.channels_last, result.inputs);
  Operand right = ToOperand(builder, b, output, result.channels_last, result.inputs);
  result.layer =
      std::make_unique<Broadcast>(op, InMemoryOrder(output, result.channels_last), std::move(left), std::move(right));
  return result;
}

absl::Status LowerBinary(Builder& builder, BinaryOp op) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<Term> terms, TakeTerms(builder));
  const Constant* divisor = terms[1].constant;
  const bool divides = op == BinaryOp::kDivide || op == BinaryOp::kFmod || op == BinaryOp::kFloorMod;
  if (divides && divisor != nullptr) {
    if (std::count(divisor->floats.begin(), divisor->floats.end(), 0.0f) > 0 ||
        std::count(divisor->ints.begin(), divisor->ints.end(), 0) > 0) {
      return builder.context().Invalid("divides by zero");
    }
  }
  const bool adds = op == BinaryOp::kAdd && terms[0].constant == nullptr && terms[1].constant == nullptr;
  if (adds && builder.FuseSum(terms[0].value, terms[1].value)) return absl::OkStatus();
  Combination combination = Combine(builder, op, terms[0], terms[1], builder.OutputShape());
  builder.Emit(std::move(combination.layer), combination.inputs, combination.channels_last);
  return absl::OkStatus();
}

// a op b op c ..., from the left; the last step may be followed by one that scales.
absl::Status LowerVariadic(Builder& builder, BinaryOp op, bool mean) {
  const size_t count = builder.node().inputs.size();
  HALFWAVE_ASSIGN_OR_RETURN(Term sum, TakeTerm(builder, 0, count == 1 || !AnyIsComputed(builder)));
  if (count == 1) {
    builder.Alias(sum.value);
    return absl::OkStatus();
  }
  for (size_t i = 1; i < count; ++i) {
    // Taken only now: before, a step could work in place on a value that comes up again.
    HALFWAVE_ASSIGN_OR_RETURN(const Term term, TakeTerm(builder, i, false));
    const Shape shape = *BroadcastShapes(sum.shape, term.shape);
    Combination combination = Combine(builder, op, sum, term, shape);
    if (i + 1 == count && !mean) {
      builder.Emit(std::move(combination.layer), combination.inputs, combination.channels_last);
      return absl::OkStatus();
    }
    sum = {shape, nullptr,
           builder.EmitTemporary(std::move(combination.layer), combination.inputs, shape, combination.channels_last)};
  }
  const float factor = 1.0f / static_cast<float>(count);
  auto scale = [=](int64_t elements, const float* x, float* y) {
    std::transform(x, x + elements, y, [=](float value) { return value * factor; });
  };
  builder.Emit(std::make_unique<Elementwise>(sum.value.elements(), scale), {sum.value}, sum.value.channels_last);
  return absl::OkStatus();
}

bool IsIntegerNode(const Builder& builder) { return IsInteger(builder.OutputType()); }

absl::Status LowerCastTo(Builder& builder, DataType from, DataType to) {
  const Value input = builder.Take(0);
  Elementwise::Function function;
  if (to == DataType::kBool) {
    function = kernels::ToBool;
  } else if (IsInteger(to) && IsFloat(from)) {
    function = kernels::Truncate;
  } else if (to == DataType::kFloat16) {
    function = kernels::RoundToHalf;
  } else if (to == DataType::kBFloat16) {
    function = kernels::RoundToBFloat16;
  } else {
    builder.Alias(input);
    return absl::OkStatus();
  }
  builder.Emit(std::make_unique<Elementwise>(input.elements(), std::move(function)), {input}, input.channels_last);
  return absl::OkStatus();
}

}  // namespace

absl::Status LowerAdd(Builder& builder) { return LowerBinary(builder, BinaryOp::kAdd); }
absl::Status LowerSub(Builder& builder) { return LowerBinary(builder, BinaryOp::kSubtract); }
absl::Status LowerMul(Builder& builder) { return LowerBinary(builder, BinaryOp::kMultiply); }
absl::Status LowerDiv(Builder& builder) {
  return LowerBinary(builder, IsIntegerNode(builder) ? BinaryOp::kTruncDivide : BinaryOp::kDivide);
}
absl::Status LowerMod(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t fmod, builder.Attribute<int64_t>("fmod", 0));
  return LowerBinary(builder, fmod != 0 ? BinaryOp::kFmod : BinaryOp::kFloorMod);
}
absl::Status LowerPow(Builder& builder) { return LowerBinary(builder, BinaryOp::kPow); }
absl::Status LowerAnd(Builder& builder) { return LowerBinary(builder, BinaryOp::kAnd); }
absl::Status LowerOr(Builder& builder) { return LowerBinary(builder, BinaryOp::kOr); }
absl::Status LowerXor(Builder& builder) { return LowerBinary(builder, BinaryOp::kXor); }
absl::Status LowerEqual(Builder& builder) { return LowerBinary(builder, BinaryOp::kEqual); }
absl::Status LowerGreater(Builder& builder) { return LowerBinary(builder, BinaryOp::kGreater); }
absl::Status LowerGreaterOrEqual(Builder& builder) { return LowerBinary(builder, BinaryOp::kGreaterOrEqual); }
absl::Status LowerLess(Builder& builder) { return LowerBinary(builder, BinaryOp::kLess); }
absl::Status LowerLessOrEqual(Builder& builder) { return LowerBinary(builder, BinaryOp::kLessOrEqual); }
absl::Status LowerMax(Builder& builder) { return LowerVariadic(builder, BinaryOp::kMax, false); }
absl::Status LowerMin(Builder& builder) { return LowerVariadic(builder, BinaryOp::kMin, false); }
absl::Status LowerSum(Builder& builder) { return LowerVariadic(builder, BinaryOp::kAdd, false); }
absl::Status LowerMean(Builder& builder) { return LowerVariadic(builder, BinaryOp::kAdd, true); }

absl::Status LowerWhere(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<Term> terms, TakeTerms(builder));
  const Shape output = builder.OutputShape();
  const bool channels_last = OutputIsChannelsLast(terms, output);
  std::vector<Value> inputs;
  Operand condition = ToOperand(builder, terms[0], output, channels_last, inputs);
  Operand a = ToOperand(builder, terms[1], output, channels_last, inputs);
  Operand b = ToOperand(builder, terms[2], output, channels_last, inputs);
  builder.Emit(
      std::make_unique<Select>(InMemoryOrder(output, channels_last), std::move(condition), std::move(a), std::move(b)),
      inputs, channels_last);
  return absl::OkStatus();
}

absl::Status LowerUnary(Builder& builder, void (*function)(int64_t count, const float* x, float* y)) {
  const Value input = builder.Take(0);
  builder.Emit(std::make_unique<Elementwise>(input.elements(), function), {input}, input.channels_last);
  return absl::OkStatus();
}

absl::Status LowerIsInf(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t negative, builder.Attribute<int64_t>("detect_negative", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t positive, builder.Attribute<int64_t>("detect_positive", 1));
  const Value input = builder.Take(0);
  auto is_inf = [=](int64_t count, const float* x, float* y) {
    std::transform(x, x + count, y, [=](float value) {
      return std::isinf(value) && (value < 0 ? negative : positive) != 0 ? 1.0f : 0.0f;
    });
  };
  builder.Emit(std::make_unique<Elementwise>(input.elements(), is_inf), {input}, input.channels_last);
  return absl::OkStatus();
}

absl::Status LowerShrink(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const float bias, builder.Attribute<float>("bias", 0.0f));
  HALFWAVE_ASSIGN_OR_RETURN(const float lambd, builder.Attribute<float>("lambd", 0.5f));
  const Value input = builder.Take(0);
  auto shrink = [=](int64_t count, const float* x, float* y) { kernels::Shrink(count, bias, lambd, x, y); };
  builder.Emit(std::make_unique<Elementwise>(input.elements(), shrink), {input}, input.channels_last);
  return absl::OkStatus();
}

absl::Status LowerCast(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const TensorType input, builder.context().Input(0));
  return LowerCastTo(builder, input.type, builder.OutputType());
}

}  // namespace halfwave
