// What attributes that name dimensions mean, in all their versions: one reading for shapes and for arithmetic.
#pragma once

#include <vector>

#include "model/graph/node_context.h"

namespace halfwave {

// Transpose's 'perm', each dimension once; reversed if it is left out.
absl::StatusOr<std::vector<size_t>> ResolvePermutation(const NodeContext& context, size_t rank);

// What Slice takes of one dimension: `count` elements from `start`, `step` apart.
struct SliceAxis {
  size_t axis;
  int64_t start, step, count;
};
// The dimensions that are cut; those taken whole are left out.
absl::StatusOr<std::vector<SliceAxis>> ResolveSlice(const NodeContext& context, const Shape& shape);

// The dimensions that a Reduce* reduces, in ascending order. Empty if it does nothing.
absl::StatusOr<std::vector<size_t>> ResolveReducedAxes(const NodeContext& context, size_t rank);

// The elements that Softmax and its kin treat together: from dimension `first` on, `count` dimensions.
struct SoftmaxAxes {
  size_t first, count;
};
absl::StatusOr<SoftmaxAxes> ResolveSoftmax(const NodeContext& context, size_t rank);

// How much Pad adds before and behind each dimension; negative amounts cut.
struct Padding {
  std::vector<int64_t> before, behind;
};
absl::StatusOr<Padding> ResolvePadding(const NodeContext& context, size_t rank);

// The sizes of Split's parts along `axis`.
struct SplitParts {
  size_t axis;
  std::vector<int64_t> sizes;
};
absl::StatusOr<SplitParts> ResolveSplit(const NodeContext& context, const Shape& shape);

// The shape of a and b broadcast together; nothing if they do not fit.
std::optional<Shape> BroadcastShapes(const Shape& a, const Shape& b);

// An operand's shape as today's broadcasting wants it: up to opset 6 the attributes 'broadcast' and 'axis' said where
// in the first operand's shape the second's stands.
absl::StatusOr<Shape> OperandShape(const NodeContext& context, size_t index);

// The shape of PRelu's slope, aligned with an input of `rank` dimensions: up to opset 6 it was a value per channel.
Shape SlopeShape(const NodeContext& context, const Shape& slope, size_t rank);

}  // namespace halfwave
