// Where inputs come from: a box, perhaps cut by what real data keep to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/analysis/bounds.h"

namespace halfwave {

// All x of the box with low <= direction . x <= high for each constraint. An empty box is any finite numbers.
struct InputRegion {
  struct Constraint {
    std::vector<double> direction;
    double low = 0;
    double high = 0;
  };
  InputDomain box;  // a pair for each element of a row
  std::vector<Constraint> constraints = {};

  // A lower bound of coefficients . x. Exact over a box; with constraints by weak duality, which any multipliers give:
  // minus infinity over no box.
  double Minimum(std::span<const double> coefficients) const;
};

// The domain with limits for each of a row's elements, where it has one pair for all.
InputDomain ForEachElement(InputDomain domain, int64_t elements);

// What rows keep to: the sum of their elements and their leading principal directions, `directions` of them, each from
// its least to its greatest value over the rows, widened by `slack` of the difference on both sides.
std::vector<InputRegion::Constraint> LearnConstraints(std::span<const float> rows, int64_t count, int64_t directions,
                                                      double slack);

}  // namespace halfwave
