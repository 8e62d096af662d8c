#pragma once

#include "model/layers/layer.h"

namespace halfwave {

// Leaves its input where it is: a place where something is counted.
class Nothing : public Layer {
 public:
  void Run(const LayerCall& /*call*/) const override {}
};

}  // namespace halfwave
