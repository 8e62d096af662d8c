#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/finite.h"
#include "model/base/status_macros.h"
#include "model/engine/floats_of.h"
#include "model/engine/operators.h"
#include "model/graph/axes.h"
#include "model/layers/broadcast.h"
#include "model/layers/dense.h"
#include "model/layers/elementwise.h"
#include "model/layers/matmul.h"
#include "model/layers/strided_copy.h"

namespace halfwave {
namespace {

Value Transposed(Builder& builder, const Value& matrix) {
  const int64_t rows = matrix.shape[0], columns = matrix.shape[1];
  return builder.EmitTemporary(
      std::make_unique<StridedCopy>(matrix.elements(), Shape{columns, rows}, std::vector<int64_t>{1, columns}, 0),
      {matrix}, {columns, rows});
}

absl::Status ExpectFinite(Builder& builder, const std::vector<float>& values) {
  if (AllFinite(values)) return absl::OkStatus();
  return builder.context().Invalid("alpha or beta makes a weight that is not finite");
}

// A dense layer whose weights are, or come from, the node's input 1.
absl::Status EmitDense(Builder& builder, const Value& input, int64_t in, const std::vector<float>& weights,
                       bool transposed, const std::vector<float>& bias) {
  HALFWAVE_RETURN_IF_ERROR(builder.ExpectStorable(weights));
  PackedDense packed(in, static_cast<int64_t>(bias.size()), weights.data(), transposed, bias.data(),
                     builder.weight_format(), input.flattened_positions);
  builder.Emit(std::make_unique<Dense>(input.elements() / in, std::move(packed)), {input}, false);
  return absl::OkStatus();
}

// a times b, where at most one is a constant.
std::unique_ptr<Layer> Multiply(Shape a, const Constant* constant_a, Shape b, const Constant* constant_b) {
  if (a.size() == 1) a.insert(a.begin(), 1);
  if (b.size() == 1) b.push_back(1);
  const int64_t rows = a[a.size() - 2], depth = a.back(), columns = b.back();
  const Shape leading_a(a.begin(), a.end() - 2), leading_b(b.begin(), b.end() - 2);
  const Shape batch = *BroadcastShapes(leading_a, leading_b);
  const auto operand = [&](const Shape& leading, const Constant* constant, int64_t block) {
    return constant == nullptr ? Operand::Computed(leading, batch, block)
                               : Operand::Constant(FloatsOf(*constant), leading, batch, block);
  };
  return std::make_unique<MatMul>(batch, rows, depth, columns, operand(leading_a, constant_a, rows * depth),
                                  operand(leading_b, constant_b, depth * columns));
}

absl::Status LowerProduct(Builder& builder) {
  const NodeContext context = builder.context();
  HALFWAVE_ASSIGN_OR_RETURN(const Shape a, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const Shape b, context.InputShape(1));
  const Constant* constant_a = context.FindConstant(0);
  const Constant* constant_b = context.FindConstant(1);
  std::vector<Value> inputs;
  if (constant_a != nullptr && constant_b != nullptr) constant_a = nullptr;  // one of them has to be data
  if (constant_a == nullptr) inputs.push_back(builder.TakeRowMajor(0));
  if (constant_b == nullptr) inputs.push_back(builder.TakeRowMajor(1));
  builder.Emit(Multiply(RowShape(a), constant_a, RowShape(b), constant_b), inputs, false);
  return absl::OkStatus();
}

// y += beta * c, as a step of its own.
absl::Status EmitSum(Builder& builder, const Value& product, float beta) {
  Value term = builder.TakeRowMajor(2);
  if (beta != 1) {
    auto scale = [=](int64_t count, const float* x, float* y) {
      std::transform(x, x + count, y, [=](float value) { return beta * value; });
    };
    term = builder.EmitTemporary(std::make_unique<Elementwise>(term.elements(), scale), {term}, term.shape);
  }
  const Shape& shape = product.shape;
  builder.Emit(std::make_unique<Broadcast>(kernels::BinaryOp::kAdd, shape, Operand::Computed(shape, shape),
                                           Operand::Computed(term.shape, shape)),
               {product, term}, false);
  return absl::OkStatus();
}

// Both factors computed, or a sum that is not a bias per column.
absl::Status LowerGeneralGemm(Builder& builder, bool trans_a, bool trans_b, float alpha, float beta) {
  Value a = builder.TakeRowMajor(0);
  Value b = builder.TakeRowMajor(1);
  if (trans_a) a = Transposed(builder, a);
  if (trans_b) b = Transposed(builder, b);
  const Shape shape = builder.OutputShape();
  const bool has_sum = builder.context().Has(2) && beta != 0;
  if (alpha == 1 && !has_sum) {
    builder.Emit(Multiply(a.shape, nullptr, b.shape, nullptr), {a, b}, false);
    return absl::OkStatus();
  }
  Value product = builder.EmitTemporary(Multiply(a.shape, nullptr, b.shape, nullptr), {a, b}, shape);
  auto scale = [=](int64_t count, const float* x, float* y) {
    std::transform(x, x + count, y, [=](float value) { return alpha * value; });
  };
  auto scaled = std::make_unique<Elementwise>(product.elements(), scale);
  if (!has_sum) {
    builder.Emit(std::move(scaled), {product}, false);
    return absl::OkStatus();
  }
  if (alpha != 1) product = builder.EmitTemporary(std::move(scaled), {product}, shape);
  return EmitSum(builder, product, beta);
}

}  // namespace

absl::Status LowerGemm(Builder& builder) {
  const NodeContext context = builder.context();
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t trans_a, builder.Attribute<int64_t>("transA", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t trans_b, builder.Attribute<int64_t>("transB", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const float alpha, builder.Attribute<float>("alpha", 1.0f));
  HALFWAVE_ASSIGN_OR_RETURN(const float beta, builder.Attribute<float>("beta", 1.0f));
  const Shape output = builder.OutputShape();
  const Constant* weights = context.FindConstant(1);
  const Constant* sum = context.FindConstant(2);
  const bool is_bias =
      sum == nullptr ? !context.Has(2) : BroadcastShapes({1, output[1]}, sum->shape) == Shape{1, output[1]};
  if (weights == nullptr || !IsFloat(weights->type) || !is_bias || trans_a != 0) {
    return LowerGeneralGemm(builder, trans_a != 0, trans_b != 0, alpha, beta);
  }
  std::vector<float> bias(output[1], 0.0f);
  if (sum != nullptr) {
    bias = BroadcastToRow(FloatsOf(*sum), sum->shape, {1, output[1]}, false);
    for (float& value : bias) value *= beta;
  }
  const Value input = builder.TakeForDense(0);
  std::vector<float> scaled;
  if (alpha != 1) {
    scaled = weights->floats;
    for (float& value : scaled) value *= alpha;
    HALFWAVE_RETURN_IF_ERROR(ExpectFinite(builder, scaled));
  }
  HALFWAVE_RETURN_IF_ERROR(ExpectFinite(builder, bias));
  return EmitDense(builder, input, input.shape[1], alpha == 1 ? weights->floats : scaled, trans_b != 0, bias);
}

// Also halfwave.Dense: a MatMul by a matrix of weights, and a bias.
absl::Status LowerMatMul(Builder& builder) {
  const Constant* weights = builder.context().FindConstant(1);
  if (weights == nullptr || !IsFloat(weights->type) || weights->shape.size() != 2) {
    return LowerProduct(builder);
  }
  const Value input = builder.TakeForDense(0);
  const int64_t in = weights->shape[0];
  const int64_t out = weights->shape[1];
  std::vector<float> bias(out, 0.0f);
  if (const Constant* values = builder.context().FindConstant(2)) bias = values->floats;
  return EmitDense(builder, input, in, weights->floats, false, bias);
}

absl::Status LowerBatchNormalization(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* gamma, builder.Weights(1, "scale"));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* beta, builder.Weights(2, "bias"));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* mean, builder.Weights(3, "mean"));
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* variance, builder.Weights(4, "variance"));
  HALFWAVE_ASSIGN_OR_RETURN(const float epsilon, builder.Attribute<float>("epsilon", 1e-5f));
  std::vector<float> scale, shift;
  for (size_t i = 0; i < gamma->floats.size(); ++i) {
    const double deviation = std::sqrt(static_cast<double>(variance->floats[i]) + epsilon);
    const double factor = gamma->floats[i] / deviation;
    const double offset = beta->floats[i] - mean->floats[i] * factor;
    if (!std::isfinite(static_cast<float>(factor)) || !std::isfinite(static_cast<float>(offset))) {
      return builder.context().Invalid(absl::StrCat("variance ", variance->floats[i], " of channel ", i,
                                                    " with epsilon ", epsilon,
                                                    " makes a factor or an offset that is not finite"));
    }
    scale.push_back(static_cast<float>(factor));
    shift.push_back(static_cast<float>(offset));
  }
  const Value input = builder.Take(0);
  // One value per channel: [C, 1, ...] broadcasts over the positions.
  Shape per_channel(input.shape.size() - 1, 1);
  per_channel[0] = input.shape[1];
  auto normalize = [scale = BroadcastToRow(scale, per_channel, input.shape, input.channels_last),
                    shift = BroadcastToRow(shift, per_channel, input.shape, input.channels_last)](
                       int64_t rows, int64_t elements, const float* x, float* y) {
    kernels::ScaleRows(rows, elements, scale.data(), shift.data(), x, y);
  };
  const int64_t bytes = 2 * input.elements() * static_cast<int64_t>(sizeof(float));
  builder.Emit(std::make_unique<RowWise>(input.elements(), std::move(normalize), bytes), {input}, input.channels_last);
  return absl::OkStatus();
}

}  // namespace halfwave
