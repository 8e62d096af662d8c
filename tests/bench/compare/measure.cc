#include "tests/bench/compare/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

namespace halfwave::compare {
namespace {

using Clock = std::chrono::steady_clock;

template <typename Function>
double Microseconds(int repetitions, Function function) {
  const auto start = Clock::now();
  for (int i = 0; i < repetitions; ++i) function();
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count() / repetitions;
}

// `rows` rows from row `first` on, beginning again behind the last.
void CopyRows(const std::vector<float>& pool, int64_t first, int64_t row, std::vector<float>& to) {
  const int64_t pool_rows = static_cast<int64_t>(pool.size()) / row;
  const int64_t rows = static_cast<int64_t>(to.size()) / row;
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(pool.begin() + (first + i) % pool_rows * row, row, to.begin() + i * row);
  }
}

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

}  // namespace

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
  const auto turns = [](double once) { return std::clamp(static_cast<int>(100 / std::max(once, 0.1)), 1, 1000); };
  const int their_turns = turns(Microseconds(1, theirs)), our_turns = turns(Microseconds(1, ours));

  // Threads that one engine leaves spinning must not be in the other's way: ONNX Runtime's do for tens of milliseconds.
  const auto turn = [&](int turns, const auto& engine) {
    if (session.threads() > 1) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      engine();
    }
    return Microseconds(turns, engine);
  };
  std::vector<double> their_times, our_times, ratios, against_itself;
  const auto start = Clock::now();
  for (int pair = 0; pair < effort.max_pairs; ++pair) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    if (pair >= effort.min_pairs && elapsed > effort.seconds) break;
    CopyRows(pool, pair * rows, row, input);
    double a = 0, b = 0;
    if (pair % 2 == 0) {
      a = turn(their_turns, theirs);
      b = turn(our_turns, ours);
    } else {
      b = turn(our_turns, ours);
      a = turn(their_turns, theirs);
    }
    their_times.push_back(a);
    our_times.push_back(b);
    ratios.push_back(a / b);
    if (pair % 2 == 1) against_itself.push_back(their_times[pair - 1] / a);
  }
  cell.ort_us = Median(their_times);
  cell.ours_us = Median(our_times);
  cell.ratio = EstimateMedian(ratios);
  cell.scatter = EstimateMedian(against_itself);
  return cell;
}

}  // namespace halfwave::compare
