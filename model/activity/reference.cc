#include "model/activity/reference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

namespace halfwave {
namespace {

double LogBinomialTerm(double trials, double successes, double p) {
  return std::lgamma(trials + 1) - std::lgamma(successes + 1) - std::lgamma(trials - successes + 1) +
         successes * std::log(p) + (trials - successes) * std::log1p(-p);
}

constexpr int kTerms = 14;
constexpr auto kOdd = [] {
  std::array<double, kTerms> inverse = {};  // of 1, 3, 5, ...
  for (int k = 0; k < kTerms; ++k) inverse[k] = 1.0 / (2 * k + 1);
  return inverse;
}();
constexpr auto kEven = [] {
  std::array<double, kTerms> inverse = {};  // of 2, 4, 6, ...
  for (int k = 0; k < kTerms; ++k) inverse[k] = 1.0 / (2 * k + 2);
  return inverse;
}();

// The fewest activities among `samples` that make a unit watched; more than `samples` if even all of them do not. The
// lower bound is at least r exactly if so many successes have, with probability r each, at most the probability alpha.
uint64_t FewestToWatch(uint64_t samples, double r, double alpha) {
  uint64_t low = 0, high = samples + 1;
  while (low + 1 < high) {
    const uint64_t middle = low + (high - low) / 2;
    (BinomialUpperTail(samples, middle, r) <= alpha ? high : low) = middle;
  }
  return high;
}

}  // namespace

ShareDifference DifferenceOf(double a, double b) {
  const double mean = (a + b) / 2, t = (a - b) / (a + b), square = t * t;
  double atanh = 0;   // half of ln(a / b) = ln((1 + t) / (1 - t))
  double spread = 0;  // ((1 + t) ln(1 + t) + (1 - t) ln(1 - t)) / 2
  if (square < 0.25) {
    // Their series, to 1e-8: most shares are close to each other, and a scrape may look at 100,000 of them.
    for (int k = square < 0.01 ? 4 : kTerms; k-- > 0;) {
      atanh = atanh * square + kOdd[k];
      spread = spread * square + kOdd[k] * kEven[k];
    }
    atanh *= t;
    spread *= square;
  } else {
    const double up = std::log1p(t), down = std::log1p(-t);
    atanh = (up - down) / 2;
    spread = ((1 + t) * up + (1 - t) * down) / 2;
  }
  return {4 * mean * t * atanh, mean * spread / std::numbers::ln2};
}

double BinomialUpperTail(uint64_t trials, uint64_t successes, double p) {
  if (successes == 0 || p >= 1) return 1;
  if (successes > trials || p <= 0) return 0;
  const auto n = static_cast<double>(trials), k = static_cast<double>(successes);
  // Terms fall from the mode on, at least geometrically; below it the other tail is the smaller one to add up.
  const bool upper = k > n * p;
  double term = std::exp(LogBinomialTerm(n, upper ? k : k - 1, p)), sum = 0;
  const double odds = p / (1 - p);
  for (double i = upper ? k : k - 1; term > sum * 1e-17 && i >= 0 && i <= n; i += upper ? 1 : -1) {
    sum += term;
    term *= upper ? (n - i) / (i + 1) * odds : i / (n - i + 1) / odds;
  }
  return std::clamp(upper ? sum : 1 - sum, 0.0, 1.0);
}

std::vector<std::vector<uint8_t>> WatchedUnits(const Reference& reference, uint64_t window) {
  double units = 0;
  for (const auto& layer : reference.active) units += static_cast<double>(layer.size());
  // (1 - r)^window = 1e-6 / U, solved for r without losing its digits.
  const double r = -std::expm1(std::log(1e-6 / units) / static_cast<double>(window));
  const uint64_t fewest = FewestToWatch(reference.samples, r, 1e-4 / units);
  std::vector<std::vector<uint8_t>> watched;
  for (const auto& layer : reference.active) {
    std::vector<uint8_t>& of_layer = watched.emplace_back();
    for (const uint64_t active : layer) of_layer.push_back(active >= fewest ? 1 : 0);
  }
  return watched;
}

Drift ActivityDrift(const std::vector<uint64_t>& active, uint64_t samples, const std::vector<uint64_t>& reference,
                    uint64_t reference_samples) {
  Drift drift;
  if (active.empty() || samples == 0 || reference_samples == 0) return drift;
  const auto n = static_cast<double>(samples), m = static_cast<double>(reference_samples);
  const double of_n = 1 / (n + 1), of_m = 1 / (m + 1);
  for (size_t unit = 0; unit < active.size(); ++unit) {
    const double p = (static_cast<double>(active[unit]) + 0.5) * of_n;
    const double q = (static_cast<double>(reference[unit]) + 0.5) * of_m;
    const ShareDifference active_share = DifferenceOf(p, q), rest = DifferenceOf(1 - p, 1 - q);
    drift.psi += active_share.psi + rest.psi;
    drift.js += active_share.js + rest.js;
  }
  drift.psi /= static_cast<double>(active.size());
  drift.js /= static_cast<double>(active.size());
  drift.psi_noise = 1 / n + 1 / m;
  return drift;
}

}  // namespace halfwave
