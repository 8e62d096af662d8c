#include "model/analysis/input_region.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

namespace halfwave {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double Dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double MinimumOverBox(const InputDomain& box, std::span<const double> c) {
  double sum = 0;
  for (size_t i = 0; i < c.size(); ++i) {
    if (c[i] != 0) sum += c[i] * (c[i] > 0 ? box.low[i] : box.high[i]);
  }
  return sum;
}

// The multiplier t that makes min over the box of (c - t d) . x + t (t > 0 ? low : high) largest: a concave function
// whose slope falls by |d| (high - low) of an element where its coefficient changes sign, and by high - low at 0.
double BestMultiplier(const InputDomain& box, std::span<const double> c, const InputRegion::Constraint& constraint) {
  const std::vector<double>& d = constraint.direction;
  std::vector<std::pair<double, double>> drops = {{0, constraint.high - constraint.low}};
  double slope = constraint.high;  // at minus infinity: coefficients have the sign of d
  for (size_t i = 0; i < c.size(); ++i) {
    if (d[i] == 0) continue;
    slope -= d[i] * (d[i] > 0 ? box.low[i] : box.high[i]);
    drops.emplace_back(c[i] / d[i], std::abs(d[i]) * (box.high[i] - box.low[i]));
  }
  std::sort(drops.begin(), drops.end());
  if (slope <= 0) return 0;  // nothing in the box keeps to it
  for (const auto& [at, drop] : drops) {
    slope -= drop;
    if (slope <= 0) return at;
  }
  return 0;
}

// By subspace iteration on the covariance of the rows; any direction would be sound, these say most.
std::vector<std::vector<double>> PrincipalDirections(std::span<const float> rows, int64_t count, int64_t directions) {
  constexpr int kRounds = 12;
  const size_t size = rows.size() / count;
  std::vector<double> mean(size);
  for (size_t i = 0; i < rows.size(); ++i) mean[i % size] += rows[i] / static_cast<double>(count);
  std::minstd_rand random(1);
  std::normal_distribution<double> normal;
  std::vector<std::vector<double>> basis(std::min<int64_t>(directions, static_cast<int64_t>(size)),
                                         std::vector<double>(size));
  for (auto& vector : basis) std::generate(vector.begin(), vector.end(), [&] { return normal(random); });
  std::vector<double> row(size);
  for (int round = 0; round <= kRounds; ++round) {
    for (size_t k = 0; k < basis.size(); ++k) {  // Gram-Schmidt
      for (size_t j = 0; j < k; ++j) {
        const double share = Dot(basis[k], basis[j]);
        for (size_t i = 0; i < size; ++i) basis[k][i] -= share * basis[j][i];
      }
      const double norm = std::sqrt(Dot(basis[k], basis[k]));
      if (!(norm > 0)) {
        basis.resize(k);
        break;
      }
      for (double& value : basis[k]) value /= norm;
    }
    if (round == kRounds) break;
    std::vector<std::vector<double>> next(basis.size(), std::vector<double>(size));
    for (int64_t r = 0; r < count; ++r) {
      for (size_t i = 0; i < size; ++i) row[i] = rows[r * size + i] - mean[i];
      for (size_t k = 0; k < basis.size(); ++k) {
        const double share = Dot(row, basis[k]);
        for (size_t i = 0; i < size; ++i) next[k][i] += share * row[i];
      }
    }
    basis = std::move(next);
  }
  return basis;
}

}  // namespace

double InputRegion::Minimum(std::span<const double> coefficients) const {
  if (box.low.empty()) {
    const bool constant = std::all_of(coefficients.begin(), coefficients.end(), [](double c) { return c == 0; });
    return constant ? 0 : -kInfinity;
  }
  double best = MinimumOverBox(box, coefficients);
  if (constraints.empty()) return best;
  constexpr int kSweeps = 2;
  std::vector<double> rest(coefficients.begin(), coefficients.end());
  std::vector<double> multipliers(constraints.size());
  double constant = 0;
  const auto apply = [&](const InputRegion::Constraint& constraint, double multiplier, double sign) {
    constant += sign * multiplier * (multiplier > 0 ? constraint.low : constraint.high);
    for (size_t i = 0; i < rest.size(); ++i) rest[i] -= sign * multiplier * constraint.direction[i];
  };
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (size_t k = 0; k < constraints.size(); ++k) {
      apply(constraints[k], multipliers[k], -1);
      multipliers[k] = BestMultiplier(box, rest, constraints[k]);
      apply(constraints[k], multipliers[k], 1);
    }
  }
  // From the multipliers anew: what was added and taken away left rounding behind.
  rest.assign(coefficients.begin(), coefficients.end());
  constant = 0;
  double magnitude = 0;
  for (size_t k = 0; k < constraints.size(); ++k) {
    apply(constraints[k], multipliers[k], 1);
    double terms = 0;
    for (size_t i = 0; i < rest.size(); ++i) {
      terms += std::abs(constraints[k].direction[i]) * std::max(std::abs(box.low[i]), std::abs(box.high[i]));
    }
    magnitude += std::abs(multipliers[k]) * terms;
  }
  return std::max(best, MinimumOverBox(box, rest) + constant - 1e-13 * magnitude);
}

InputDomain ForEachElement(InputDomain domain, int64_t elements) {
  if (domain.low.size() == 1) {
    domain.low.resize(elements, domain.low[0]);
    domain.high.resize(elements, domain.high[0]);
  }
  return domain;
}

std::vector<InputRegion::Constraint> LearnConstraints(std::span<const float> rows, int64_t count, int64_t directions,
                                                      double slack) {
  const size_t size = rows.size() / count;
  std::vector<std::vector<double>> all = PrincipalDirections(rows, count, directions);
  all.insert(all.begin(), std::vector<double>(size, 1.0));
  std::vector<InputRegion::Constraint> constraints;
  for (std::vector<double>& direction : all) {
    double low = kInfinity, high = -kInfinity;
    for (int64_t r = 0; r < count; ++r) {
      double value = 0;
      for (size_t i = 0; i < size; ++i) value += direction[i] * rows[r * size + i];
      low = std::min(low, value);
      high = std::max(high, value);
    }
    const double wider = slack * (high - low);
    constraints.push_back({std::move(direction), low - wider, high + wider});
  }
  return constraints;
}

}  // namespace halfwave
