// What the units of a network did: counted per batch by a session, gathered over a window of samples here. The words
// (unit, active, window) mean what README.md says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace halfwave {

enum class ActivationFamily {
  kRectifier,   // zero below zero: a unit that is never active is dead
  kLeaky,       // passes a gradient below zero: such a unit is inactive
  kSaturating,  // flat towards both ends
};

// An activation of the network, in the file's own terms.
struct ActivationLayer {
  std::string name;  // of the node
  std::string op;    // "Relu", "Elu", ...
  ActivationFamily family = ActivationFamily::kRectifier;
  int64_t units = 0;          // channels of the tensor that enters it
  int64_t elements = 0;       // of one row of that tensor: units times positions
  bool feature_maps = false;  // each unit is a map with several positions or comes from a convolution
};

// The counts of one layer over some samples.
struct LayerCounts {
  std::vector<uint32_t> active;  // per unit: samples on which its pre-activation was above zero (somewhere)
  uint64_t zeros = 0;            // outputs that were exactly zero; a NaN may count as one
  uint64_t saturated = 0;        // outputs close to a limit; saturating layers only
};

// The counts of one batch. Belongs to one session, which overwrites it with its next batch.
struct BatchActivity {
  uint64_t samples = 0;              // counted
  uint64_t samples_not_counted = 0;  // held a NaN or an infinity
  std::vector<LayerCounts> layers;   // in the order of the model's activation layers
};

}  // namespace halfwave
