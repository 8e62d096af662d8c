// How the size of an open batch takes part in shape arithmetic: as a number that stays a multiple of itself when it is
// multiplied or divided by what divides it, and that no real size or sentinel looks like.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "model/graph/graph.h"

namespace halfwave {

inline constexpr int64_t kBatchSymbol = -(int64_t{1} << 40);

// More batches than these have no symbol: it would overflow.
inline constexpr int64_t kMostBatches = int64_t{1} << 20;

// The value that stands for so many batches, 1 or more; nothing if there are too many.
inline std::optional<int64_t> SymbolOfBatches(int64_t batches) {
  if (batches < 1 || batches > kMostBatches) return std::nullopt;
  return batches * kBatchSymbol;
}

// How many batches the value stands for, if it does.
inline std::optional<int64_t> BatchesOfSymbol(int64_t value) {
  if (value > kBatchSymbol || value % kBatchSymbol != 0 || value / kBatchSymbol > kMostBatches) return std::nullopt;
  return value / kBatchSymbol;
}

// Whether a constant found at load holds the size of the batch.
inline bool DependsOnBatch(const Constant& constant) {
  return std::any_of(constant.ints.begin(), constant.ints.end(),
                     [](int64_t value) { return BatchesOfSymbol(value).has_value(); });
}

}  // namespace halfwave
