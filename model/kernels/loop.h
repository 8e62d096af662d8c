// Nested loops over operands with strides, as short as the strides allow.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace halfwave::kernels {

// One loop: `size` steps, each moving operand i by strides[i] floats; 0 repeats an element.
template <size_t kOperands>
struct Loop {
  int64_t size = 1;
  std::array<int64_t, kOperands> strides = {};
};

// The loops over the dimensions of `shape`, outermost first: those of one step are dropped and neighbours that are one
// loop for every operand are merged. At least one loop remains. strides[i] has an entry per dimension.
template <size_t kOperands>
std::vector<Loop<kOperands>> MergeLoops(std::span<const int64_t> shape,
                                        const std::array<std::span<const int64_t>, kOperands>& strides) {
  std::vector<Loop<kOperands>> loops;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 1) continue;
    Loop<kOperands> loop{shape[i], {}};
    bool continues = !loops.empty();
    for (size_t k = 0; k < kOperands; ++k) {
      loop.strides[k] = strides[k][i];
      continues = continues && loops.back().strides[k] == loop.strides[k] * loop.size;
    }
    if (continues) {
      loops.back() = {loops.back().size * loop.size, loop.strides};
    } else {
      loops.push_back(loop);
    }
  }
  if (loops.empty()) loops.push_back({});
  return loops;
}

// The loops over a row-major tensor of `elements`, those over some of its axes apart.
struct AxisLoops {
  int64_t elements = 1;
  std::vector<Loop<1>> kept, reduced;
};

// axes: not negative, each at most once.
inline AxisLoops SplitLoops(std::span<const int64_t> shape, std::span<const int64_t> axes) {
  AxisLoops loops;
  std::vector<int64_t> kept_shape(shape.begin(), shape.end()), reduced_shape(shape.size(), 1), strides(shape.size());
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = loops.elements;
    loops.elements *= shape[i];
    if (std::find(axes.begin(), axes.end(), static_cast<int64_t>(i)) == axes.end()) continue;
    std::swap(kept_shape[i], reduced_shape[i]);
  }
  loops.kept = MergeLoops<1>(kept_shape, {strides});
  loops.reduced = MergeLoops<1>(reduced_shape, {strides});
  return loops;
}

// Calls visit(inner, pointers) for each run of the innermost loop, in order.
template <size_t kOperands, typename Visit>
void ForEachInnerLoop(std::span<const Loop<kOperands>> loops, std::array<const float*, kOperands> operands,
                      Visit& visit) {
  if (loops.size() == 1) return visit(loops[0], operands);
  for (int64_t i = 0; i < loops[0].size; ++i) {
    ForEachInnerLoop(loops.subspan(1), operands, visit);
    for (size_t k = 0; k < kOperands; ++k) operands[k] += loops[0].strides[k];
  }
}

}  // namespace halfwave::kernels
