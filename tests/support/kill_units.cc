#include "tests/support/kill_units.h"

#include <cmath>
#include <vector>

namespace halfwave {

void KillUnits(const std::string& layer, const UnitSet& units, Graph& graph) {
  std::vector<float>& weights = graph.constants.at(layer + ".weight").floats;
  std::vector<float>& biases = graph.constants.at(layer + ".bias").floats;
  const size_t inputs = weights.size() / biases.size();
  for (const int64_t unit : units) {
    for (size_t i = 0; i < inputs; ++i) weights[unit * inputs + i] = -std::abs(weights[unit * inputs + i]);
    biases[unit] = -0.1f;
  }
  graph.metadata.erase("halfwave.selftest");
}

}  // namespace halfwave
