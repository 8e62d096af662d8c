#include "model/graph/axes.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/graph/batch_symbol.h"

namespace halfwave {
namespace {

// ONNX Slice: a start or end counts from the end if negative and is clamped to what the step can reach.
absl::StatusOr<SliceAxis> ResolveSliceAxis(const NodeContext& context, size_t axis, int64_t size, int64_t start,
                                           int64_t end, int64_t step) {
  if (step == 0 || step == std::numeric_limits<int64_t>::min()) {
    return context.Invalid(absl::StrCat("a step of ", step, " leads nowhere"));
  }
  const auto clamp = [&](int64_t value, int64_t low, int64_t high) {
    return std::clamp(value < 0 ? value + size : value, low, high);
  };
  SliceAxis result{axis, 0, step, 0};
  if (step > 0) {
    result.start = clamp(start, 0, size);
    const int64_t last = clamp(end, 0, size);
    result.count = last > result.start ? (last - result.start - 1) / step + 1 : 0;
  } else {
    result.start = clamp(start, 0, size - 1);
    const int64_t last = clamp(end, -1, size - 1);
    result.count = result.start > last ? (result.start - last - 1) / -step + 1 : 0;
  }
  if (result.count == 0) return context.Invalid(absl::StrCat("leaves nothing of dimension ", axis));
  if (result.count == 1) result.step = 1;  // however long it was, nothing is multiplied by it
  return result;
}

// Whether a slice takes all of a dimension that grows with the batch.
bool TakesWholeBatch(int64_t dimension, int64_t start, int64_t end, int64_t step) {
  const bool to_the_end = end >= std::numeric_limits<int32_t>::max() || BatchesOfSymbol(end) == -dimension;
  return start == 0 && to_the_end && step == 1;
}

}  // namespace

absl::StatusOr<std::vector<size_t>> ResolvePermutation(const NodeContext& context, size_t rank) {
  std::vector<int64_t> reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), int64_t{0});
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> permutation, context.Attribute("perm", reversed));
  if (permutation.size() != rank) {
    return context.Invalid(absl::StrCat("attribute 'perm' is ", ShapeToString(permutation), ", expected each of ", rank,
                                        " dimensions once"));
  }
  return context.Axes("perm", permutation, rank);
}

absl::StatusOr<std::vector<SliceAxis>> ResolveSlice(const NodeContext& context, const Shape& shape) {
  constexpr int64_t kSinceInputs = 10;
  std::vector<int64_t> starts, ends;
  if (context.opset() < kSinceInputs) {
    HALFWAVE_ASSIGN_OR_RETURN(starts, context.Attribute("starts", starts));
    HALFWAVE_ASSIGN_OR_RETURN(ends, context.Attribute("ends", ends));
  } else {
    HALFWAVE_ASSIGN_OR_RETURN(starts, context.Integers(1, "starts"));
    HALFWAVE_ASSIGN_OR_RETURN(ends, context.Integers(2, "ends", /*batch_allowed=*/true));
  }
  HALFWAVE_ASSIGN_OR_RETURN(auto named, context.List("axes", 3, kSinceInputs));
  HALFWAVE_ASSIGN_OR_RETURN(auto steps, context.List("steps", 4, kSinceInputs));
  if (named.empty()) {
    named.resize(starts.size());
    std::iota(named.begin(), named.end(), int64_t{0});
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (starts.empty() || ends.size() != starts.size() || named.size() != starts.size() ||
      steps.size() != starts.size()) {
    return context.Invalid("its starts, ends, axes and steps are not of one length");
  }
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<size_t> axes, context.Axes("axes", named, shape.size()));
  std::vector<SliceAxis> result;
  for (size_t i = 0; i < axes.size(); ++i) {
    const int64_t size = shape[axes[i]];
    if (size < 0) {
      if (TakesWholeBatch(size, starts[i], ends[i], steps[i])) continue;
      return context.Unsupported("cuts the batch; only the other dimensions can be sliced");
    }
    if (BatchesOfSymbol(ends[i])) return context.Unsupported("its ends depend on the size of the batch");
    HALFWAVE_ASSIGN_OR_RETURN(SliceAxis one, ResolveSliceAxis(context, axes[i], size, starts[i], ends[i], steps[i]));
    result.push_back(one);
  }
  return result;
}

absl::StatusOr<std::vector<size_t>> ResolveReducedAxes(const NodeContext& context, size_t rank) {
  const int64_t since_inputs = context.node().op == "ReduceSum" ? 13 : 18;
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> named, context.List("axes", 1, since_inputs));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t noop, context.Attribute<int64_t>("noop_with_empty_axes", 0));
  std::vector<size_t> axes(named.empty() && noop == 0 ? rank : 0);
  std::iota(axes.begin(), axes.end(), size_t{0});
  if (!named.empty()) {
    HALFWAVE_ASSIGN_OR_RETURN(axes, context.Axes("axes", named, rank));
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

absl::StatusOr<SoftmaxAxes> ResolveSoftmax(const NodeContext& context, size_t rank) {
  const bool flattens = context.opset() < 13;  // older ones normalise over all dimensions from the axis on
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t axis, context.Attribute<int64_t>("axis", flattens ? 1 : -1));
  if (flattens && axis == static_cast<int64_t>(rank)) return SoftmaxAxes{rank, 0};
  HALFWAVE_ASSIGN_OR_RETURN(const size_t first, context.Axis("axis", axis, rank));
  return SoftmaxAxes{first, flattens ? rank - first : 1};
}

absl::StatusOr<Padding> ResolvePadding(const NodeContext& context, size_t rank) {
  constexpr int64_t kMost = int64_t{1} << 24;
  HALFWAVE_ASSIGN_OR_RETURN(std::vector<int64_t> amounts, context.List("pads", 1, 11));
  if (amounts.empty()) {
    HALFWAVE_ASSIGN_OR_RETURN(amounts, context.Attribute("paddings", amounts));  // opset 1's name
  }
  std::vector<size_t> axes(rank);
  std::iota(axes.begin(), axes.end(), size_t{0});
  if (context.Has(3)) {
    HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> named, context.Integers(3, "axes"));
    HALFWAVE_ASSIGN_OR_RETURN(axes, context.Axes("axes", named, rank));
  }
  if (amounts.size() != 2 * axes.size()) {
    return context.Invalid(
        absl::StrCat("has ", amounts.size(), " amounts to pad, expected two for each of ", axes.size(), " dimensions"));
  }
  Padding padding{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
  for (size_t i = 0; i < axes.size(); ++i) {
    padding.before[axes[i]] = amounts[i];
    padding.behind[axes[i]] = amounts[axes.size() + i];
    if (std::max(RowSize(amounts[i]), RowSize(amounts[axes.size() + i])) > kMost) {
      return context.Invalid(absl::StrCat("pads by ", ShapeToString(amounts), ", at most ", kMost, " is allowed"));
    }
  }
  return padding;
}

absl::StatusOr<SplitParts> ResolveSplit(const NodeContext& context, const Shape& shape) {
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", 0));
  SplitParts parts;
  HALFWAVE_ASSIGN_OR_RETURN(parts.axis, context.Axis("axis", named, shape.size()));
  HALFWAVE_RETURN_IF_ERROR(context.ExpectNotBatch(shape, parts.axis));
  HALFWAVE_ASSIGN_OR_RETURN(parts.sizes, context.List("split", 1, 13));
  const int64_t size = shape[parts.axis];
  const auto count = static_cast<int64_t>(context.node().outputs.size());
  if (parts.sizes.empty()) {
    HALFWAVE_ASSIGN_OR_RETURN(const int64_t wanted, context.Attribute<int64_t>("num_outputs", count));
    const bool even = size % count == 0;
    if (wanted != count || (!even && context.opset() < 18)) {
      return context.Invalid(absl::StrCat("cannot split ", size, " elements into ", count, " equal parts"));
    }
    const int64_t part = (size + count - 1) / count;  // the last one may be smaller
    for (int64_t begin = 0; begin < count * part; begin += part) {
      parts.sizes.push_back(std::max<int64_t>(0, std::min(part, size - begin)));
    }
  }
  int64_t left = size;
  bool fits = static_cast<int64_t>(parts.sizes.size()) == count;
  for (const int64_t part : parts.sizes) {
    fits = fits && part >= 1 && part <= left;
    left -= fits ? part : 0;
  }
  if (fits && left == 0) return parts;
  return context.Invalid(absl::StrCat("cannot split ", size, " elements into parts of ", ShapeToString(parts.sizes),
                                      " for ", count, " outputs"));
}

std::optional<Shape> BroadcastShapes(const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t& dimension = result[longer.size() - shorter.size() + i];
    if (dimension == 1) {
      dimension = shorter[i];
    } else if (shorter[i] != 1 && shorter[i] != dimension) {
      return std::nullopt;
    }
  }
  return result;
}

absl::StatusOr<Shape> OperandShape(const NodeContext& context, size_t index) {
  HALFWAVE_ASSIGN_OR_RETURN(Shape shape, context.InputShape(index));
  if (context.opset() >= 7 || index == 0 || !context.HasAttribute("axis")) return shape;
  HALFWAVE_ASSIGN_OR_RETURN(const Shape first, context.InputShape(0));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t named, context.Attribute<int64_t>("axis", 0));
  HALFWAVE_ASSIGN_OR_RETURN(const size_t axis, context.Axis("axis", named, first.size()));
  if (axis + shape.size() > first.size()) {
    return context.Invalid(absl::StrCat("an operand of shape ", ShapeToString(shape), " does not fit at dimension ",
                                        axis, " of ", ShapeToString(first)));
  }
  shape.insert(shape.end(), first.size() - axis - shape.size(), 1);
  return shape;
}

Shape SlopeShape(const NodeContext& context, const Shape& slope, size_t rank) {
  Shape shape = slope;
  if (context.opset() < 7 && slope.size() == 1 && rank > 2) shape.insert(shape.end(), rank - 2, 1);
  return shape;
}

}  // namespace halfwave
