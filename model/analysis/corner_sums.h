// What the engine itself computes at the corners of a box, for dense layers that read the network's input.
#pragma once

#include <cstdint>
#include <optional>

#include "model/analysis/linear_bounds.h"
#include "model/analysis/linear_map.h"

namespace halfwave {

struct FloatRange {
  float low, high;
};

// The least and the greatest output of a row of a dense layer, whose map is in_order(), for all inputs in `box`: a
// chain of additions that are each rounded never falls when a term grows, so its own values at two corners are bounds,
// and met. For instruction sets with and without fused multiply-add. Nothing where a weight or the bias is not a float,
// and so is not what the engine multiplies with, or where the box holds no float.
std::optional<FloatRange> CornerSums(const LinearMap& map, int64_t row, double bias, const ElementBounds& box);

}  // namespace halfwave
