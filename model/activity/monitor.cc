#include "model/activity/monitor.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace halfwave {

WatchedReference::WatchedReference(Reference reference, uint64_t window, uint64_t before)
    : counts(std::move(reference)), watched(WatchedUnits(counts, window)), samples_before(before) {}

ActivityMonitor::ActivityMonitor(const std::vector<ActivationLayer>& layers, uint64_t window)
    : window_(window), sub_window_((window + kSubWindows - 1) / kSubWindows), ring_samples_(kSubWindows + 1, 0) {
  for (const ActivationLayer& info : layers) {
    Layer layer;
    layer.info = info;
    layer.ring_active.assign(kSubWindows + 1, std::vector<uint32_t>(info.units, 0));
    layer.ring_zeros.assign(kSubWindows + 1, 0);
    layer.ring_saturated.assign(kSubWindows + 1, 0);
    layer.last_active.assign(info.units, 0);
    layer.lifetime_active.assign(info.units, 0);
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
  for (const Layer& layer : layers_) counts.active.push_back(layer.lifetime_active);
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
    std::vector<uint32_t>& active = layer.ring_active[current_];
    for (size_t unit = 0; unit < active.size(); ++unit) {
      active[unit] += counts.active[unit];
      layer.lifetime_active[unit] += counts.active[unit];
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
      std::fill(layer.ring_active[oldest_].begin(), layer.ring_active[oldest_].end(), 0);
      layer.ring_zeros[oldest_] = 0;
      layer.ring_saturated[oldest_] = 0;
    }
    oldest_ = (oldest_ + 1) % ring_samples_.size();
  }
}

ActivitySnapshot ActivityMonitor::Snapshot() const {
  const MutexLock lock(mutex_);
  ActivitySnapshot snapshot;
  snapshot.window_size = window_;
  snapshot.window_samples = window_samples_;
  snapshot.window_full = snapshot.window_samples >= window_;
  snapshot.samples = samples_;
  snapshot.samples_not_counted = samples_not_counted_;
  snapshot.reference = reference_;
  for (const Layer& layer : layers_) {
    LayerSnapshot& out = snapshot.layers.emplace_back();
    out.layer = layer.info;
    std::vector<uint32_t> in_window(layer.info.units, 0);  // less than the window's samples, so that they fit
    for (const auto& active : layer.ring_active) {
      for (size_t unit = 0; unit < active.size(); ++unit) in_window[unit] += active[unit];
    }
    out.window_active.assign(in_window.begin(), in_window.end());
    out.samples_since_active.resize(layer.info.units);
    std::transform(layer.last_active.begin(), layer.last_active.end(), out.samples_since_active.begin(),
                   [&](uint64_t last) { return samples_ - last; });
    out.window_zeros = std::accumulate(layer.ring_zeros.begin(), layer.ring_zeros.end(), uint64_t{0});
    out.window_saturated = std::accumulate(layer.ring_saturated.begin(), layer.ring_saturated.end(), uint64_t{0});
    out.lifetime_active = layer.lifetime_active;
    out.total_active = std::accumulate(layer.lifetime_active.begin(), layer.lifetime_active.end(), uint64_t{0});
    out.total_zeros = layer.total_zeros;
    out.unit_woke_up = layer.woke_up;
    out.woke_up = std::accumulate(layer.woke_up.begin(), layer.woke_up.end(), uint64_t{0});
  }
  return snapshot;
}

}  // namespace halfwave
