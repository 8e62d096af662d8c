#include <functional>
#include <numeric>
#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/indexing.h"
#include "model/layers/one_hot.h"
#include "model/layers/rearrange.h"

namespace halfwave {
namespace {

void EmitPicked(Builder& builder, Picked picked) {
  const Value input = builder.TakeRowMajor(0);
  builder.Emit(std::make_unique<Rearrange>(input.elements(), picked.block, std::move(picked.sources)), {input}, false);
}

float ValueAt(const Constant& constant, size_t index) {
  return IsFloat(constant.type) ? constant.floats[index] : static_cast<float>(constant.ints[index]);
}

}  // namespace

absl::Status LowerGatherElements(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, builder.context().InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(Picked picked, ResolveGatherElements(builder.context(), shape));
  EmitPicked(builder, std::move(picked));
  return absl::OkStatus();
}

absl::Status LowerGatherNd(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Shape shape, builder.context().InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(Picked picked, ResolveGatherNd(builder.context(), shape));
  EmitPicked(builder, std::move(picked));
  return absl::OkStatus();
}

absl::Status LowerTrilu(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const Triangle triangle, ResolveTriangle(builder.context()));
  const Value input = builder.TakeRowMajor(0);
  const int64_t rows = input.shape[input.shape.size() - 2], columns = input.shape.back();
  std::vector<int64_t> map;
  for (int64_t i = 0; i < rows * columns; ++i) {
    map.push_back(triangle.Keeps(i / columns, i % columns) ? i : -1);
  }
  const int64_t matrices = input.elements() / (rows * columns);
  builder.Emit(std::make_unique<Rearrange>(rows * columns, 1, std::move(map), 0.0f, matrices), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerOneHot(Builder& builder) {
  const Constant& values = *builder.context().FindConstant(2);
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const OneHotAxis one_hot, ResolveOneHot(builder.context(), input.shape.size()));
  const auto middle = input.shape.begin() + static_cast<std::ptrdiff_t>(one_hot.axis);
  const int64_t groups = std::accumulate(input.shape.begin(), middle, int64_t{1}, std::multiplies<>());
  const int64_t block = std::accumulate(middle, input.shape.end(), int64_t{1}, std::multiplies<>());
  builder.Emit(std::make_unique<OneHot>(groups, block, one_hot.depth, ValueAt(values, 0), ValueAt(values, 1)), {input},
               false);
  return absl::OkStatus();
}

}  // namespace halfwave
