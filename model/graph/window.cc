#include "model/graph/window.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"

namespace halfwave {
namespace {

constexpr int64_t kMaxAttribute = int64_t{1} << 24;  // keeps all the sums below far from overflow

absl::StatusOr<std::vector<int64_t>> ReadSizes(const NodeContext& context, const std::string& name,
                                               const std::vector<int64_t>& fallback, int64_t minimum) {
  HALFWAVE_ASSIGN_OR_RETURN(std::vector<int64_t> sizes, context.Attribute(name, fallback));
  if (sizes.size() != fallback.size()) {
    return context.Invalid(
        absl::StrCat("attribute '", name, "' has ", sizes.size(), " entries, expected ", fallback.size()));
  }
  for (const int64_t size : sizes) {
    if (size < minimum || size > kMaxAttribute) {
      return context.Invalid(absl::StrCat("attribute '", name, "' is ", ShapeToString(sizes), ", expected values from ",
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

// What all windows have in common: everything but padding and output.
absl::StatusOr<Window> ReadWindow(const NodeContext& context, size_t rank, std::span<const int64_t> kernel) {
  if (kernel.empty() && !context.HasAttribute("kernel_shape")) {
    return context.Invalid("attribute 'kernel_shape' is missing");
  }
  Window window;
  const std::vector<int64_t> known_kernel(kernel.begin(), kernel.end());
  HALFWAVE_ASSIGN_OR_RETURN(window.kernel, ReadSizes(context, "kernel_shape",
                                                     kernel.empty() ? std::vector<int64_t>(rank, 0) : known_kernel, 1));
  if (!kernel.empty() && window.kernel != known_kernel) {
    return context.Invalid(absl::StrCat("attribute 'kernel_shape' is ", ShapeToString(window.kernel),
                                        ", but the weights are of size ", ShapeToString(kernel)));
  }
  const std::vector<int64_t> ones(rank, 1);
  HALFWAVE_ASSIGN_OR_RETURN(window.strides, ReadSizes(context, "strides", ones, 1));
  HALFWAVE_ASSIGN_OR_RETURN(window.dilations, ReadSizes(context, "dilations", ones, 1));
  window.pads_begin.assign(rank, 0);
  window.pads_end.assign(rank, 0);
  window.output.assign(rank, 0);
  return window;
}

absl::StatusOr<std::string> ReadAutoPad(const NodeContext& context) {
  HALFWAVE_ASSIGN_OR_RETURN(std::string auto_pad, context.Attribute<std::string>("auto_pad", "NOTSET"));
  for (const char* known : {"NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"}) {
    if (auto_pad == known) return auto_pad;
  }
  return context.Invalid(
      absl::StrCat("attribute 'auto_pad' is '", auto_pad, "', expected NOTSET, VALID, SAME_UPPER or SAME_LOWER"));
}

}  // namespace

absl::StatusOr<Window> ResolveWindow(const NodeContext& context, std::span<const int64_t> input,
                                     std::span<const int64_t> kernel) {
  const size_t rank = input.size();
  HALFWAVE_ASSIGN_OR_RETURN(Window window, ReadWindow(context, rank, kernel));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> pads,
                            ReadSizes(context, "pads", std::vector<int64_t>(2 * rank, 0), 0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::string auto_pad, ReadAutoPad(context));
  HALFWAVE_ASSIGN_OR_RETURN(const int64_t ceil_mode, context.Attribute<int64_t>("ceil_mode", 0));
  for (size_t i = 0; i < rank; ++i) {
    const int64_t extent = (window.kernel[i] - 1) * window.dilations[i] + 1;
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
      PadToSame(window, i, input[i], extent, auto_pad == "SAME_UPPER");
    } else {
      if (auto_pad == "NOTSET") {
        window.pads_begin[i] = pads[i];
        window.pads_end[i] = pads[rank + i];
      }
      window.output[i] = OutputSize(window, i, input[i], extent, ceil_mode != 0);
    }
    if (window.output[i] < 1) {
      return context.Invalid(absl::StrCat("a window of ", extent, " does not fit into an input of ", input[i],
                                          " with padding ", window.pads_begin[i], "+", window.pads_end[i],
                                          " (spatial dimension ", i, ")"));
    }
  }
  return window;
}

// The ONNX operator: output = (input - 1) * stride + output_padding + extent - pads; with an output_shape or automatic
// padding the pads follow from it.
absl::StatusOr<Window> ResolveTransposedWindow(const NodeContext& context, std::span<const int64_t> input,
                                               std::span<const int64_t> kernel) {
  const size_t rank = input.size();
  HALFWAVE_ASSIGN_OR_RETURN(Window window, ReadWindow(context, rank, kernel));
  const std::vector<int64_t> zeros(rank, 0);
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> pads,
                            ReadSizes(context, "pads", std::vector<int64_t>(2 * rank, 0), 0));
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<int64_t> extra, ReadSizes(context, "output_padding", zeros, 0));
  HALFWAVE_ASSIGN_OR_RETURN(std::vector<int64_t> wanted, context.Attribute("output_shape", std::vector<int64_t>()));
  HALFWAVE_ASSIGN_OR_RETURN(const std::string auto_pad, ReadAutoPad(context));
  if (wanted.size() == rank + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);  // some say batch and channels too
  if (!wanted.empty() && wanted.size() != rank) return context.Invalid("attribute 'output_shape' has the wrong length");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  for (size_t i = 0; i < rank; ++i) {
    const int64_t full =
        (input[i] - 1) * window.strides[i] + extra[i] + (window.kernel[i] - 1) * window.dilations[i] + 1;
    if (!wanted.empty() || same) {
      window.output[i] = wanted.empty() ? input[i] * window.strides[i] : wanted[i];
      const int64_t cut = full - window.output[i];
      const int64_t first = cut <= 0                   ? 0
                            : auto_pad == "SAME_UPPER" ? cut / 2
                                                       : cut - cut / 2;  // what is missing is added behind
      window.pads_begin[i] = first;
      window.pads_end[i] = cut - first;
    } else {
      if (auto_pad == "NOTSET") {
        window.pads_begin[i] = pads[i];
        window.pads_end[i] = pads[rank + i];
      }
      window.output[i] = full - window.pads_begin[i] - window.pads_end[i];
    }
    if (window.output[i] < 1 || window.output[i] > kMaxAttribute || window.pads_begin[i] < 0) {
      return context.Invalid(absl::StrCat("makes an output of ", window.output[i], " with padding ",
                                          window.pads_begin[i], "+", window.pads_end[i], " (spatial dimension ", i,
                                          ")"));
    }
  }
  return window;
}

}  // namespace halfwave
