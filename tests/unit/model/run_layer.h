#pragma once

#include <limits>
#include <vector>

#include "model/layers/layer.h"

namespace halfwave {

// The rows a layer makes of `inputs`. Output and scratch start as NaN: what is not written, or read before, shows.
inline std::vector<float> RunLayer(const Layer& layer, int64_t rows, const std::vector<std::vector<float>>& inputs,
                                   size_t row_elements) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> y(rows * row_elements + 1, kNan), scratch(layer.ScratchElements(rows), kNan);
  std::vector<const float*> pointers;
  for (const auto& input : inputs) pointers.push_back(input.data());
  layer.Run({rows, pointers, y.data(), scratch.data()});
  if (y.back() == y.back()) return {};  // wrote behind its output
  y.pop_back();
  return y;
}

}  // namespace halfwave
