// What nodes that rearrange dimensions say about them, with every default and every opset's way to say it resolved. The
// batch, dimension 0, always stays where it is.
#pragma once

#include "model/graph/graph.h"

namespace halfwave {

// Transpose: which input dimension each output dimension is; the first is 0.
absl::StatusOr<std::vector<int64_t>> ResolvePermutation(const Graph& graph, const Node& node, size_t rank);

// The list of integers that is an attribute before `since` and the constant input `index` from then on; empty if
// neither is there.
absl::StatusOr<std::vector<int64_t>> ResolveIntegers(const Graph& graph, const Node& node, const std::string& name,
                                                     size_t index, int64_t since);

// The "axes" of Squeeze and Unsqueeze, an attribute before opset 13 and input 1 from then on: as written, and as
// dimensions of a tensor of the given rank. None is there twice, none is the batch.
absl::StatusOr<std::vector<int64_t>> ResolveAxesAsWritten(const Graph& graph, const Node& node);
absl::StatusOr<std::vector<size_t>> ResolveAxes(const Graph& graph, const Node& node, size_t rank);

// One dimension of a Slice: elements start, start + step, ..., `count` of them. The step may be negative.
struct SliceAxis {
  size_t axis = 0;  // 1 or more
  int64_t start = 0;
  int64_t step = 1;
  int64_t count = 0;
};
absl::StatusOr<std::vector<SliceAxis>> ResolveSlice(const Graph& graph, const Node& node, const Shape& shape);

}  // namespace halfwave
