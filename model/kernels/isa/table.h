// What every instruction set offers, and the plain types its functions take. This header and those it includes are all
// that the units compiled per instruction set share with the rest of the program: no inline function, no constructor.
#pragma once

#include <cstdint>

#include "model/kernels/isa/activation.h"
#include "model/kernels/isa/conv_table.h"
#include "model/kernels/isa/row_table.h"

namespace halfwave::kernels {

// activation(x W + bias), see DenseKernels.
struct DenseCall {
  int64_t rows, in, out;
  const float* x;  // [rows, in], rows x_stride floats apart
  int64_t x_stride;
  const float* packed;  // by `pack`, from weights of the same in and out
  float* y;             // [rows, out], rows y_stride floats apart; overlaps nothing
  int64_t y_stride;
  float* scratch;  // scratch_elements(rows, in) floats, uninitialised, on a cache line
  Activation activation;
  UnitCounts counts;
};

// What DenseKernels::pack takes.
struct DenseWeights {
  int64_t in, out;
  const float* values;  // neighbouring inputs are in_stride floats apart, neighbouring outputs out_stride
  int64_t in_stride, out_stride;
  // If not 1, the inputs in `values` are channels of so many positions each, and those of x positions of as many
  // channels: what a flattened image is that lies in memory channels-last.
  int64_t positions;
  const float* bias;  // [out]
};

// Fully connected layers, in the order of summation that ORDER.md fixes.
struct DenseKernels {
  // Floats that weights [in, out] and their bias take, packed; the memory has to be on a cache line.
  int64_t (*packed_elements)(int64_t in, int64_t out);
  void (*pack)(const DenseWeights* weights, float* packed);
  // Of one call; never falls as rows grow.
  int64_t (*scratch_elements)(int64_t rows, int64_t in);
  void (*run)(const DenseCall* call);
  // From an output on whose number is a multiple of this, weights lie packed as if those outputs were all, behind
  // packed_elements of the outputs before them. 0: from none.
  int64_t panel;
};

// The kernels of one instruction set.
struct KernelTable {
  const char* name;
  DenseKernels dense;
  // The same, with weights stored in half precision: each is rounded to the nearest, a tie to the even one, and has to
  // stay finite. Bias and arithmetic are floats.
  DenseKernels dense_half;
  RowKernels rows;
  ImageKernels image;
};

}  // namespace halfwave::kernels
