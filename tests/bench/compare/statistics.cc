#include "tests/bench/compare/statistics.h"

#include <algorithm>
#include <cmath>

namespace halfwave::compare {

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Estimate EstimateMedian(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  // The largest `outside` such that at most that many of n fair coins show heads with a chance of 2.5 % or less.
  size_t outside = 0;
  double log_chance = -n * std::log(2.0), tail = std::exp(log_chance);
  for (size_t k = 0; k + 1 < values.size() / 2 && tail <= 0.025; ++k) {
    outside = k + 1;
    log_chance += std::log((n - static_cast<double>(k)) / static_cast<double>(k + 1));
    tail += std::exp(log_chance);
  }
  const size_t low = outside == 0 ? 0 : outside - 1;
  return {Median(values), values[low], values[values.size() - 1 - low]};
}

}  // namespace halfwave::compare
