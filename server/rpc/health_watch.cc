#include "server/rpc/health_watch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/rpc/health.h"

namespace halfwave {
namespace {

constexpr uint32_t kDefaultIntervalMs = 1000;
constexpr uint32_t kLeastIntervalMs = 100;
constexpr absl::Duration kLookForClient = absl::Milliseconds(100);

absl::Status Stopping() { return absl::UnavailableError("the server is stopping"); }

UnitState WorthReporting(UnitState state, ActivationFamily family) {
  if (state == UnitState::kNotYetKnown) return UnitState::kActive;
  if (family == ActivationFamily::kSaturating && state != UnitState::kWentSilent) return UnitState::kActive;
  return state;
}

}  // namespace

std::vector<v1::HealthChange> UnitStates::Update(const ActivitySnapshot& snapshot) {
  const bool initial = states_.empty();
  if (initial) {
    for (const LayerSnapshot& layer : snapshot.layers) {
      states_.emplace_back(layer.window_active.size(), UnitState::kActive);
    }
  }
  std::vector<v1::HealthChange> changes;
  for (size_t layer = 0; layer < snapshot.layers.size(); ++layer) {
    const ActivationLayer& info = snapshot.layers[layer].layer;
    for (size_t unit = 0; unit < states_[layer].size(); ++unit) {
      UnitState& before = states_[layer][unit];
      const UnitState now = WorthReporting(StateOf(snapshot, layer, unit), info.family);
      if (now == before) continue;
      v1::HealthChange& change = changes.emplace_back();
      change.set_layer(info.name);
      change.set_family(ToProto(info.family));
      change.set_unit(unit);
      change.set_before(initial ? v1::UnitHealth::NOT_YET_KNOWN : ToProto(before));
      change.set_now(ToProto(now));
      change.set_samples_seen(snapshot.samples);
      change.set_initial(initial);
      before = now;
    }
  }
  return changes;
}

absl::StatusOr<absl::Duration> IntervalOf(const v1::WatchHealthRequest& request) {
  const uint32_t ms = request.interval_ms() == 0 ? kDefaultIntervalMs : request.interval_ms();
  if (ms >= kLeastIntervalMs) return absl::Milliseconds(ms);
  return absl::InvalidArgumentError(absl::StrCat("interval_ms: expected at least ", kLeastIntervalMs, ", or 0 for ",
                                                 kDefaultIntervalMs, ", found ", ms));
}

absl::Status Watches::Enter() {
  const MutexLock lock(mutex_);
  if (stopped_) return Stopping();
  if (count_ == kMost) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", kMost, " health watches already, as many as may be at once"));
  }
  ++count_;
  return absl::OkStatus();
}

void Watches::Leave() {
  const MutexLock lock(mutex_);
  --count_;
}

absl::Status Watches::Wait(absl::Duration interval, const std::function<bool()>& gone) {
  const absl::Time end = absl::Now() + interval;
  const MutexLock lock(mutex_);
  while (!stopped_ && absl::Now() < end && !gone())
    changed_.WaitUntil(mutex_, std::min(end, absl::Now() + kLookForClient));
  return stopped_ ? Stopping() : absl::OkStatus();
}

void Watches::Stop() {
  const MutexLock lock(mutex_);
  stopped_ = true;
  changed_.NotifyAll();
}

}  // namespace halfwave
