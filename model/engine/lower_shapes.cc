#include <functional>
#include <numeric>
#include <utility>

#include "model/base/status_macros.h"
#include "model/engine/operators.h"
#include "model/graph/axes.h"
#include "model/layers/concat.h"
#include "model/layers/strided_copy.h"

namespace halfwave {
namespace {

// The distance in memory between neighbours along each dimension of a row-major row, the batch left out.
std::vector<int64_t> RowStrides(const Shape& shape) {
  std::vector<int64_t> strides(shape.size() - 1, 1);
  for (size_t i = strides.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i + 1];
  return strides;
}

}  // namespace

absl::Status LowerSameMemory(Builder& builder) {
  builder.Alias(builder.Take(0));
  return absl::OkStatus();
}

absl::Status LowerReshape(Builder& builder) {
  builder.Alias(builder.TakeRowMajor(0));
  return absl::OkStatus();
}

absl::Status LowerTranspose(Builder& builder) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> permutation,
                            ResolvePermutation(builder.graph(), builder.node(), input.shape.size()));
  const std::vector<int64_t> in_strides = RowStrides(input.shape);
  const Shape& output = builder.output_shape();
  std::vector<int64_t> strides;
  for (size_t i = 1; i < output.size(); ++i) strides.push_back(in_strides[permutation[i] - 1]);
  builder.Emit(std::make_unique<StridedCopy>(RowElements(input.shape), std::vector(output.begin() + 1, output.end()),
                                             std::move(strides), 0),
               {input}, false);
  return absl::OkStatus();
}

absl::Status LowerSlice(Builder& builder) {
  const Value input = builder.TakeRowMajor(0);
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<SliceAxis> axes,
                            ResolveSlice(builder.graph(), builder.node(), input.shape));
  std::vector<int64_t> strides = RowStrides(input.shape);
  int64_t offset = 0;
  for (const SliceAxis& axis : axes) {
    offset += axis.start * strides[axis.axis - 1];
    strides[axis.axis - 1] *= axis.step;
  }
  const Shape& output = builder.output_shape();
  builder.Emit(std::make_unique<StridedCopy>(RowElements(input.shape), std::vector(output.begin() + 1, output.end()),
                                             std::move(strides), offset),
               {input}, false);
  return absl::OkStatus();
}

absl::Status LowerConcat(Builder& builder) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t axis, builder.Attribute<int64_t>("axis", 1));
  const size_t at = *NormalizeAxis(axis, builder.output_shape().size());
  std::vector<Value> inputs;
  std::vector<int64_t> parts;
  int64_t groups = 1;
  for (size_t i = 0; i < builder.node().inputs.size(); ++i) {
    inputs.push_back(builder.TakeRowMajor(i));
    const Shape& shape = inputs.back().shape;
    parts.push_back(std::accumulate(shape.begin() + at, shape.end(), int64_t{1}, std::multiplies<>()));
    groups = std::accumulate(shape.begin() + 1, shape.begin() + at, int64_t{1}, std::multiplies<>());
  }
  builder.Emit(std::make_unique<Concat>(groups, std::move(parts)), inputs, false);
  return absl::OkStatus();
}

}  // namespace halfwave
