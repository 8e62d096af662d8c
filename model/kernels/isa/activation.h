// What a kernel may do to an output before it stores it.
#pragma once

#include <cstdint>

namespace halfwave::kernels {

// An activation cheap enough to be applied before an output is stored. A NaN stays one.
enum class ActivationKind : int32_t {
  kNone,
  kRelu,       // x < 0 ? 0 : x
  kLeakyRelu,  // x < 0 ? a x : x
  kClip,       // x < a ? a : x > b ? b : x, where a <= b
};

struct Activation {
  ActivationKind kind;
  float a, b;
};

// Where units are counted; `active` null: not at all.
struct UnitCounts {
  uint32_t* active;     // per unit: 1 is added for each row on which it was above zero before the activation
  uint64_t* zeros;      // the outputs that are exactly zero are added, and of kRelu those that are NaN
  const uint8_t* skip;  // if not null: a byte per row; rows whose byte is not zero are left out
};

}  // namespace halfwave::kernels
