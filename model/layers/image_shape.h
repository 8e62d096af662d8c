// Windows over images with at most two spatial dimensions, as the kernels of an instruction set take them.
#pragma once

#include "model/kernels/isa/table.h"
#include "model/kernels/window.h"

namespace halfwave {

inline bool IsImage(const kernels::Window& window) {
  return !window.transposed && window.size[0] == 1 && window.kernel[0] == 1 && window.out[0] == 1 &&
         window.pads_begin[0] == 0;
}

// IsImage(window).
inline kernels::ConvShape ToConvShape(const kernels::Window& w, int64_t out_channels) {
  return {w.size[1],   w.size[2],    w.channels,   w.out[1],       w.out[2],       out_channels,    w.kernel[1],
          w.kernel[2], w.strides[1], w.strides[2], w.dilations[1], w.dilations[2], w.pads_begin[1], w.pads_begin[2]};
}

}  // namespace halfwave
