// The plain kernels at the end of the list: any processor runs them, and the others are compared with them.
#include <cmath>

#include "model/kernels/isa/reference_image.h"
#include "model/kernels/isa/tables.h"

namespace halfwave::kernels {
namespace {

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
      const float out = ReferenceActivate(call->activation, sum);
      call->y[row * call->y_stride + unit] = out;
      if (!counted) continue;
      counts.active[unit] += sum > 0 ? 1 : 0;
      *counts.zeros += out == 0 ? 1 : 0;
    }
  }
}

}  // namespace

const KernelTable kReferenceKernels = {
    "reference",
    {PackedElements, Pack, ScratchElements, Dense},
    {{ReferenceConvPackedElements, ReferenceConvPack, ReferenceConvScratchElements, ReferenceConv},
     {ReferenceConvPackedElements, ReferenceConvPack, ReferenceConvScratchElements, ReferenceConv},
     {ReferenceDepthwisePackedElements, ReferenceDepthwisePack, ReferenceConvScratchElements, ReferenceDepthwise},
     ReferenceMaxPool}};

}  // namespace halfwave::kernels
