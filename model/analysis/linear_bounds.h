// What each element of a value can be over a region of inputs, by linear relaxation and substitution back to the input.
//
//   const LinearBounds bounds(view, {{0}, {1}});
//   const ElementBounds* z = bounds.Of("conv1");  // z->high[i] <= 0: element i is never active
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "model/analysis/bound_steps.h"
#include "model/analysis/input_region.h"

namespace halfwave {

// Of the elements of one row, in the file's order; infinite where there is none.
struct ElementBounds {
  std::vector<double> low;
  std::vector<double> high;
};

// Where to stop: what is not refined by then keeps its interval bounds.
struct LinearBoundsOptions {
  double max_work = 2e10;  // multiply-adds of one call
};

// Thread-compatible. The view must outlive it.
class LinearBounds {
 public:
  explicit LinearBounds(const GraphView& view, const LinearBoundsOptions& options = {});

  // Bounds for what the engine computes in fp32 when a row comes from the region (of the only input; several take any
  // finite numbers). Every activation lies between two lines; substituted back, each element is between two linear
  // functions of the input, whose extrema over the region are bounds. Rounding is an error of every sum, as large as it
  // can be (rounding.h), that is carried along. No bound is looser than those of BoundsMap.
  // Method: Zhang et al., Efficient Neural Network Robustness Certification with General Activation Functions, 2018
  // (CROWN); Singh et al., An Abstract Domain for Certifying Neural Networks, 2019 (DeepPoly).
  void Compute(const InputRegion& region);

  // Null for what is computed from weights alone, or too large to be followed.
  const ElementBounds* Of(const std::string& value) const;

 private:
  const GraphView& view_;
  LinearBoundsOptions options_;
  std::vector<BoundStep> steps_;
  std::vector<ElementBounds> bounds_;  // of each step's value
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace halfwave
