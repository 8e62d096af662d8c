#include "tests/bench/compare/measure.h"

#include <algorithm>
#include <cmath>

#include "tests/bench/compare/peak.h"

namespace halfwave::compare {
namespace {

// |difference| over 1e-5 times the row's largest output + 1e-6, at its worst.
double Difference(const std::vector<float>& expected, std::span<const float> got, int64_t rows) {
  const int64_t row = static_cast<int64_t>(expected.size()) / rows;
  double worst = 0;
  for (int64_t r = 0; r < rows; ++r) {
    double peak = 0, largest = 0;
    for (int64_t i = r * row; i < (r + 1) * row; ++i) {
      peak = std::max<double>(peak, std::abs(expected[i]));
      largest = std::max<double>(largest, std::abs(static_cast<double>(expected[i]) - got[i]));
    }
    worst = std::max(worst, largest / (1e-5 * peak + 1e-6));
  }
  return worst;
}

int64_t MultiplyAddsPerRow(const Model& model) {
  int64_t sum = 0;
  for (const LayerSummary& layer : model.layers()) sum += layer.multiply_adds;
  return sum;
}

}  // namespace

void CopyRows(const std::vector<float>& pool, int64_t first, int64_t row, std::vector<float>& to) {
  const int64_t pool_rows = static_cast<int64_t>(pool.size()) / row;
  const int64_t rows = static_cast<int64_t>(to.size()) / row;
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(pool.begin() + (first + i) % pool_rows * row, row, to.begin() + i * row);
  }
}

Cell Measure(PeerModel& peer, Session& session, int64_t rows, const std::vector<float>& pool, const Effort& effort) {
  const size_t scores = session.model().scores_output();
  peer.Bind(rows, scores, session.model().outputs()[scores].shape);
  std::vector<float>& input = peer.input();
  const int64_t row = static_cast<int64_t>(input.size()) / rows;
  const auto theirs = [&] { peer.Run(); };
  const auto ours = [&] {
    std::copy(input.begin(), input.end(), session.input(0).begin());
    session.Run(rows);
  };

  Cell cell;
  cell.batch = rows;
  cell.row_by_row = peer.RowByRow();
  CopyRows(pool, 0, row, input);
  for (int i = 0; i < 2; ++i) {  // warms up both
    theirs();
    ours();
  }
  cell.difference = Difference(peer.output(), session.output(scores, rows), rows);
  const Pairs pairs = MeasurePairs(
      effort, [&](int pair) { CopyRows(pool, pair * rows, row, input); }, theirs, ours);
  cell.ort_us = Median(pairs.a);
  cell.ours_us = Median(pairs.b);
  const int64_t multiply_adds = MultiplyAddsPerRow(session.model()) * rows;
  cell.of_peak = static_cast<double>(multiply_adds) / cell.ours_us / MultiplyAddsPerMicrosecond();
  cell.ratio = pairs.Ratio();
  cell.scatter = pairs.Scatter();
  return cell;
}

}  // namespace halfwave::compare
