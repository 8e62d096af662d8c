#include "model/activity/health.h"

#include <algorithm>
#include <cmath>

namespace halfwave {

bool WentSilent(const ActivitySnapshot& snapshot, size_t layer, size_t unit) {
  if (snapshot.reference == nullptr || snapshot.reference->watched[layer][unit] == 0) return false;
  const uint64_t compared = snapshot.samples - snapshot.reference->samples_before;
  return std::min(compared, snapshot.layers[layer].samples_since_active[unit]) >= snapshot.window_size;
}

namespace {

void CompareWithReference(const ActivitySnapshot& snapshot, size_t layer, LayerHealth& out) {
  const WatchedReference& reference = *snapshot.reference;
  const std::vector<uint8_t>& watched = reference.watched[layer];
  out.not_watched_units = static_cast<uint64_t>(std::count(watched.begin(), watched.end(), 0));
  for (size_t unit = 0; unit < watched.size(); ++unit) out.went_silent_units += WentSilent(snapshot, layer, unit);
  out.drift = ActivityDrift(snapshot.layers[layer].window_active, snapshot.window_samples,
                            reference.counts.active[layer], reference.counts.samples);
}

}  // namespace

std::vector<LayerHealth> Summarize(const ActivitySnapshot& snapshot) {
  std::vector<LayerHealth> health;
  for (size_t i = 0; i < snapshot.layers.size(); ++i) {
    const LayerSnapshot& layer = snapshot.layers[i];
    LayerHealth& out = health.emplace_back();
    out.layer = layer.layer;
    out.woke_up = layer.woke_up;
    if (snapshot.reference != nullptr) CompareWithReference(snapshot, i, out);
    uint64_t active = 0;
    for (const uint64_t count : layer.window_active) {
      active += count;
      out.silent_units += count == 0 ? 1 : 0;
      out.always_on_units += !layer.layer.feature_maps && count == snapshot.window_samples ? 1 : 0;
    }
    if (snapshot.window_samples == 0) {
      out.always_on_units = 0;
      continue;
    }
    const auto samples = static_cast<double>(snapshot.window_samples);
    const double outputs = samples * static_cast<double>(layer.layer.elements);
    out.sparsity = static_cast<double>(layer.window_zeros) / outputs;
    out.saturated = static_cast<double>(layer.window_saturated) / outputs;
    out.activity = static_cast<double>(active) / (samples * static_cast<double>(layer.layer.units));
  }
  return health;
}

double SilentActivityBound(uint64_t units, uint64_t samples) {
  if (samples == 0 || units == 0) return 1;
  return std::min(1.0, std::log(static_cast<double>(units) / 0.05) / static_cast<double>(samples));
}

double SilentActivityBound(const ActivitySnapshot& snapshot) {
  uint64_t units = 0;
  for (const LayerSnapshot& layer : snapshot.layers) units += static_cast<uint64_t>(layer.layer.units);
  return SilentActivityBound(units, snapshot.window_samples);
}

UnitState StateOf(const ActivitySnapshot& snapshot, size_t layer, size_t unit) {
  const LayerSnapshot& counts = snapshot.layers[layer];
  if (WentSilent(snapshot, layer, unit)) return UnitState::kWentSilent;
  if (counts.window_active[unit] == 0) return snapshot.window_full ? UnitState::kSilent : UnitState::kNotYetKnown;
  const bool always = snapshot.window_full && counts.window_active[unit] == snapshot.window_samples;
  return always && !counts.layer.feature_maps ? UnitState::kAlwaysOn : UnitState::kActive;
}

}  // namespace halfwave
