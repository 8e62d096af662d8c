#include "model/layers/packed_dense.h"

#include "model/kernels/isa.h"

namespace halfwave {

PackedDense::PackedDense(int64_t in, int64_t out, const float* weights, bool transposed, const float* bias,
                         WeightFormat format)
    : kernels_(format == WeightFormat::kHalf ? kernels::Kernels().dense_half : kernels::Kernels().dense),
      in_(in),
      out_(out),
      packed_(AlignedBuffer::InLargePages(kernels_.packed_elements(in, out))) {
  kernels_.pack(in, out, weights, transposed ? 1 : out, transposed ? in : 1, bias, packed_.data());
}

void PackedDense::Run(int64_t rows, const float* x, int64_t x_stride, const kernels::Activation& activation,
                      const kernels::UnitCounts* counts, float* y, int64_t y_stride, float* scratch) const {
  const kernels::UnitCounts none = {};
  const kernels::DenseCall call = {rows,
                                   in_,
                                   out_,
                                   x,
                                   x_stride,
                                   packed_.data(),
                                   y,
                                   y_stride,
                                   scratch,
                                   activation,
                                   counts == nullptr ? none : *counts};
  kernels_.run(&call);
}

}  // namespace halfwave
