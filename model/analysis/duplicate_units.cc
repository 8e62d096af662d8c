#include "model/analysis/duplicate_units.h"

#include <Eigen/Core>

namespace halfwave {
namespace {

constexpr double kSame = 1 - 1e-6;
constexpr int64_t kFewestRows = 10;
constexpr int64_t kBlock = 256;

}  // namespace

std::vector<DuplicateUnit> FindDuplicateUnits(std::span<const float> responses, int64_t units) {
  std::vector<DuplicateUnit> duplicates;
  const int64_t rows = units == 0 ? 0 : static_cast<int64_t>(responses.size()) / units;
  if (rows < kFewestRows || units > kMaxUnits) return duplicates;
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  Matrix directions = Eigen::Map<const Floats>(responses.data(), units, rows).cast<double>();
  for (int64_t unit = 0; unit < units; ++unit) {
    const bool active = directions.row(unit).maxCoeff() > 0;
    const double norm = directions.row(unit).norm();
    directions.row(unit) *= active ? 1 / norm : 0;
  }
  std::vector<bool> found(units, false);
  for (int64_t first = 0; first < units; first += kBlock) {
    const int64_t count = std::min(kBlock, units - first);
    // Cosines with the units of the block and those behind it.
    const Matrix cosines = directions.middleRows(first, count) * directions.bottomRows(units - first).transpose();
    for (int64_t i = 0; i < count; ++i) {
      if (found[first + i]) continue;
      for (int64_t j = i + 1; j < cosines.cols(); ++j) {
        if (cosines(i, j) < kSame || found[first + j]) continue;
        found[first + j] = true;
        duplicates.push_back({first + j, first + i});
      }
    }
  }
  return duplicates;
}

}  // namespace halfwave
