// What Resize and Upsample do, in all their versions: which places of the input make each place of the output.
#pragma once

#include <vector>

#include "model/graph/node_context.h"

namespace halfwave {

// How one dimension is resized. Dimensions that stay as they are are left out.
struct ResizedAxis {
  size_t axis;
  int64_t in, out;
  // The formulas want both: where sizes are given, the scale is what makes them, so in * scale may be out + 0.3.
  double scale;
  double roi_begin = 0, roi_end = 1;  // of tf_crop_and_resize, as shares of the dimension
};

// The dimensions that a Resize or Upsample changes, in ascending order. Their sizes are at most 2^24 and none is the
// batch. UNIMPLEMENTED where they are computed at run time, or where the batch would be resized.
absl::StatusOr<std::vector<ResizedAxis>> ResolveResize(const NodeContext& context, const Shape& shape);

// The formulas of the ONNX operator Resize (opset 19), with what Upsample and older versions of Resize mean by them.
struct Resampling {
  enum class Mode { kNearest, kLinear, kCubic };
  enum class Coordinates {
    kHalfPixel,
    kHalfPixelSymmetric,
    kPytorchHalfPixel,
    kAlignCorners,
    kAsymmetric,
    kTfCropAndResize,
    kTfHalfPixelForNn,
  };
  enum class Nearest {
    kRoundPreferFloor,
    kRoundPreferCeil,
    kFloor,
    kCeil,
    kSimple,  // up to opset 10: ceil where the dimension becomes smaller, floor where it becomes larger
  };

  Mode mode = Mode::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Nearest nearest = Nearest::kRoundPreferFloor;
  bool antialias = false, exclude_outside = false;
  double cubic_coefficient = -0.75;
  float extrapolation_value = 0;
};
absl::StatusOr<Resampling> ResolveResampling(const NodeContext& context);

// The place of the input that each place of the output copies: nearest resizing. -1 is one outside of the input, where
// the extrapolation value stands.
std::vector<int64_t> NearestSources(const Resampling& resampling, const ResizedAxis& axis);

// The weighted sum that each place of the output is: linear and cubic resizing. Place i takes weights[k] of place
// indices[k] for k in [begins[i], begins[i + 1]); if there is no k, the extrapolation value stands there.
struct Taps {
  std::vector<int64_t> begins;  // one more than places
  std::vector<int64_t> indices;
  std::vector<float> weights;
};
Taps ResizeTaps(const Resampling& resampling, const ResizedAxis& axis);

}  // namespace halfwave
