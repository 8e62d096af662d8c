#include "model/engine/sharing.h"

#include <algorithm>

namespace halfwave {
namespace {

// An element that a step writes takes about as long as so many multiply-adds.
constexpr double kElementWork = 8;

// What share of the work that makes a thread worth waking makes a step worth splitting: one meets faster than one
// wakes.
constexpr double kMeeting = 1.0 / 40;

// Rows enough, by how many times longer they take than reading the weights, for each thread to read all weights.
constexpr double kManyRows = 8;

}  // namespace

Sharing::Sharing(const Model& model, int threads, double worth_waking)
    : threads_(threads), worth_waking_(worth_waking), worth_splitting_(worth_waking * kMeeting) {
  const Plan& plan = model.plan();
  for (const LayerSummary& layer : model.layers()) per_row_ += layer.multiply_adds;
  for (const Step& step : plan.steps) {
    double alone = kElementWork * static_cast<double>(plan.buffers[step.output].elements);
    per_row_ += alone;
    const double once = step.layer->WorkToSplit(0), with_one_row = step.layer->WorkToSplit(1);
    if (with_one_row >= worth_splitting_) {
      split_per_row_ += with_one_row - once;
      split_once_ += once;
      meetings_ += worth_splitting_;
    } else {
      for (const size_t node : step.nodes) alone += model.layers()[node].multiply_adds;
      alone_per_row_ += alone;
    }
  }
}

Sharing::Shares Sharing::Of(int64_t rows) const {
  const auto all = static_cast<double>(rows);
  // Together they read the weights once, but one of them does alone what cannot be split.
  const bool together =
      rows == 1 || (split_once_ > all * alone_per_row_ + meetings_ && kManyRows * split_once_ > all * split_per_row_);
  const double work = together ? all * split_per_row_ + split_once_ : all * per_row_;
  const int64_t most = together ? threads_ : std::min<int64_t>(rows, threads_);
  const int count = static_cast<int>(std::clamp<double>(work / worth_waking_, 1, static_cast<double>(most)));
  return {count, together && count > 1};
}

}  // namespace halfwave
