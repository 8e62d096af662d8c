// What each value of a network can be, whatever finite numbers come in: from the weights alone.
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

// Interval arithmetic over the graph. The limits hold for what the engine computes in fp32 too, in whatever order it
// adds: they are widened by a ten-thousandth of the magnitudes involved, save where the signs of all terms decide.
// They do not hold behind a value that overflows: an infinity times zero is no number.
class BoundsMap {
 public:
  explicit BoundsMap(const GraphView& view);

  // Of a value computed at run time.
  const Bounds& Of(const std::string& value) const;

 private:
  std::unordered_map<std::string, Bounds> bounds_;
  Bounds anything_;
};

}  // namespace halfwave
