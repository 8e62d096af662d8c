// Gathers the activity of one model version over its last samples and over its lifetime.
//
//   ActivityMonitor monitor(model.activations(), 10'000);
//   session.Run(rows);
//   monitor.Record(session.activity());          // once per batch, after the answers have left
//   for (const LayerHealth& layer : Summarize(monitor.Snapshot())) ...  // health.h
#pragma once

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "model/activity/activity.h"
#include "model/activity/reference.h"
#include "model/base/mutex.h"

namespace halfwave {

// A reference, and what it allows to be said of each unit.
struct WatchedReference {
  WatchedReference(Reference counts, uint64_t window, uint64_t samples_before);

  Reference counts;
  std::vector<std::vector<uint8_t>> watched;  // see WatchedUnits
  uint64_t samples_before = 0;                // that had been counted before units were compared with it
};

// One layer at one moment. Per-unit vectors have one entry per unit.
struct LayerSnapshot {
  ActivationLayer layer;
  std::vector<uint64_t> window_active;         // samples of the window on which the unit was active
  std::vector<uint64_t> samples_since_active;  // counted samples since then; all of them if it never was
  uint64_t window_zeros = 0;
  uint64_t window_saturated = 0;
  std::vector<uint64_t> lifetime_active;  // samples since the start on which the unit was active
  uint64_t total_active = 0;              // their sum: only ever grows
  uint64_t total_zeros = 0;
  std::vector<uint32_t> unit_woke_up;  // how often it was active after no activity on a full window or more
  uint64_t woke_up = 0;                // their sum
};

struct ActivitySnapshot {
  uint64_t window_size = 0;     // W: the samples a window must hold to be full
  uint64_t window_samples = 0;  // in the window now; from W to 1.1 W and a batch, once full
  bool window_full = false;
  uint64_t samples = 0;  // counted since the start
  uint64_t samples_not_counted = 0;
  std::vector<LayerSnapshot> layers;
  std::shared_ptr<const WatchedReference> reference;  // null if there is none (yet)
};

// Thread-safe. The window is a ring of sub-windows of W / 10 samples; a batch belongs to one of them, and the oldest is
// dropped as soon as the others hold W samples.
class ActivityMonitor {
 public:
  // window: W, at least 1.
  ActivityMonitor(const std::vector<ActivationLayer>& layers, uint64_t window);

  // Compares the units with `reference` from now on. Its counts must be of as many layers and units. Once, at most.
  void SetReference(Reference reference);
  // The same with the first `samples` samples that are counted, or up to a batch more.
  void TakeReferenceFromFirst(uint64_t samples);

  // Adds one batch. Holds a lock for as long as it takes to add up one number per unit.
  void Record(const BatchActivity& batch);

  // Holds the same lock for as long as it takes to copy four numbers per unit.
  ActivitySnapshot Snapshot() const;

 private:
  static constexpr size_t kSubWindows = 10;

  struct Layer {
    std::vector<std::vector<uint32_t>> ring_active;  // per sub-window, per unit
    std::vector<uint64_t> ring_zeros;
    std::vector<uint64_t> ring_saturated;
    std::vector<uint32_t> window_active;   // the sum of ring_active; less than the window's samples, so that it fits
    std::vector<uint64_t> dropped_active;  // of the sub-windows that have left the ring
    std::vector<uint64_t> last_active;     // the global number of the last counted sample on which it was; 0: never
    uint64_t total_zeros = 0;
    std::vector<uint32_t> woke_up;  // see LayerSnapshot::unit_woke_up
  };

  void DropWhatIsTooOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Reference CountsSinceStart() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::vector<ActivationLayer> infos_;
  const uint64_t window_;
  const uint64_t sub_window_;  // samples after which the ring moves on
  mutable Mutex mutex_;
  std::vector<Layer> layers_ ABSL_GUARDED_BY(mutex_);
  // Per sub-window; in use are those from oldest_ to current_, in a circle. Ten full ones hold W, so eleven suffice.
  std::vector<uint64_t> ring_samples_ ABSL_GUARDED_BY(mutex_);
  size_t oldest_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t current_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t window_samples_ ABSL_GUARDED_BY(mutex_) = 0;  // the sum of ring_samples_
  uint64_t samples_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t samples_not_counted_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t reference_from_first_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: none is to be taken
  std::shared_ptr<const WatchedReference> reference_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace halfwave
