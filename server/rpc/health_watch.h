// What NeuronHealth.WatchHealth is made of: how the states of units change from look to look, and how many may look.
#pragma once

#include <functional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/activity/health.h"
#include "model/base/mutex.h"
#include "proto/neuron_health.pb.h"

namespace halfwave {

// Follows the states of one model version's units. "Active" and "not yet known" are the same here: nothing to report.
// So is the silence of a saturating layer, unless its units went silent.
class UnitStates {
 public:
  // The first time: the units whose state is worth a report, marked as initial. From then on: those whose state changed
  // since the last time. In the order of layers and units.
  std::vector<v1::HealthChange> Update(const ActivitySnapshot& snapshot);

 private:
  std::vector<std::vector<UnitState>> states_;  // per layer, per unit; empty before the first time
};

// How long to wait between looks. INVALID_ARGUMENT if the request asks for less than is allowed.
absl::StatusOr<absl::Duration> IntervalOf(const v1::WatchHealthRequest& request);

// The watches under way. Each holds a thread, so there are few. Thread-safe.
class Watches {
 public:
  static constexpr int kMost = 16;

  // RESOURCE_EXHAUSTED if there are as many as may be, UNAVAILABLE once stopped. On OK one Leave must follow.
  absl::Status Enter();
  void Leave();

  // Returns OK after `interval`, or as soon as `gone()`, which is asked ten times a second; UNAVAILABLE once stopped.
  absl::Status Wait(absl::Duration interval, const std::function<bool()>& gone);

  // Ends all waits and lets nobody enter. Does not wait for them to leave.
  void Stop();

 private:
  Mutex mutex_;
  CondVar changed_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace halfwave
