// The sliding window of a convolution or pooling node, with every default and every way to say padding resolved.
#pragma once

#include <span>
#include <vector>

#include "model/graph/node_context.h"

namespace halfwave {

// One entry per spatial dimension, outermost first (height, width). `output` is the size the window produces.
struct Window {
  std::vector<int64_t> kernel;
  std::vector<int64_t> strides;
  std::vector<int64_t> dilations;
  std::vector<int64_t> pads_begin;
  std::vector<int64_t> pads_end;
  std::vector<int64_t> output;
};

// Reads kernel_shape, strides, dilations, pads, auto_pad and ceil_mode of the node for an input of the given spatial
// size. `kernel` is the weights' spatial shape for a convolution and empty for a pooling node, whose kernel_shape
// is then required. INVALID_ARGUMENT names the attribute that does not fit.
// Formula: ONNX operator specification, Conv and MaxPool; with ceil_mode a last window that would start in the
// padding behind the data is dropped.
absl::StatusOr<Window> ResolveWindow(const NodeContext& context, std::span<const int64_t> input,
                                     std::span<const int64_t> kernel);

// The same for a ConvTranspose, with output_shape and output_padding: each input position adds the kernel to the
// output, from which the pads are cut; a negative pads_end adds positions that only the bias reaches.
absl::StatusOr<Window> ResolveTransposedWindow(const NodeContext& context, std::span<const int64_t> input,
                                               std::span<const int64_t> kernel);

}  // namespace halfwave
