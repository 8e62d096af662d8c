// What each value of a network can be, from the weights alone: whatever finite numbers come in, or those of a domain.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/analysis/graph_view.h"

namespace halfwave {

// Limits for each index of one axis of a tensor, its channels or features; infinite where there is none. With an axis
// of -1, one pair for all elements.
struct Bounds {
  int64_t axis = -1;
  std::vector<double> low;
  std::vector<double> high;

  size_t size() const { return low.size(); }
};

// What comes in: between `low` and `high`, one pair for all elements of a row or one for each, in the file's order.
struct InputDomain {
  std::vector<double> low;
  std::vector<double> high;
};

// Interval arithmetic over the graph. The limits hold for what the engine computes in fp32 too, in whatever order it
// adds: a sum of products is widened by what rounding can make of it (rounding.h), and by no less than a ten-thousandth
// of the magnitudes involved, save where the signs of all terms decide. They do not hold behind a value that overflows:
// an infinity times zero is no number.
class BoundsMap {
 public:
  // domain: of the only input, if there is one; null: any finite numbers.
  explicit BoundsMap(const GraphView& view, const InputDomain* domain = nullptr);

  // Of a value computed at run time.
  const Bounds& Of(const std::string& value) const;

 private:
  std::unordered_map<std::string, Bounds> bounds_;
  Bounds anything_;
};

// The units that enter a rectifier and never get above the point up to which it is zero, in ascending order.
std::vector<int64_t> NeverActiveUnits(const GraphView& view, const Node& rectifier, const BoundsMap& bounds);
// Those that always are above that point.
std::vector<int64_t> AlwaysActiveUnits(const GraphView& view, const Node& rectifier, const BoundsMap& bounds);

}  // namespace halfwave
