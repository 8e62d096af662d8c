#pragma once

#include "model/kernels/isa/table.h"
#include "model/layers/weight_format.h"
#include "model/tensor/aligned_buffer.h"

namespace halfwave {

// Weights packed for the instruction set that was chosen when they were. Immutable.
class PackedDense {
 public:
  // weights: [in, out], or [out, in] if `transposed`, row-major. bias: [out]. positions: if not 1, the inputs in
  // `weights` are [channels, positions] and those of x [positions, channels].
  PackedDense(int64_t in, int64_t out, const float* weights, bool transposed, const float* bias,
              WeightFormat format = WeightFormat::kFloat, int64_t positions = 1);

  // y = activation(x W + bias), counted if `counts` is not null. x: [rows, in], rows x_stride floats apart; y: [rows,
  // out], rows y_stride floats apart; they do not overlap. scratch: ScratchElements(rows) floats. Allocates nothing.
  void Run(int64_t rows, const float* x, int64_t x_stride, const kernels::Activation& activation,
           const kernels::UnitCounts* counts, float* y, int64_t y_stride, float* scratch) const;

  // One of several shares of the outputs: [begin, end), whole panels and as equal as these allow.
  struct Outputs {
    int64_t begin, end;
  };
  Outputs ShareOf(int part, int parts) const;
  // Run for these outputs alone, one share; `counts` and `y` are those of all outputs.
  void Run(const Outputs& outputs, int64_t rows, const float* x, int64_t x_stride,
           const kernels::Activation& activation, const kernels::UnitCounts* counts, float* y, int64_t y_stride,
           float* scratch) const;
  int64_t ScratchElements(int64_t rows) const { return kernels_.scratch_elements(rows, in_); }

  int64_t in() const { return in_; }
  int64_t out() const { return out_; }
  // Memory that the weights and the bias take.
  size_t bytes() const { return packed_.size() * sizeof(float); }

 private:
  const kernels::DenseKernels& kernels_;
  int64_t in_, out_;
  AlignedBuffer packed_;
};

}  // namespace halfwave
