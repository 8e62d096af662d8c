// How the size of an open batch takes part in shape arithmetic: as a number that stays a multiple of itself when it is
// multiplied or divided by what divides it, and that no real size or sentinel looks like.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "model/graph/graph.h"

namespace halfwave {

inline constexpr int64_t kBatchSymbol = -(int64_t{1} << 40);

// The value that stands for a dimension of a shape: itself, or for a negative one as many batches.
inline int64_t DimensionToSymbol(int64_t dimension) { return dimension < 0 ? -dimension * kBatchSymbol : dimension; }

// How many batches the value stands for, if it does.
inline std::optional<int64_t> BatchesOfSymbol(int64_t value) {
  constexpr int64_t kMostBatches = int64_t{1} << 20;
  if (value > kBatchSymbol || value % kBatchSymbol != 0 || value / kBatchSymbol > kMostBatches) return std::nullopt;
  return value / kBatchSymbol;
}

// Whether a constant found at load holds the size of the batch.
inline bool DependsOnBatch(const Constant& constant) {
  return std::any_of(constant.ints.begin(), constant.ints.end(),
                     [](int64_t value) { return BatchesOfSymbol(value).has_value(); });
}

}  // namespace halfwave
