#include "tests/bench/compare/pairs.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace halfwave::compare {
namespace {

double Now(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

double Microseconds(clockid_t clock, int repetitions, absl::FunctionRef<void()> function) {
  const double start = Now(clock);
  for (int i = 0; i < repetitions; ++i) function();
  return (Now(clock) - start) / repetitions;
}

}  // namespace

Estimate Pairs::Ratio() const {
  std::vector<double> ratios;
  for (size_t i = 0; i < a.size(); ++i) ratios.push_back(a[i] / b[i]);
  return EstimateMedian(ratios);
}

Estimate Pairs::Scatter() const {
  std::vector<double> ratios;
  for (size_t i = 0; i + 1 < a.size(); i += 2) ratios.push_back(a[i] / a[i + 1]);
  return EstimateMedian(ratios);
}

Pairs MeasurePairs(const Effort& effort, absl::FunctionRef<void(int pair)> next, absl::FunctionRef<void()> a,
                   absl::FunctionRef<void()> b) {
  const auto time = [&](int repetitions, absl::FunctionRef<void()> function) {
    return Microseconds(effort.clock, repetitions, function);
  };
  // By the fastest of some calls: a turn of too few would measure the clock.
  const auto turns = [&](absl::FunctionRef<void()> function) {
    const double once = std::min({time(1, function), time(1, function), time(1, function)});
    return std::clamp(static_cast<int>(100 / std::max(once, 0.1)), 1, 1000);
  };
  next(0);
  const int a_turns = turns(a), b_turns = turns(b);
  const auto turn = [&](int repetitions, absl::FunctionRef<void()> function) {
    if (effort.pause_seconds > 0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(effort.pause_seconds));
      function();
    }
    return time(repetitions, function);
  };
  Pairs pairs;
  const double start = Now(CLOCK_MONOTONIC);
  for (int pair = 0; pair < effort.max_pairs; ++pair) {
    if (pair >= effort.min_pairs && Now(CLOCK_MONOTONIC) - start > effort.seconds * 1e6) break;
    next(pair);
    if (pair % 2 == 0) {
      pairs.a.push_back(turn(a_turns, a));
      pairs.b.push_back(turn(b_turns, b));
    } else {
      pairs.b.push_back(turn(b_turns, b));
      pairs.a.push_back(turn(a_turns, a));
    }
  }
  return pairs;
}

}  // namespace halfwave::compare
