#include "model/activity/reference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <numeric>

namespace halfwave {
namespace {

double LogBinomialTerm(double trials, double successes, double p) {
  return std::lgamma(trials + 1) - std::lgamma(successes + 1) - std::lgamma(trials - successes + 1) +
         successes * std::log(p) + (trials - successes) * std::log1p(-p);
}

// Units whose shares are to be compared, in two samples, of "active" and of "not active". A scrape may look at 100,000
// of them: they go through the series of what DifferenceOf computes, to 1e-8, in blocks that the compiler vectorises.
class UnitShares {
 public:
  // Adds what the unit does to both indices, or keeps it until its block is full. p, q: the shares of "active".
  void Add(double p, double q, Drift& drift) {
    const double mean = (p + q) / 2, half = (p - q) / 2;
    const double farthest = std::abs(half) / std::min(mean, 1 - mean);
    if (farthest >= 0.5) {  // too far for a series
      const ShareDifference active = DifferenceOf(p, q), rest = DifferenceOf(1 - p, 1 - q);
      drift.psi += active.psi + rest.psi;
      drift.js += active.js + rest.js;
      return;
    }
    means_[count_] = mean;
    halves_[count_] = half;
    farthest_ = std::max(farthest_, farthest);
    if (++count_ == kBlock) Flush(drift);
  }

  // Adds what is still kept.
  void Flush(Drift& drift) {
    if (count_ == 0) return;
    std::fill(means_.begin() + count_, means_.end(), 0.5);  // these add nothing
    std::fill(halves_.begin() + count_, halves_.end(), 0);
    farthest_ < 0.1 ? AddBlock<4>(drift) : farthest_ < 0.25 ? AddBlock<7>(drift) : AddBlock<14>(drift);
    count_ = 0;
    farthest_ = 0;
  }

 private:
  static constexpr size_t kBlock = 64;
  using Block = std::array<double, kBlock>;

  // With t = (a - b) / (a + b): a psi of 4 mean t atanh(t), and a js of mean / ln 2 times
  // ((1 + t) ln(1 + t) + (1 - t) ln(1 - t)) / 2 = t^2 / 2 + t^4 / 12 + ...
  template <int kTerms>
  void AddBlock(Drift& drift) const {
    Block psi = {}, js = {};
    for (const bool active : {true, false}) {
      Block t, square, atanh, spread;
      for (size_t i = 0; i < kBlock; ++i) {
        t[i] = halves_[i] / (active ? means_[i] : 1 - means_[i]);
        square[i] = t[i] * t[i];
        atanh[i] = spread[i] = 0;
      }
      for (int k = kTerms; k-- > 0;) {
        const double odd = 1.0 / (2 * k + 1), even = odd / (2 * k + 2);
        for (size_t i = 0; i < kBlock; ++i) {
          atanh[i] = atanh[i] * square[i] + odd;
          spread[i] = spread[i] * square[i] + even;
        }
      }
      for (size_t i = 0; i < kBlock; ++i) {
        psi[i] += halves_[i] * t[i] * atanh[i];
        js[i] += halves_[i] * t[i] * spread[i];
      }
    }
    drift.psi += 4 * std::accumulate(psi.begin(), psi.end(), 0.0);
    drift.js += std::accumulate(js.begin(), js.end(), 0.0) / std::numbers::ln2;
  }

  size_t count_ = 0;
  Block means_, halves_;
  double farthest_ = 0;
};

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
  const double mean = (a + b) / 2, t = (a - b) / (a + b);
  const double up = std::log(1 + t), down = std::log(1 - t);  // ln(a / mean), ln(b / mean)
  return {(a - b) * (up - down), mean * ((1 + t) * up + (1 - t) * down) / (2 * std::numbers::ln2)};
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
  UnitShares shares;
  for (size_t unit = 0; unit < active.size(); ++unit) {
    const double p = (static_cast<double>(active[unit]) + 0.5) * of_n;
    const double q = (static_cast<double>(reference[unit]) + 0.5) * of_m;
    shares.Add(p, q, drift);
  }
  shares.Flush(drift);
  drift.psi /= static_cast<double>(active.size());
  drift.js /= static_cast<double>(active.size());
  drift.psi_noise = 1 / n + 1 / m;
  return drift;
}

}  // namespace halfwave
