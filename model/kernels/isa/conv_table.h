// The kernels for convolutions and pools over channels-last images [height, width, channels].
#pragma once

#include <cstdint>

#include "model/kernels/isa/activation.h"

namespace halfwave::kernels {

// The geometry of a convolution or a pool. Output (y, x) sees the image at
// (y * stride_height - pad_top + i * dilation_height, x * stride_width - pad_left + j * dilation_width), zero outside.
struct ConvShape {
  int64_t height, width, channels;
  int64_t out_height, out_width, out_channels;
  int64_t kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t dilation_height, dilation_width;
  int64_t pad_top, pad_left;
};

// activation(conv(x) + bias + summand). A unit is a channel of the output; it is active on a row if it is above zero
// somewhere in the row's images.
struct ConvCall {
  const ConvShape* shape;
  int64_t rows, images;  // images in a row
  const float* x;        // [rows, images, height, width, channels]
  const float* packed;   // by `pack`, from weights of the same shape
  float* y;              // [rows, images, out_height, out_width, out_channels]; overlaps nothing
  float* scratch;        // scratch_elements(shape) floats, uninitialised, on a cache line
  Activation activation;
  UnitCounts counts;
  const float* summand = nullptr;  // if not null: as y; overlaps y nowhere
  // If there are several parts, the call computes and counts one share of the outputs, perhaps none: some channels,
  // some rows, or of a row alone some positions; its units are active if they are in any part.
  int64_t part = 0, parts = 1;
  // Only the largest of each 2x2 outputs goes to y [rows, images, out_height / 2, out_width / 2, out_channels], as
  // MaxPoolKernel would have it; units are counted before. Not for depthwise convolutions, nor with a summand, and
  // out_height and out_width have to be even.
  bool pooled = false;
};

// One way to convolve. Each computes an image alone, so that its bits do not depend on what else is in the batch.
struct ConvKernels {
  // Floats that weights and bias take, packed; the memory has to be on a cache line.
  int64_t (*packed_elements)(const ConvShape* shape);
  // weights: [out_channels, channels, kernel_height, kernel_width], or [channels, 1, ...] for depthwise. bias:
  // [out_channels].
  void (*pack)(const ConvShape* shape, const float* weights, const float* bias, float* packed);
  int64_t (*scratch_elements)(const ConvShape* shape);
  void (*run)(const ConvCall* call);
};

// The largest element of each window; padding never counts, and a window that sees nothing gives the lowest float. NaN
// stays NaN. `packed`, `scratch`, `activation`, `counts` and `summand` do not matter.
using MaxPoolKernel = void (*)(const ConvCall* call);

// A name with `half`: the weights, or what they are transformed to, are stored in half precision, each rounded to the
// nearest, a tie to the even one; they have to stay finite. Bias and arithmetic are floats.
struct ImageKernels {
  ConvKernels direct;  // any shape
  ConvKernels direct_half;
  ConvKernels winograd;  // 3x3, strides and dilations 1
  ConvKernels winograd_half;
  ConvKernels depthwise;  // channel by channel: channels = out_channels
  MaxPoolKernel max_pool;
};

}  // namespace halfwave::kernels
