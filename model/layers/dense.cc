#include "model/layers/dense.h"

namespace halfwave {

void Dense::Run(const LayerCall& call) const {
  weights_.Run(call.rows * positions_, call.inputs[0], weights_.in(), activation_, call.counts, call.output,
               weights_.out(), call.scratch);
}

bool Dense::Fuse(const kernels::Activation& activation, const RowLayout* counted) {
  if (activation_.kind != kernels::ActivationKind::kNone) return false;
  if (counted != nullptr && (positions_ != 1 || counted->images != 1 || counted->channels != weights_.out())) {
    return false;
  }
  activation_ = activation;
  return true;
}

}  // namespace halfwave
