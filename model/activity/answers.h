// What a classifier answers: counted over a window of samples, and compared with reference data.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/activity/reference.h"
#include "model/base/mutex.h"

namespace halfwave {

inline constexpr size_t kConfidenceBins = 20;

// Counts of some samples.
struct AnswerCounts {
  AnswerCounts() = default;
  // probabilities: whether scores are that, so that there is a confidence.
  AnswerCounts(int64_t classes, bool probabilities)
      : predicted(classes, 0), confidence(probabilities ? kConfidenceBins : 0, 0) {}

  // One sample's scores, one for each class.
  void Add(std::span<const float> scores);
  // Of the same classes.
  void Add(const AnswerCounts& other);
  void Subtract(const AnswerCounts& other);

  uint64_t samples = 0;
  std::vector<uint64_t> predicted;   // by the class with the highest score
  std::vector<uint64_t> confidence;  // by the highest probability, in bins of equal width from 0 to 1
};

// How far the shares of kinds in one sample are from those in another: population stability index and Jensen-Shannon
// divergence (in bits, 0 to 1). Half an observation more of each kind keeps both finite. All 0 of less than
// two kinds, of none counted, and if the kinds are not the same.
Drift ShareDrift(const std::vector<uint64_t>& counts, const std::vector<uint64_t>& reference);

struct AnswerSnapshot {
  AnswerCounts window;
  std::shared_ptr<const AnswerCounts> reference;  // null if there is none (yet)
};

// Thread-safe. The window is that of ActivityMonitor: a ring of sub-windows, of W samples or up to a tenth more.
class AnswerMonitor {
 public:
  // empty: counts of the model's classes without samples. window: W, at least 1.
  AnswerMonitor(AnswerCounts empty, uint64_t window);

  // Compares with `reference`, of the same classes, from now on. Once, at most.
  void SetReference(AnswerCounts reference);
  // The same with the first `samples` samples that are counted, or up to a batch more.
  void TakeReferenceFromFirst(uint64_t samples);

  void Record(const AnswerCounts& batch);

  AnswerSnapshot Snapshot() const;

 private:
  static constexpr size_t kSubWindows = 10;

  const AnswerCounts empty_;
  const uint64_t window_;
  mutable Mutex mutex_;
  std::vector<AnswerCounts> ring_ ABSL_GUARDED_BY(mutex_);
  size_t oldest_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t current_ ABSL_GUARDED_BY(mutex_) = 0;
  AnswerCounts in_window_ ABSL_GUARDED_BY(mutex_);  // the sum of ring_
  AnswerCounts since_start_ ABSL_GUARDED_BY(mutex_);
  uint64_t reference_from_first_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: none is to be taken
  std::shared_ptr<const AnswerCounts> reference_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halfwave
