#include "model/graph/resize.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/batch_symbol.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxSize = int64_t{1} << 24;

bool IsUpsample(const NodeContext& context) { return context.node().op == "Upsample"; }

// One of a few words.
template <typename T>
absl::StatusOr<T> Choose(const NodeContext& context, const std::string& attribute, const std::string& fallback,
                         const std::vector<std::pair<std::string, T>>& choices) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string word, context.Attribute(attribute, fallback));
  std::string words;
  for (const auto& [name, value] : choices) {
    if (name == word) return value;
    absl::StrAppend(&words, words.empty() ? "" : ", ", name);
  }
  return context.Invalid(absl::StrCat("attribute '", attribute, "' is '", word, "', expected one of ", words));
}

absl::StatusOr<std::vector<size_t>> NamedAxes(const NodeContext& context, size_t rank) {
  std::vector<int64_t> all(rank);
  std::iota(all.begin(), all.end(), int64_t{0});
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> named, context.Attribute("axes", all));
  return context.Axes("axes", named.empty() ? all : named, rank);
}

// The scales, an attribute of Upsample's before opset 9; empty if sizes are given in their place.
absl::StatusOr<std::vector<float>> Scales(const NodeContext& context) {
  if (IsUpsample(context) && context.opset() < 9) return context.Attribute("scales", std::vector<float>());
  const size_t index = IsUpsample(context) || context.opset() < 11 ? 1 : 2;
  const Constant* constant = context.FindConstant(index);
  if (constant != nullptr && constant->shape == Shape{0}) return std::vector<float>();
  if (!context.Has(index)) return std::vector<float>();
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* scales, context.Floats(index, "scales"));
  return scales->floats;
}

absl::Status ExpectOnePerAxis(const NodeContext& context, const std::string& role, size_t count, size_t axes) {
  if (count == axes) return absl::OkStatus();
  return context.Invalid(absl::StrCat("has ", count, " ", role, ", expected ", axes));
}

// Whether a size is the batch that is there already: as a symbol, or as the number the file was exported with.
bool IsWholeBatch(const NodeContext& context, const Shape& shape, size_t axis, int64_t size) {
  if (shape[axis] >= 0) return false;
  if (BatchesOfSymbol(size)) return *BatchesOfSymbol(size) == -shape[axis];
  return context.graph().fixed_batch > 0 && size == -shape[axis] * context.graph().fixed_batch;
}

absl::Status ResolveScales(const NodeContext& context, const Shape& shape, const std::vector<float>& scales,
                           std::vector<ResizedAxis>& axes) {
  HALFWAVE_RETURN_IF_ERROR(ExpectOnePerAxis(context, "scales", scales.size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = axes[i];
    axis.scale = static_cast<double>(scales[i]);
    if (!(scales[i] > 0) || !std::isfinite(scales[i])) return context.Invalid("its scales are not all positive");
    if (shape[axis.axis] < 0 && scales[i] == 1) continue;
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(shape, axis.axis));
    // In single precision, as exporters do it: 10 * 0.7f is 7.
    const float size = std::floor(static_cast<float>(axis.in) * scales[i]);
    axis.out = size <= static_cast<float>(kMaxSize) ? static_cast<int64_t>(size) : kMaxSize + 1;
  }
  return absl::OkStatus();
}

absl::Status ResolveSizes(const NodeContext& context, const Shape& shape, std::vector<ResizedAxis>& axes) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> sizes, context.Integers(3, "sizes", /*batch_allowed=*/true));
  HALFWAVE_RETURN_IF_ERROR(ExpectOnePerAxis(context, "sizes", sizes.size(), axes.size()));
  enum class Policy { kStretch, kNotLarger, kNotSmaller };
  HALFWAVE_ASSIGN_OR_RETURN(const Policy policy, Choose<Policy>(context, "keep_aspect_ratio_policy", "stretch",
                                                                {{"stretch", Policy::kStretch},
                                                                 {"not_larger", Policy::kNotLarger},
                                                                 {"not_smaller", Policy::kNotSmaller}}));
  std::optional<double> common;
  for (size_t i = 0; i < axes.size(); ++i) {
    ResizedAxis& axis = axes[i];
    if (policy == Policy::kStretch && IsWholeBatch(context, shape, axis.axis, sizes[i])) continue;
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(shape, axis.axis));
    if (sizes[i] < 1 || sizes[i] > kMaxSize) {
      return context.Invalid(absl::StrCat("resizes dimension ", axis.axis, " to ", sizes[i]));
    }
    axis.out = sizes[i];
    axis.scale = static_cast<double>(axis.out) / static_cast<double>(axis.in);
    const double other = common.value_or(axis.scale);
    common = policy == Policy::kNotLarger ? std::min(other, axis.scale) : std::max(other, axis.scale);
  }
  if (policy == Policy::kStretch || !common) return absl::OkStatus();
  for (ResizedAxis& axis : axes) {
    axis.scale = *common;
    const double size = std::floor(axis.scale * static_cast<double>(axis.in) + 0.5);
    axis.out = static_cast<int64_t>(std::min(size, static_cast<double>(kMaxSize) + 1));
  }
  return absl::OkStatus();
}

absl::Status ResolveRegion(const NodeContext& context, std::vector<ResizedAxis>& axes) {
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* region, context.Floats(1, "roi"));
  HALFWAVE_RETURN_IF_ERROR(ExpectOnePerAxis(context, "numbers in its roi", region->floats.size(), 2 * axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    axes[i].roi_begin = static_cast<double>(region->floats[i]);
    axes[i].roi_end = static_cast<double>(region->floats[axes.size() + i]);
  }
  return absl::OkStatus();
}

bool StaysAsItIs(const ResizedAxis& axis) {
  return axis.in == axis.out && axis.scale == 1 && axis.roi_begin == 0 && axis.roi_end == 1;
}

// The place of the input, between two elements perhaps, that a place of the output stands for. Nearest resizing
// computes it in single precision, as other runtimes do: with a scale of 1.0f / 3 only the rounding to 24 bits makes a
// whole number of it, and floor depends on that.
template <typename T>
T OriginalPlace(Resampling::Coordinates coordinates, const ResizedAxis& axis, int64_t place) {
  using Coordinates = Resampling::Coordinates;
  const auto x = static_cast<T>(place);
  const auto scale = static_cast<T>(axis.scale), in = static_cast<T>(axis.in), out = static_cast<T>(axis.out);
  const auto half = static_cast<T>(0.5);
  switch (coordinates) {
    case Coordinates::kHalfPixel:
      return (x + half) / scale - half;
    case Coordinates::kHalfPixelSymmetric: {
      const T adjustment = out / (scale * in);
      return in / 2 * (1 - adjustment) + (x + half) / scale - half;
    }
    case Coordinates::kPytorchHalfPixel:
      return axis.out > 1 ? (x + half) / scale - half : 0;
    case Coordinates::kAlignCorners:
      return axis.out > 1 ? x * (in - 1) / (out - 1) : 0;
    case Coordinates::kAsymmetric:
      return x / scale;
    case Coordinates::kTfHalfPixelForNn:
      return (x + half) / scale;
    case Coordinates::kTfCropAndResize: {
      const auto begin = static_cast<T>(axis.roi_begin), end = static_cast<T>(axis.roi_end);
      if (axis.out > 1) return begin * (in - 1) + x * (end - begin) * (in - 1) / (out - 1);
      return (begin + end) * (in - 1) / 2;
    }
  }
  return x;
}

// Only cropping leaves the input: the other formulas mean the edge where they point beyond it.
bool IsExtrapolated(const Resampling& resampling, const ResizedAxis& axis, double original) {
  return resampling.coordinates == Resampling::Coordinates::kTfCropAndResize &&
         !(original >= 0 && original <= static_cast<double>(axis.in - 1));
}

float Round(Resampling::Nearest nearest, double scale, float place) {
  switch (nearest) {
    case Resampling::Nearest::kRoundPreferFloor:
      return std::ceil(place - 0.5f);
    case Resampling::Nearest::kRoundPreferCeil:
      return std::floor(place + 0.5f);
    case Resampling::Nearest::kFloor:
      return std::floor(place);
    case Resampling::Nearest::kCeil:
      return std::ceil(place);
    case Resampling::Nearest::kSimple:
      return scale < 1 ? std::ceil(place) : std::floor(place);
  }
  return place;
}

// The weight of an element at a distance: a triangle, or the cubic of Keys, "Cubic Convolution Interpolation for
// Digital Image Processing", 1981.
double Kernel(const Resampling& resampling, double distance) {
  const double x = std::abs(distance);
  if (resampling.mode == Resampling::Mode::kLinear) return std::max(0.0, 1 - x);
  const double a = resampling.cubic_coefficient;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

}  // namespace

absl::StatusOr<std::vector<ResizedAxis>> ResolveResize(const NodeContext& context, const Shape& shape) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<size_t> named, NamedAxes(context, shape.size()));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<float> scales, Scales(context));
  HALFWAVE_ASSIGN_OR_RETURN(const Resampling resampling, ResolveResampling(context));
  std::vector<ResizedAxis> axes;
  for (const size_t axis : named) axes.push_back({axis, RowSize(shape[axis]), RowSize(shape[axis]), 1});
  const bool has_sizes = !IsUpsample(context) && context.opset() >= 11 && context.Has(3);
  if (has_sizes && scales.empty()) {
    HALFWAVE_RETURN_IF_ERROR(ResolveSizes(context, shape, axes));
  } else {
    HALFWAVE_RETURN_IF_ERROR(ResolveScales(context, shape, scales, axes));
  }
  if (resampling.coordinates == Resampling::Coordinates::kTfCropAndResize) {
    HALFWAVE_RETURN_IF_ERROR(ResolveRegion(context, axes));
  }
  std::erase_if(axes, StaysAsItIs);
  std::sort(axes.begin(), axes.end(), [](const auto& a, const auto& b) { return a.axis < b.axis; });
  for (const ResizedAxis& axis : axes) {
    HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(shape, axis.axis));
    if (axis.out < 1 || std::max(axis.in, axis.out) > kMaxSize) {
      return context.Invalid(absl::StrCat("resizes dimension ", axis.axis, " of ", ShapeToString(shape), " to ",
                                          axis.out, ", expected 1 to ", kMaxSize));
    }
  }
  return axes;
}

absl::StatusOr<Resampling> ResolveResampling(const NodeContext& context) {
  using Mode = Resampling::Mode;
  using Coordinates = Resampling::Coordinates;
  using Nearest = Resampling::Nearest;
  Resampling result;
  const bool simple = IsUpsample(context) || context.opset() < 11;
  HALFWAVE_ASSIGN_OR_RETURN(
      result.mode,
      simple ? Choose<Mode>(context, "mode", "nearest", {{"nearest", Mode::kNearest}, {"linear", Mode::kLinear}})
             : Choose<Mode>(context, "mode", "nearest",
                            {{"nearest", Mode::kNearest}, {"linear", Mode::kLinear}, {"cubic", Mode::kCubic}}));
  if (simple) {
    result.coordinates = Coordinates::kAsymmetric;
    result.nearest = Nearest::kSimple;
    return result;
  }
  HALFWAVE_ASSIGN_OR_RETURN(result.coordinates,
                            Choose<Coordinates>(context, "coordinate_transformation_mode", "half_pixel",
                                                {{"half_pixel", Coordinates::kHalfPixel},
                                                 {"half_pixel_symmetric", Coordinates::kHalfPixelSymmetric},
                                                 {"pytorch_half_pixel", Coordinates::kPytorchHalfPixel},
                                                 {"align_corners", Coordinates::kAlignCorners},
                                                 {"asymmetric", Coordinates::kAsymmetric},
                                                 {"tf_crop_and_resize", Coordinates::kTfCropAndResize},
                                                 {"tf_half_pixel_for_nn", Coordinates::kTfHalfPixelForNn}}));
  HALFWAVE_ASSIGN_OR_RETURN(result.nearest, Choose<Nearest>(context, "nearest_mode", "round_prefer_floor",
                                                            {{"round_prefer_floor", Nearest::kRoundPreferFloor},
                                                             {"round_prefer_ceil", Nearest::kRoundPreferCeil},
                                                             {"floor", Nearest::kFloor},
                                                             {"ceil", Nearest::kCeil}}));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t antialias, context.Attribute<int64_t>("antialias", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t exclude_outside, context.Attribute<int64_t>("exclude_outside", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const float coefficient, context.Attribute<float>("cubic_coeff_a", -0.75f));
  HALFWAVE_ASSIGN_OR_RETURN(result.extrapolation_value, context.Attribute<float>("extrapolation_value", 0.0f));
  if (!(std::abs(coefficient) < 100) || !std::isfinite(result.extrapolation_value)) {
    return context.Invalid("its cubic coefficient or extrapolation value is out of range");
  }
  result.antialias = antialias != 0;
  result.exclude_outside = exclude_outside != 0;
  result.cubic_coefficient = static_cast<double>(coefficient);
  return result;
}

std::vector<int64_t> NearestSources(const Resampling& resampling, const ResizedAxis& axis) {
  std::vector<int64_t> sources;
  for (int64_t place = 0; place < axis.out; ++place) {
    const auto original = OriginalPlace<float>(resampling.coordinates, axis, place);
    if (IsExtrapolated(resampling, axis, static_cast<double>(original))) {
      sources.push_back(-1);
    } else {
      const float source = Round(resampling.nearest, axis.scale, original);
      sources.push_back(static_cast<int64_t>(std::clamp(source, 0.0f, static_cast<float>(axis.in - 1))));
    }
  }
  return sources;
}

Taps ResizeTaps(const Resampling& resampling, const ResizedAxis& axis) {
  // Where a dimension becomes smaller, antialiasing widens the kernel until it covers all elements.
  const double stretch = resampling.antialias ? std::min(axis.scale, 1.0) : 1.0;
  const double reach = (resampling.mode == Resampling::Mode::kLinear ? 1 : 2) / stretch;
  Taps taps;
  taps.begins.push_back(0);
  for (int64_t place = 0; place < axis.out; ++place) {
    const double original = OriginalPlace<double>(resampling.coordinates, axis, place);
    if (IsExtrapolated(resampling, axis, original)) {
      taps.begins.push_back(taps.begins.back());
      continue;
    }
    const auto first = static_cast<int64_t>(std::floor(original - reach)) + 1;
    const auto last = static_cast<int64_t>(std::ceil(original + reach)) - 1;
    double sum = 0;
    std::vector<double> weights;
    const auto begin = static_cast<size_t>(taps.begins.back());
    for (int64_t i = first; i <= last; ++i) {
      if (resampling.exclude_outside && (i < 0 || i >= axis.in)) continue;
      const double weight = Kernel(resampling, (static_cast<double>(i) - original) * stretch);
      const int64_t index = std::clamp<int64_t>(i, 0, axis.in - 1);
      sum += weight;
      if (weights.empty() || taps.indices.back() != index) {
        taps.indices.push_back(index);
        weights.push_back(weight);
      } else {
        weights.back() += weight;
      }
    }
    if (!(std::abs(sum) > 1e-6)) sum = 1;  // all of it lies outside
    for (size_t i = 0; begin + i < taps.indices.size(); ++i)
      taps.weights.push_back(static_cast<float>(weights[i] / sum));
    taps.begins.push_back(static_cast<int64_t>(taps.indices.size()));
  }
  return taps;
}

}  // namespace halfwave
