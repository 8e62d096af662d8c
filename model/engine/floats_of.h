#pragma once

#include <vector>

#include "model/graph/graph.h"

namespace halfwave {

// The constant's numbers as the engine computes with them, whatever their type; none of strings.
inline std::vector<float> FloatsOf(const Constant& constant) {
  std::vector<float> values = constant.floats;
  for (const int64_t number : constant.ints) values.push_back(static_cast<float>(number));
  return values;
}

}  // namespace halfwave
