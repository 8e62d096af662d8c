// Units of a layer that say the same.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace halfwave {

struct DuplicateUnit {
  int64_t unit;
  int64_t of;  // the first of the units that say it
};

// responses: [units, rows], pre-activations. A unit is a duplicate if they are, over the rows, those of a unit before
// it times a positive number: the cosine of the angle between them is 1 up to 1e-6. Behind a ReLU, leaky or not, one of
// the two could go, its outgoing weights added to the other's. Units that are nowhere above zero are left out. Nothing
// of fewer rows than 10, or of more than kMaxUnits units.
inline constexpr int64_t kMaxUnits = 8192;
std::vector<DuplicateUnit> FindDuplicateUnits(std::span<const float> responses, int64_t units);

}  // namespace halfwave
