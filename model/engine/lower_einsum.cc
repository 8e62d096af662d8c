#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/einsum.h"
#include "model/layers/matmul.h"
#include "model/layers/reduce.h"
#include "model/layers/strided_copy.h"

namespace halfwave {
namespace {

using Labels = EinsumLabels;

bool Contains(const Labels& labels, int label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

Labels Join(Labels a, const Labels& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Shape SizesOf(const Einsum& einsum, const Labels& labels) {
  Shape shape;
  for (const int label : labels) shape.push_back(RowSize(einsum.sizes.at(label)));
  return shape;
}

int64_t Elements(const Einsum& einsum, const Labels& labels) {
  const Shape shape = SizesOf(einsum, labels);
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// Steps through a tensor of dimensions `from` in the order of `to`; a label that comes up twice in `from` steps along
// the diagonal.
std::unique_ptr<Layer> Reorder(const Einsum& einsum, const Labels& from, const Labels& to) {
  const std::vector<int64_t> strides = RowMajorStrides(SizesOf(einsum, from));
  std::vector<int64_t> steps;
  for (const int label : to) {
    int64_t step = 0;
    for (size_t i = 0; i < from.size(); ++i) step += from[i] == label ? strides[i] : 0;
    steps.push_back(step);
  }
  return std::make_unique<StridedCopy>(Elements(einsum, from), SizesOf(einsum, to), std::move(steps), 0);
}

std::unique_ptr<Layer> SumLast(const Einsum& einsum, const Labels& kept, const Labels& summed) {
  std::vector<int64_t> axes(summed.size());
  std::iota(axes.begin(), axes.end(), static_cast<int64_t>(kept.size()));
  return std::make_unique<Reduce>(kernels::Reduction::kSum, SizesOf(einsum, Join(kept, summed)), axes);
}

// The labels of a term that are not in `kept`, each once.
Labels Others(const Labels& term, const Labels& kept) {
  Labels others;
  for (const int label : term) {
    if (!Contains(kept, label) && !Contains(others, label)) others.push_back(label);
  }
  return others;
}

// Operand `index` with the dimensions `kept`, in that order, summed over its others.
Value Arrange(Builder& builder, const Einsum& einsum, size_t index, const Labels& kept) {
  const Labels summed = Others(einsum.inputs[index], kept), all = Join(kept, summed);
  Value value = builder.TakeRowMajor(index);
  if (einsum.inputs[index] != all) {
    value = builder.EmitTemporary(Reorder(einsum, einsum.inputs[index], all), {value}, SizesOf(einsum, all));
  }
  if (summed.empty()) return value;
  return builder.EmitTemporary(SumLast(einsum, kept, summed), {value}, SizesOf(einsum, kept));
}

void LowerOne(Builder& builder, const Einsum& einsum) {
  const Labels summed = Others(einsum.inputs[0], einsum.output), all = Join(einsum.output, summed);
  if (summed.empty() && einsum.inputs[0] == einsum.output) {
    builder.Alias(builder.TakeRowMajor(0));
  } else if (summed.empty()) {
    builder.Emit(Reorder(einsum, einsum.inputs[0], all), {builder.TakeRowMajor(0)}, false);
  } else {
    const Value value = Arrange(builder, einsum, 0, all);
    builder.Emit(SumLast(einsum, einsum.output, summed), {value}, false);
  }
}

// A product of matrices, for each step along the dimensions that both operands and the output have.
void LowerTwo(Builder& builder, const Einsum& einsum) {
  Labels both, rows, columns, depth;
  for (const auto& [label, size] : einsum.sizes) {
    const bool in_a = Contains(einsum.inputs[0], label), in_b = Contains(einsum.inputs[1], label);
    if (in_a && in_b && !Contains(einsum.output, label)) depth.push_back(label);
  }
  for (const int label : einsum.output) {
    const bool in_a = Contains(einsum.inputs[0], label), in_b = Contains(einsum.inputs[1], label);
    (in_a && in_b ? both : in_a ? rows : columns).push_back(label);
  }
  const Value a = Arrange(builder, einsum, 0, Join(both, Join(rows, depth)));
  const Value b = Arrange(builder, einsum, 1, Join(both, Join(depth, columns)));
  const int64_t m = Elements(einsum, rows), k = Elements(einsum, depth), n = Elements(einsum, columns);
  const Shape batch{Elements(einsum, both)};
  auto product = std::make_unique<MatMul>(batch, m, k, n, Operand::Computed(batch, batch, m * k),
                                          Operand::Computed(batch, batch, k * n));
  const Labels made = Join(both, Join(rows, columns));
  if (made == einsum.output) {
    builder.Emit(std::move(product), {a, b}, false);
    return;
  }
  const Value value = builder.EmitTemporary(std::move(product), {a, b}, SizesOf(einsum, made));
  builder.Emit(Reorder(einsum, made, einsum.output), {value}, false);
}

}  // namespace

absl::Status LowerEinsum(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Einsum einsum, ResolveEinsum(builder.context()));
  if (einsum.inputs.size() == 1) {
    LowerOne(builder, einsum);
  } else {
    LowerTwo(builder, einsum);
  }
  return absl::OkStatus();
}

}  // namespace halfwave
