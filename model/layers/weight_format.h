#pragma once

namespace halfwave {

// How a layer stores its weights. Sums are floats either way, in the same order.
enum class WeightFormat {
  kFloat,
  kHalf,  // IEEE binary16, rounded to the nearest; they have to stay finite. A bias remains float.
};

}  // namespace halfwave
