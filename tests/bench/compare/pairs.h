// Two ways to do the same, by turns: how every ratio here comes about.
#pragma once

#include <time.h>

#include <vector>

#include "absl/functional/function_ref.h"
#include "tests/bench/compare/statistics.h"

namespace halfwave::compare {

struct Effort {
  double seconds;  // for all pairs, if they need no more
  int min_pairs, max_pairs;
  // CLOCK_THREAD_CPUTIME_ID for what one thread computes without waiting: other programs disturb it less.
  clockid_t clock = CLOCK_MONOTONIC;
  // Before each turn, and a call that is not timed: threads that the other one leaves spinning must not be in the way.
  // ONNX Runtime's do for tens of milliseconds.
  double pause_seconds = 0;
};

// Microseconds per call.
struct Pairs {
  std::vector<double> a, b;

  Estimate Ratio() const;    // a / b, over the pairs
  Estimate Scatter() const;  // a against itself, of neighbouring pairs
};

// Times `a` and `b` one after the other, each pair behind an untimed `next(pair)`, and changes who goes first. A turn
// is one call or, of short ones, as many as take 100 us. Both should have been called before.
Pairs MeasurePairs(const Effort& effort, absl::FunctionRef<void(int pair)> next, absl::FunctionRef<void()> a,
                   absl::FunctionRef<void()> b);

}  // namespace halfwave::compare
