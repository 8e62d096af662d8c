#include "model/layers/packed_dense.h"

#include <algorithm>

#include "model/kernels/isa.h"

namespace halfwave {

PackedDense::PackedDense(int64_t in, int64_t out, const float* weights, bool transposed, const float* bias,
                         WeightFormat format, int64_t positions)
    : kernels_(format == WeightFormat::kHalf ? kernels::Kernels().dense_half : kernels::Kernels().dense),
      in_(in),
      out_(out),
      packed_(AlignedBuffer::InLargePages(kernels_.packed_elements(in, out))) {
  const kernels::DenseWeights unpacked = {in, out, weights, transposed ? 1 : out, transposed ? in : 1, positions, bias};
  kernels_.pack(&unpacked, packed_.data());
}

void PackedDense::Run(int64_t rows, const float* x, int64_t x_stride, const kernels::Activation& activation,
                      const kernels::UnitCounts* counts, float* y, int64_t y_stride, float* scratch) const {
  Run({0, out_}, rows, x, x_stride, activation, counts, y, y_stride, scratch);
}

PackedDense::Outputs PackedDense::ShareOf(int part, int parts) const {
  if (kernels_.panel == 0) return part == 0 ? Outputs{0, out_} : Outputs{out_, out_};
  const int64_t panels = (out_ + kernels_.panel - 1) / kernels_.panel;
  const auto first = [&](int p) { return std::min((panels * p + parts - 1) / parts * kernels_.panel, out_); };
  return {first(part), first(part + 1)};
}

void PackedDense::Run(const Outputs& outputs, int64_t rows, const float* x, int64_t x_stride,
                      const kernels::Activation& activation, const kernels::UnitCounts* counts, float* y,
                      int64_t y_stride, float* scratch) const {
  if (outputs.begin == outputs.end) return;
  kernels::UnitCounts own = {};
  if (counts != nullptr) own = {counts->active + outputs.begin, counts->zeros, counts->skip};
  const kernels::DenseCall call = {rows,
                                   in_,
                                   outputs.end - outputs.begin,
                                   x,
                                   x_stride,
                                   packed_.data() + kernels_.packed_elements(in_, outputs.begin),
                                   y + outputs.begin,
                                   y_stride,
                                   scratch,
                                   activation,
                                   own};
  kernels_.run(&call);
}

}  // namespace halfwave
