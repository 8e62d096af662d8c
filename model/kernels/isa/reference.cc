// The plain kernels at the end of the list: any processor runs them, and the others are compared with them.
#include <cmath>

#include "model/kernels/isa/tables.h"

namespace halfwave::kernels {
namespace {

float Activate(const Activation& activation, float x) {
  switch (activation.kind) {
    case ActivationKind::kNone:
      return x;
    case ActivationKind::kRelu:
      return x < 0 ? 0 : x;
    case ActivationKind::kLeakyRelu:
      return x < 0 ? activation.a * x : x;
    case ActivationKind::kClip:
      return x < activation.a ? activation.a : x > activation.b ? activation.b : x;
  }
  return x;
}

int64_t PackedElements(int64_t in, int64_t out) { return (in + 1) * out; }

void Pack(int64_t in, int64_t out, const float* weights, const float* bias, float* packed) {
  for (int64_t i = 0; i < out; ++i) packed[i] = bias[i];
  for (int64_t i = 0; i < in * out; ++i) packed[out + i] = weights[i];
}

int64_t ScratchElements(int64_t, int64_t) { return 0; }

void Dense(const DenseCall* call) {
  const UnitCounts& counts = call->counts;
  for (int64_t row = 0; row < call->rows; ++row) {
    const bool counted = counts.active != nullptr && (counts.skip == nullptr || counts.skip[row] == 0);
    for (int64_t unit = 0; unit < call->out; ++unit) {
      float sum = call->packed[unit];
      for (int64_t k = 0; k < call->in; ++k) {
        sum = std::fma(call->x[row * call->x_stride + k], call->packed[(1 + k) * call->out + unit], sum);
      }
      sum += 0.0f;
      const float out = Activate(call->activation, sum);
      call->y[row * call->y_stride + unit] = out;
      if (!counted) continue;
      counts.active[unit] += sum > 0 ? 1 : 0;
      *counts.zeros += out == 0 ? 1 : 0;
    }
  }
}

}  // namespace

const KernelTable kReferenceKernels = {"reference", {PackedElements, Pack, ScratchElements, Dense}};

}  // namespace halfwave::kernels
