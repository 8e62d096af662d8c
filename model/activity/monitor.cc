#include "model/activity/monitor.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace halfwave {
namespace {

template <typename Sum>
void AddTo(std::vector<Sum>& sums, const std::vector<uint32_t>& values) {
  for (size_t i = 0; i < sums.size(); ++i) sums[i] += values[i];
}

}  // namespace

WatchedReference::WatchedReference(Reference reference, uint64_t window, uint64_t before)
    : counts(std::move(reference)), watched(WatchedUnits(counts, window)), samples_before(before) {}

ActivityMonitor::ActivityMonitor(const std::vector<ActivationLayer>& layers, uint64_t window)
    : infos_(layers),
      window_(window),
      sub_window_((window + kSubWindows - 1) / kSubWindows),
      ring_samples_(kSubWindows + 1, 0) {
  for (const ActivationLayer& info : layers) {
    Layer layer;
    layer.ring_active.assign(kSubWindows + 1, std::vector<uint32_t>(info.units, 0));
    layer.ring_zeros.assign(kSubWindows + 1, 0);
    layer.ring_saturated.assign(kSubWindows + 1, 0);
    layer.window_active.assign(info.units, 0);
    layer.dropped_active.assign(info.units, 0);
    layer.last_active.assign(info.units, 0);
    layer.woke_up.assign(info.units, 0);
    layers_.push_back(std::move(layer));
  }
}

void ActivityMonitor::SetReference(Reference reference) {
  const MutexLock lock(mutex_);
  reference_ = std::make_shared<const WatchedReference>(std::move(reference), window_, samples_);
}

void ActivityMonitor::TakeReferenceFromFirst(uint64_t samples) {
  const MutexLock lock(mutex_);
  reference_from_first_ = samples;
}

Reference ActivityMonitor::CountsSinceStart() const {
  Reference counts;
  counts.samples = samples_;
  for (const Layer& layer : layers_) {
    std::vector<uint64_t>& active = counts.active.emplace_back(layer.dropped_active);
    AddTo(active, layer.window_active);
  }
  return counts;
}

void ActivityMonitor::Record(const BatchActivity& batch) {
  const MutexLock lock(mutex_);
  samples_not_counted_ += batch.samples_not_counted;
  if (batch.samples == 0) return;
  if (ring_samples_[current_] >= sub_window_) current_ = (current_ + 1) % ring_samples_.size();
  samples_ += batch.samples;
  window_samples_ += batch.samples;
  ring_samples_[current_] += batch.samples;
  for (size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const LayerCounts& counts = batch.layers[i];
    AddTo(layer.ring_active[current_], counts.active);
    AddTo(layer.window_active, counts.active);
    for (size_t unit = 0; unit < counts.active.size(); ++unit) {
      if (counts.active[unit] == 0) continue;
      if (samples_ - batch.samples - layer.last_active[unit] >= window_) ++layer.woke_up[unit];
      layer.last_active[unit] = samples_;
    }
    layer.ring_zeros[current_] += counts.zeros;
    layer.ring_saturated[current_] += counts.saturated;
    layer.total_zeros += counts.zeros;
  }
  DropWhatIsTooOld();
  if (reference_ == nullptr && reference_from_first_ > 0 && samples_ >= reference_from_first_) {
    reference_ = std::make_shared<const WatchedReference>(CountsSinceStart(), window_, samples_);
  }
}

void ActivityMonitor::DropWhatIsTooOld() {
  while (oldest_ != current_ && window_samples_ - ring_samples_[oldest_] >= window_) {
    window_samples_ -= ring_samples_[oldest_];
    ring_samples_[oldest_] = 0;
    for (Layer& layer : layers_) {
      std::vector<uint32_t>& active = layer.ring_active[oldest_];
      AddTo(layer.dropped_active, active);
      for (size_t unit = 0; unit < active.size(); ++unit) layer.window_active[unit] -= active[unit];
      std::fill(active.begin(), active.end(), 0);
      layer.ring_zeros[oldest_] = 0;
      layer.ring_saturated[oldest_] = 0;
    }
    oldest_ = (oldest_ + 1) % ring_samples_.size();
  }
}

ActivitySnapshot ActivityMonitor::Snapshot() const {
  ActivitySnapshot snapshot;
  // Under the lock, which keeps batches waiting, is only copied, to memory that is there.
  std::vector<std::vector<uint32_t>> window_active;
  for (const ActivationLayer& info : infos_) {
    LayerSnapshot& out = snapshot.layers.emplace_back();
    out.layer = info;
    window_active.emplace_back(info.units);
    out.lifetime_active.resize(info.units);
    out.samples_since_active.resize(info.units);
    out.unit_woke_up.resize(info.units);
  }
  {
    const MutexLock lock(mutex_);
    snapshot.window_size = window_;
    snapshot.window_samples = window_samples_;
    snapshot.samples = samples_;
    snapshot.samples_not_counted = samples_not_counted_;
    snapshot.reference = reference_;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const Layer& layer = layers_[i];
      LayerSnapshot& out = snapshot.layers[i];
      std::ranges::copy(layer.window_active, window_active[i].begin());
      std::ranges::copy(layer.dropped_active, out.lifetime_active.begin());
      std::ranges::copy(layer.last_active, out.samples_since_active.begin());
      std::ranges::copy(layer.woke_up, out.unit_woke_up.begin());
      out.window_zeros = std::accumulate(layer.ring_zeros.begin(), layer.ring_zeros.end(), uint64_t{0});
      out.window_saturated = std::accumulate(layer.ring_saturated.begin(), layer.ring_saturated.end(), uint64_t{0});
      out.total_zeros = layer.total_zeros;
    }
  }
  snapshot.window_full = snapshot.window_samples >= window_;
  for (size_t i = 0; i < infos_.size(); ++i) {
    LayerSnapshot& out = snapshot.layers[i];
    AddTo(out.lifetime_active, window_active[i]);
    out.window_active.assign(window_active[i].begin(), window_active[i].end());
    for (uint64_t& sample : out.samples_since_active) sample = snapshot.samples - sample;
    out.total_active = std::accumulate(out.lifetime_active.begin(), out.lifetime_active.end(), uint64_t{0});
    out.woke_up = std::accumulate(out.unit_woke_up.begin(), out.unit_woke_up.end(), uint64_t{0});
  }
  return snapshot;
}

}  // namespace halfwave
