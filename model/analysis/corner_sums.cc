#include "model/analysis/corner_sums.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace halfwave {
namespace {

// The floats that a range of real numbers holds end at these.
float AtLeast(double x) {
  const auto near = static_cast<float>(x);
  return near < x ? std::nextafter(near, std::numeric_limits<float>::infinity()) : near;
}
float AtMost(double x) { return -AtLeast(-x); }

struct Chain {
  float fused, split;
  void Add(float x, float weight) {
    fused = std::fma(x, weight, fused);
    const float product = std::fma(x, weight, 0.0f);  // rounded by itself, whatever the compiler may contract
    split += product;
  }
};

}  // namespace

std::optional<FloatRange> CornerSums(const LinearMap& map, int64_t row, double bias, const ElementBounds& box) {
  const auto start = static_cast<float>(bias);
  bool exact = start == bias;
  Chain low = {start, start}, high = {start, start};
  map.ForEach(row, [&](int64_t column, double weight) {
    const auto factor = static_cast<float>(weight);
    const float least = AtLeast(box.low[column]), most = AtMost(box.high[column]);
    exact = exact && factor == weight && least <= most;
    low.Add(weight > 0 ? least : most, factor);
    high.Add(weight > 0 ? most : least, factor);
  });
  const FloatRange range = {std::min(low.fused, low.split), std::max(high.fused, high.split)};
  if (!exact || !std::isfinite(range.low) || !std::isfinite(range.high)) return std::nullopt;
  return range;
}

}  // namespace halfwave
