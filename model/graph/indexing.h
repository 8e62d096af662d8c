// Where operators that pick elements by constant indices take them from: one reading for shapes and for arithmetic.
#pragma once

#include <vector>

#include "model/graph/node_context.h"

namespace halfwave {

// Block i of a row of the output is block sources[i] of a row of the input.
struct Picked {
  Shape output;
  int64_t block = 1;  // elements
  std::vector<int64_t> sources;
};

// GatherElements and GatherND, whose indices must be constants (UNIMPLEMENTED otherwise). The file holds indices for
// each row of the batch; they are the same for all rows of an open one only if the file was exported with a batch of
// one. INVALID_ARGUMENT for indices out of range.
absl::StatusOr<Picked> ResolveGatherElements(const NodeContext& context, const Shape& data);
absl::StatusOr<Picked> ResolveGatherNd(const NodeContext& context, const Shape& data);

// Trilu: element [row, column] of a matrix stays if column - row >= k (upper) or <= k (lower).
struct Triangle {
  bool upper;
  int64_t k;
  bool Keeps(int64_t row, int64_t column) const { return upper ? column - row >= k : column - row <= k; }
};
absl::StatusOr<Triangle> ResolveTriangle(const NodeContext& context);

// OneHot: a dimension of `depth` inserted in front of dimension `axis` of the indices.
struct OneHotAxis {
  size_t axis;
  int64_t depth;
};
absl::StatusOr<OneHotAxis> ResolveOneHot(const NodeContext& context, size_t rank);

}  // namespace halfwave
