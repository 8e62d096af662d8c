// What the units of a network did on reference data, and what their silence since then says. The words (unit, active,
// went silent, not watched) mean what README.md says.
#pragma once

#include <cstdint>
#include <vector>

namespace halfwave {

// Counts on reference data.
struct Reference {
  uint64_t samples = 0;
  std::vector<std::vector<uint64_t>> active;  // per activation layer, per unit: samples on which it was
};

// Per layer, per unit: whether `window` samples without activity would say that the unit went silent. That is so if
// even r, the one-sided Clopper-Pearson lower bound of its activity at confidence 1 - 1e-4/U, leaves them a probability
// (1 - r)^window of at most 1e-6/U; U is the number of units of all layers. The others are not watched.
std::vector<std::vector<uint8_t>> WatchedUnits(const Reference& reference, uint64_t window);

// The probability of `successes` or more among `trials` of probability p each.
double BinomialUpperTail(uint64_t trials, uint64_t successes, double p);

// How far activity in one sample of rows is from that in another: mean over the layer's units of the population
// stability index and of the Jensen-Shannon divergence (in bits, 0 to 1) of "active" against "not active". Counts are
// taken with half an observation more on either side, so that both are finite.
struct Drift {
  double psi = 0;
  double js = 0;
  // What psi is expected to be if nothing has changed: 1/n + 1/m. Below some times that it means nothing.
  double psi_noise = 0;
};
Drift ActivityDrift(const std::vector<uint64_t>& active, uint64_t samples, const std::vector<uint64_t>& reference,
                    uint64_t reference_samples);

// What one kind adds to both indices, whose share is a in one sample and b in the other, both above zero: psi is (a -
// b) ln(a / b), js (a log2(a / m) + b log2(b / m)) / 2 with m the mean of the two.
struct ShareDifference {
  double psi = 0;
  double js = 0;
};
ShareDifference DifferenceOf(double a, double b);

}  // namespace halfwave
