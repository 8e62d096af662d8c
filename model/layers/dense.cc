#include "model/layers/dense.h"

namespace halfwave {

void Dense::Run(const LayerCall& call) const {
  weights_.Run(weights_.ShareOf(call.part, call.parts), call.rows * times_, call.inputs[0], weights_.in(), activation_,
               call.counts, call.output, weights_.out(), call.scratch);
}

double Dense::WorkToSplit(int64_t rows) const {
  if (weights_.ShareOf(0, 2).end == weights_.out()) return 0;
  return static_cast<double>(rows * times_ * weights_.in() * weights_.out()) + WorkOfReading(WeightBytes());
}

bool Dense::Fuse(const kernels::Activation& activation, const RowLayout* counted) {
  if (activation_.kind != kernels::ActivationKind::kNone) return false;
  if (counted != nullptr && (times_ != 1 || counted->images != 1 || counted->channels != weights_.out())) {
    return false;
  }
  activation_ = activation;
  return true;
}

}  // namespace halfwave
