// What a snapshot of the counters says, in the words of README.md.
#pragma once

#include <vector>

#include "model/activity/monitor.h"

namespace halfwave {

// A layer's state.
struct LayerHealth {
  ActivationLayer layer;
  uint64_t silent_units = 0;     // no activity in the window; dead (or inactive) only if the window is full
  uint64_t always_on_units = 0;  // dense layers: active on every sample of the window; 0 for feature maps
  double sparsity = 0;           // exact zeros among the outputs of the window
  double activity = 0;           // active among the unit-sample pairs of the window
  double saturated = 0;          // outputs close to a limit among those of the window
  uint64_t woke_up = 0;          // see LayerSnapshot
  // Against the reference, if there is one.
  uint64_t went_silent_units = 0;
  uint64_t not_watched_units = 0;
  Drift drift;  // of the window
};

// Whether a watched unit was silent for at least a window since it is compared with the reference.
bool WentSilent(const ActivitySnapshot& snapshot, size_t layer, size_t unit);

// One entry per layer. All shares are 0 while the window is empty.
std::vector<LayerHealth> Summarize(const ActivitySnapshot& snapshot);

// With 95 % confidence, every unit that was silent for the whole window is active on less than this share of such
// samples: ln(U / 0.05) / n over the U units of all layers, a union bound. 1 while nothing was seen.
double SilentActivityBound(const ActivitySnapshot& snapshot);
double SilentActivityBound(uint64_t units, uint64_t samples);  // U and n

enum class UnitState {
  kNotYetKnown,  // silent so far, and the window is not full
  kActive,       // in the window
  kAlwaysOn,     // a dense unit active on every sample of a full window
  kSilent,       // no activity in a full window: dead, of a rectifier; inactive, of a leaky activation
  kWentSilent,   // the same of a unit that the reference says would not be
};
UnitState StateOf(const ActivitySnapshot& snapshot, size_t layer, size_t unit);

}  // namespace halfwave
