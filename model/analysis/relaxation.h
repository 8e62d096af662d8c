// Two lines between which an activation lies, over the interval that enters it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/analysis/graph_view.h"

namespace halfwave {

struct Reach {
  double low = 0;
  double high = 0;
};

// low_slope * x + low_offset <= f(x) <= high_slope * x + high_offset. Offsets may be infinite, slopes are finite.
struct Lines {
  double low_slope = 0;
  double low_offset = 0;
  double high_slope = 0;
  double high_offset = 0;
};

// Which of the lines below a kink: the one that leaves the smaller area between it and the line above (Singh et al., An
// Abstract Domain for Certifying Neural Networks, 2019; the adaptive choice of Zhang et al., Efficient Neural Network
// Robustness Certification with General Activation Functions, 2018), the flatter or the steeper one.
enum class LowLine { kSmallerArea, kFlat, kSteep };

// An activation as far as it matters here.
struct Activation {
  enum class Kind { kClip, kLeaky, kThreshold, kIncreasing, kHump };
  Kind kind = Kind::kClip;
  std::string op = "";
  double low = 0, high = 0;               // of kClip
  double alpha = 0, beta = 0;             // attributes
  std::vector<double> slopes = {};        // of kLeaky, below zero: one, or one for each element
  std::vector<int32_t> slope_index = {};  // of each element, if there are several
};

// Nothing for what is none, or rare: PRelu is left to the caller, who knows how its slopes spread.
std::optional<Activation> AsActivation(const GraphView& view, const Node& node);

// What the engine can make in fp32 of numbers in `x`, rounding included, and lines that hold for them. `element` is one
// of a row.
Reach RangeOf(const Activation& activation, int64_t element, Reach x);
Lines LinesOf(const Activation& activation, int64_t element, Reach x, LowLine low_line);

}  // namespace halfwave
