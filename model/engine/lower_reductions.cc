#include <functional>
#include <numeric>
#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/axes.h"
#include "model/layers/elementwise.h"
#include "model/layers/reduce.h"

namespace halfwave {
namespace {

// The elements of a row that are taken together: `length` of them, `stride` apart, in `groups` times `stride` places.
struct Groups {
  int64_t groups = 1, length = 1, stride = 1;
};

Groups GroupsAlong(const Shape& shape, size_t first, size_t count) {
  const auto product = [&](size_t begin, size_t end) {
    return std::accumulate(shape.begin() + static_cast<std::ptrdiff_t>(begin),
                           shape.begin() + static_cast<std::ptrdiff_t>(end), int64_t{1}, std::multiplies<>());
  };
  return {product(0, first), product(first, first + count), product(first + count, shape.size())};
}

using SoftmaxKernel = void (*)(int64_t groups, int64_t length, int64_t stride, const float* x, float* y);

absl::Status LowerSoftmaxWith(Builder& builder, SoftmaxKernel kernel) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const SoftmaxAxes axes, ResolveSoftmax(builder.context(), input.shape.size()));
  const Groups groups = GroupsAlong(input.shape, axes.first, axes.count);
  auto softmax = [=](int64_t rows, int64_t, const float* x, float* y) {
    kernel(rows * groups.groups, groups.length, groups.stride, x, y);
  };
  builder.Emit(std::make_unique<RowWise>(input.elements(), softmax), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerArgExtreme(Builder& builder, bool smallest) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, builder.Attribute<int64_t>("axis", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t last, builder.Attribute<int64_t>("select_last_index", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, builder.context().Axis("axis", named, input.shape.size()));
  const Groups groups = GroupsAlong(input.shape, axis, 1);
  builder.Emit(std::make_unique<ArgMax>(groups.groups, groups.length, groups.stride, smallest, last != 0), {input},
               false);
  return absl::OkStatus();
}

}  // namespace

absl::Status LowerSoftmax(Builder& builder) { return LowerSoftmaxWith(builder, kernels::Softmax); }
absl::Status LowerLogSoftmax(Builder& builder) { return LowerSoftmaxWith(builder, kernels::LogSoftmax); }
absl::Status LowerHardmax(Builder& builder) { return LowerSoftmaxWith(builder, kernels::Hardmax); }
absl::Status LowerArgMax(Builder& builder) { return LowerArgExtreme(builder, false); }
absl::Status LowerArgMin(Builder& builder) { return LowerArgExtreme(builder, true); }

absl::Status LowerReduce(Builder& builder, kernels::Reduction reduction) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<size_t> named, ResolveReducedAxes(builder.context(), input.shape.size()));
  const std::vector<int64_t> axes(named.begin(), named.end());
  if (axes.empty() && !input.shape.empty()) {  // ONNX: reducing nothing passes the input on
    builder.Alias(input);
    return absl::OkStatus();
  }
  builder.Emit(std::make_unique<Reduce>(reduction, input.shape, axes), {input}, false);
  return absl::OkStatus();
}

absl::Status LowerTopK(Builder& builder) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, builder.Attribute<int64_t>("axis", -1));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t largest, builder.Attribute<int64_t>("largest", 1));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, builder.context().Axis("axis", named, input.shape.size()));
  const Groups groups = GroupsAlong(input.shape, axis, 1);
  for (const size_t output : {size_t{0}, size_t{1}}) {
    if (!builder.OutputIsUsed(output)) continue;
    builder.Emit(std::make_unique<TopK>(groups.groups, groups.length, groups.stride, builder.OutputShape(output)[axis],
                                        largest != 0, output == 0 ? TopK::Output::kValues : TopK::Output::kIndices),
                 {input}, false, output);
  }
  return absl::OkStatus();
}

absl::Status LowerCumSum(Builder& builder) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> named, builder.context().Integers(1, "axis"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t exclusive, builder.Attribute<int64_t>("exclusive", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t reverse, builder.Attribute<int64_t>("reverse", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, builder.context().Axis("axis", named[0], input.shape.size()));
  const Groups groups = GroupsAlong(input.shape, axis, 1);
  auto sum = [=](int64_t rows, int64_t, const float* x, float* y) {
    kernels::CumSum(rows * groups.groups, groups.length, groups.stride, exclusive != 0, reverse != 0, x, y);
  };
  builder.Emit(std::make_unique<RowWise>(input.elements(), sum), {input}, false);
  return absl::OkStatus();
}

}  // namespace halfwave
