#include "model/graph/axes.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace halfwave {
namespace {

absl::Status Invalid(const Graph& graph, const Node& node, const std::string& what) {
  return NodeError(absl::StatusCode::kInvalidArgument, graph, node, what);
}

// ONNX Slice: a start or end counts from the end if negative and is clamped to what the step can reach.
absl::StatusOr<SliceAxis> ResolveSliceAxis(const Graph& graph, const Node& node, size_t axis, int64_t size,
                                           int64_t start, int64_t end, int64_t step) {
  if (step == 0 || step == std::numeric_limits<int64_t>::min()) {
    return Invalid(graph, node, absl::StrCat("a step of ", step, " leads nowhere"));
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
  if (result.count == 0) return Invalid(graph, node, absl::StrCat("leaves nothing of dimension ", axis));
  if (result.count == 1) result.step = 1;  // however long it was, nothing is multiplied by it
  return result;
}

}  // namespace

absl::StatusOr<std::vector<int64_t>> ResolvePermutation(const Graph& graph, const Node& node, size_t rank) {
  std::vector<int64_t> reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), int64_t{0});
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> permutation, GetAttribute(graph, node, "perm", reversed));
  std::vector<int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  std::reverse(reversed.begin(), reversed.end());
  if (sorted != reversed) {
    return Invalid(graph, node,
                   absl::StrCat("attribute 'perm' is ", ShapeToString(permutation), ", expected the dimensions 0 to ",
                                rank - 1, ", each once"));
  }
  if (permutation[0] != 0) {
    return NodeError(absl::StatusCode::kUnimplemented, graph, node,
                     absl::StrCat("attribute 'perm' is ", ShapeToString(permutation),
                                  ": it would move the batch; only permutations that begin with 0 are supported"));
  }
  return permutation;
}

absl::StatusOr<std::vector<int64_t>> ResolveIntegers(const Graph& graph, const Node& node, const std::string& name,
                                                     size_t index, int64_t since) {
  if (graph.opset < since) return GetAttribute(graph, node, name, std::vector<int64_t>());
  if (!HasInput(node, index)) return std::vector<int64_t>();
  HALFWAVE_ASSIGN_OR_RETURN(const Constant* values, ConstantInput(graph, node, index, DataType::kInt64, name));
  return values->ints;
}

absl::StatusOr<std::vector<int64_t>> ResolveAxesAsWritten(const Graph& graph, const Node& node) {
  constexpr int64_t kSinceInputs = 13;
  return ResolveIntegers(graph, node, "axes", 1, kSinceInputs);
}

absl::StatusOr<std::vector<size_t>> ResolveAxes(const Graph& graph, const Node& node, size_t rank) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> written, ResolveAxesAsWritten(graph, node));
  std::vector<size_t> axes;
  for (const int64_t value : written) {
    const auto axis = NormalizeAxis(value, rank);
    if (!axis) return Invalid(graph, node, absl::StrCat("there is no dimension ", value, " among ", rank));
    if (*axis == 0) {
      return NodeError(absl::StatusCode::kUnimplemented, graph, node,
                       absl::StrCat("dimension ", value, " is the batch, which must stay where it is"));
    }
    if (std::find(axes.begin(), axes.end(), *axis) != axes.end()) {
      return Invalid(graph, node, absl::StrCat("dimension ", value, " is there twice"));
    }
    axes.push_back(*axis);
  }
  return axes;
}

absl::StatusOr<std::vector<SliceAxis>> ResolveSlice(const Graph& graph, const Node& node, const Shape& shape) {
  constexpr int64_t kSinceInputs = 10;
  HALFWAVE_ASSIGN_OR_RETURN(const auto starts, ResolveIntegers(graph, node, "starts", 1, kSinceInputs));
  HALFWAVE_ASSIGN_OR_RETURN(const auto ends, ResolveIntegers(graph, node, "ends", 2, kSinceInputs));
  HALFWAVE_ASSIGN_OR_RETURN(auto axes, ResolveIntegers(graph, node, "axes", 3, kSinceInputs));
  HALFWAVE_ASSIGN_OR_RETURN(auto steps, ResolveIntegers(graph, node, "steps", 4, kSinceInputs));
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), int64_t{0});
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (starts.empty() || ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size()) {
    return Invalid(graph, node, "its starts, ends, axes and steps are not of one length");
  }
  std::vector<SliceAxis> result;
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = NormalizeAxis(axes[i], shape.size());
    if (!axis)
      return Invalid(graph, node, absl::StrCat("there is no dimension ", axes[i], " in ", ShapeToString(shape)));
    if (std::any_of(result.begin(), result.end(), [&](const SliceAxis& other) { return other.axis == *axis; })) {
      return Invalid(graph, node, absl::StrCat("dimension ", axes[i], " is there twice"));
    }
    if (*axis == 0) {
      const bool whole = starts[i] == 0 && ends[i] >= std::numeric_limits<int32_t>::max() && steps[i] == 1;
      if (whole) continue;
      return NodeError(absl::StatusCode::kUnimplemented, graph, node,
                       "cuts the batch; only the dimensions behind it can be sliced");
    }
    HALFWAVE_ASSIGN_OR_RETURN(SliceAxis one,
                              ResolveSliceAxis(graph, node, *axis, shape[*axis], starts[i], ends[i], steps[i]));
    result.push_back(one);
  }
  return result;
}

}  // namespace halfwave
