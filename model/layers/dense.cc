#include "model/layers/dense.h"

namespace halfwave {

void Dense::Run(const LayerCall& call) const {
  weights_.Run(weights_.ShareOf(call.part, call.parts), call.rows * positions_, call.inputs[0], weights_.in(),
               activation_, call.counts, call.output, weights_.out(), call.scratch);
}

double Dense::WorkToSplit() const {
  if (weights_.ShareOf(0, 2).end == weights_.out()) return 0;
  constexpr double kReading = 3;  // multiply-adds that take as long as reading a weight does
  return (static_cast<double>(positions_) + kReading) * static_cast<double>(weights_.in() * weights_.out());
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
