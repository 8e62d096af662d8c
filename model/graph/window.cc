#include "model/graph/window.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxAttribute = int64_t{1} << 24;  // keeps all the sums below far from overflow

absl::StatusOr<std::vector<int64_t>> ReadSizes(const Graph& graph, const Node& node, const std::string& name,
                                               const std::vector<int64_t>& fallback, int64_t minimum) {
  HALFWAVE_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, GetAttribute(graph, node, name, fallback));
  if (sizes.size() != fallback.size()) {
    return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                     absl::StrCat("attribute '", name, "' has ", sizes.size(), " entries, expected ", fallback.size()));
  }
  for (const int64_t size : sizes) {
    if (size < minimum || size > kMaxAttribute) {
      return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                       absl::StrCat("attribute '", name, "' is ", ShapeToString(sizes), ", expected values from ",
                                    minimum, " to ", kMaxAttribute));
    }
  }
  return sizes;
}

int64_t CeilDivide(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Splits what SAME padding adds: the odd one goes behind (upper) or before (lower).
void PadToSame(Window& window, size_t i, int64_t input, int64_t extent, bool upper) {
  window.output[i] = CeilDivide(input, window.strides[i]);
  const int64_t total = std::max<int64_t>(0, (window.output[i] - 1) * window.strides[i] + extent - input);
  window.pads_begin[i] = upper ? total / 2 : total - total / 2;
  window.pads_end[i] = total - window.pads_begin[i];
}

int64_t OutputSize(const Window& window, size_t i, int64_t input, int64_t extent, bool ceil_mode) {
  const int64_t room = input + window.pads_begin[i] + window.pads_end[i] - extent;
  if (room < 0) return 0;
  if (!ceil_mode) return room / window.strides[i] + 1;
  const int64_t output = CeilDivide(room, window.strides[i]) + 1;
  const bool starts_behind = (output - 1) * window.strides[i] >= input + window.pads_begin[i];
  return starts_behind ? output - 1 : output;
}

}  // namespace

absl::StatusOr<Window> ResolveWindow(const Graph& graph, const Node& node, std::span<const int64_t> input,
                                     std::span<const int64_t> kernel) {
  if (kernel.empty() && !node.attributes.contains("kernel_shape")) {
    return NodeError(absl::StatusCode::kInvalidArgument, graph, node, "attribute 'kernel_shape' is missing");
  }
  const size_t rank = input.size();
  Window window;
  const std::vector<int64_t> known_kernel(kernel.begin(), kernel.end());
  HALFWAVE_ASSIGN_OR_RETURN(window.kernel, ReadSizes(graph, node, "kernel_shape",
                                                     kernel.empty() ? std::vector<int64_t>(rank, 0) : known_kernel, 1));
  if (!kernel.empty() && window.kernel != known_kernel) {
    return NodeError(absl::StatusCode::kInvalidArgument, graph, node,
                     absl::StrCat("attribute 'kernel_shape' is ", ShapeToString(window.kernel),
                                  ", but the weights are of size ", ShapeToString(kernel)));
  }
  const std::vector<int64_t> ones(rank, 1);
  HALFWAVE_ASSIGN_OR_RETURN(window.strides, ReadSizes(graph, node, "strides", ones, 1));
  HALFWAVE_ASSIGN_OR_RETURN(window.dilations, ReadSizes(graph, node, "dilations", ones, 1));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> pads,
                            ReadSizes(graph, node, "pads", std::vector<int64_t>(2 * rank, 0), 0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::string auto_pad, GetAttribute<std::string>(graph, node, "auto_pad", "NOTSET"));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t ceil_mode, GetAttribute<int64_t>(graph, node, "ceil_mode", 0));
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID") {
    return NodeError(
        absl::StatusCode::kInvalidArgument, graph, node,
        absl::StrCat("attribute 'auto_pad' is '", auto_pad, "', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER"));
  }

  window.pads_begin.assign(rank, 0);
  window.pads_end.assign(rank, 0);
  window.output.assign(rank, 0);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t extent = (window.kernel[i] - 1) * window.dilations[i] + 1;
    if (same) {
      PadToSame(window, i, input[i], extent, auto_pad == "SAME_UPPER");
    } else {
      if (auto_pad == "NOTSET") {
        window.pads_begin[i] = pads[i];
        window.pads_end[i] = pads[rank + i];
      }
      window.output[i] = OutputSize(window, i, input[i], extent, ceil_mode != 0);
    }
    if (window.output[i] < 1) {
      return NodeError(
          absl::StatusCode::kInvalidArgument, graph, node,
          absl::StrCat("a window of ", extent, " does not fit into an input of ", input[i], " with padding ",
                       window.pads_begin[i], "+", window.pads_end[i], " (spatial dimension ", i, ")"));
    }
  }
  return window;
}

}  // namespace halfwave
