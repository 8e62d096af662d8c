#include "model/activity/answers.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

namespace halfwave {
namespace {

template <typename Combine>
void CombineCounts(AnswerCounts& counts, const AnswerCounts& other, Combine combine) {
  counts.samples = combine(counts.samples, other.samples);
  const auto each = [&](std::vector<uint64_t>& a, const std::vector<uint64_t>& b) {
    std::transform(a.begin(), a.end(), b.begin(), a.begin(), combine);
  };
  each(counts.predicted, other.predicted);
  each(counts.confidence, other.confidence);
}

}  // namespace

void AnswerCounts::Add(std::span<const float> scores) {
  const auto highest = std::max_element(scores.begin(), scores.end());
  ++samples;
  ++predicted[highest - scores.begin()];
  if (confidence.empty()) return;
  constexpr double kBins = kConfidenceBins;
  ++confidence[static_cast<size_t>(std::clamp<double>(*highest * kBins, 0, kBins - 1))];
}

void AnswerCounts::Add(const AnswerCounts& other) { CombineCounts(*this, other, std::plus<uint64_t>()); }

void AnswerCounts::Subtract(const AnswerCounts& other) { CombineCounts(*this, other, std::minus<uint64_t>()); }

Drift ShareDrift(const std::vector<uint64_t>& counts, const std::vector<uint64_t>& reference) {
  Drift drift;
  const auto n = static_cast<double>(std::accumulate(counts.begin(), counts.end(), uint64_t{0}));
  const auto m = static_cast<double>(std::accumulate(reference.begin(), reference.end(), uint64_t{0}));
  const auto kinds = static_cast<double>(counts.size());
  if (counts.size() < 2 || counts.size() != reference.size() || n == 0 || m == 0) return drift;
  for (size_t i = 0; i < counts.size(); ++i) {
    const double p = (static_cast<double>(counts[i]) + 0.5) / (n + kinds / 2);
    const double q = (static_cast<double>(reference[i]) + 0.5) / (m + kinds / 2);
    const ShareDifference difference = DifferenceOf(p, q);
    drift.psi += difference.psi;
    drift.js += difference.js;
  }
  // Each of two samples of the same shares adds a chi-squared of kinds - 1 degrees over its size.
  drift.psi_noise = (kinds - 1) * (1 / n + 1 / m);
  return drift;
}

AnswerMonitor::AnswerMonitor(AnswerCounts empty, uint64_t window)
    : empty_(std::move(empty)),
      window_(window),
      ring_(kSubWindows + 1, empty_),
      in_window_(empty_),
      since_start_(empty_) {}

void AnswerMonitor::SetReference(AnswerCounts reference) {
  const MutexLock lock(mutex_);
  reference_ = std::make_shared<const AnswerCounts>(std::move(reference));
}

void AnswerMonitor::TakeReferenceFromFirst(uint64_t samples) {
  const MutexLock lock(mutex_);
  reference_from_first_ = samples;
}

void AnswerMonitor::Record(const AnswerCounts& batch) {
  if (batch.samples == 0) return;
  const MutexLock lock(mutex_);
  if (ring_[current_].samples >= (window_ + kSubWindows - 1) / kSubWindows) current_ = (current_ + 1) % ring_.size();
  ring_[current_].Add(batch);
  in_window_.Add(batch);
  while (oldest_ != current_ && in_window_.samples - ring_[oldest_].samples >= window_) {
    in_window_.Subtract(ring_[oldest_]);
    ring_[oldest_] = empty_;
    oldest_ = (oldest_ + 1) % ring_.size();
  }
  if (reference_ != nullptr || reference_from_first_ == 0) return;
  since_start_.Add(batch);
  if (since_start_.samples >= reference_from_first_) reference_ = std::make_shared<const AnswerCounts>(since_start_);
}

AnswerSnapshot AnswerMonitor::Snapshot() const {
  const MutexLock lock(mutex_);
  return {in_window_, reference_};
}

}  // namespace halfwave
