#include "tests/bench/compare/counting.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "model/engine/session.h"
#include "tests/bench/compare/measure.h"

namespace halfwave::compare {
namespace {

Pairs MeasureCounting(Session& session, int64_t rows, const std::vector<float>& pool, const Effort& effort) {
  const int64_t row = RowElements(session.model().inputs()[0].shape);
  std::vector<float> input(row * rows);
  const auto run = [&](bool counting) {
    session.set_counting(counting);
    std::copy(input.begin(), input.end(), session.input(0).begin());
    session.Run(rows);
  };
  const auto with = [&] { run(true); };
  const auto without = [&] { run(false); };
  const auto next = [&](int pair) { CopyRows(pool, pair * rows, row, input); };
  next(0);
  for (int i = 0; i < 2; ++i) {  // warms up
    with();
    without();
  }
  return MeasurePairs(effort, next, with, without);
}

}  // namespace

void CompareCounting(const std::vector<Entry>& entries, const std::vector<int64_t>& batches, bool quick) {
  const Effort effort =
      quick ? Effort{0.5, 25, 2000, CLOCK_THREAD_CPUTIME_ID} : Effort{2, 51, 10'000, CLOCK_THREAD_CPUTIME_ID};
  std::printf("CPU time in us, medians; ratio: with counting / without, 95 %% interval; on/on: scatter.\n\n");
  std::printf("%-28s %5s %11s %11s %7s %16s %6s %14s\n", "model", "batch", "counting", "without", "ratio", "", "on/on",
              "");
  double logs = 0, largest = 0;
  int cells = 0;
  for (const Entry& entry : entries) {
    const auto model = Load(entry);
    if (!model.ok()) {
      std::fprintf(stderr, "compare: %s: %s\n", entry.name.c_str(), std::string(model.status().message()).c_str());
      std::exit(1);
    }
    Session session(*model, *std::max_element(batches.begin(), batches.end()));
    const std::vector<float> pool = RowsFor(entry, **model);
    for (const int64_t batch : batches) {
      const Pairs pairs = MeasureCounting(session, batch, pool, effort);
      const Estimate ratio = pairs.Ratio(), scatter = pairs.Scatter();
      std::printf("%-28s %5ld %11.2f %11.2f %7.3f [%6.3f, %6.3f] %6.3f [%5.3f, %5.3f]\n", entry.name.c_str(), batch,
                  Median(pairs.a), Median(pairs.b), ratio.median, ratio.low, ratio.high, scatter.median, scatter.low,
                  scatter.high);
      std::fflush(stdout);
      logs += std::log(ratio.median);
      largest = std::max(largest, ratio.median);
      ++cells;
    }
  }
  if (cells > 0) std::printf("\n%d cells: geometric mean %.4f, largest %.3f\n", cells, std::exp(logs / cells), largest);
}

}  // namespace halfwave::compare
