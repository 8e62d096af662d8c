// A network as bounds are carried through it: affine maps, activations, maxima; whatever else it holds is opaque.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "model/analysis/linear_map.h"
#include "model/analysis/relaxation.h"

namespace halfwave {

// The sum of maps of values, and of a constant.
struct AffineStep {
  struct Operand {
    size_t value;
    LinearMap map;
  };
  std::vector<Operand> operands;
  std::vector<double> offset;            // one a row; empty for none
  std::vector<double> offset_magnitude;  // of what it is made of
  double rounding = 0;                   // as a share of the magnitudes of all terms; 0 where numbers are only moved
  // Of a dense layer that reads a flattened image of so many positions, which the engine may add up in their order.
  int64_t positions = 1;
  // Additions of a sum whose start the offset may have been folded into.
  double constant_terms = 0;
  // Of the only operand, if Winograd's transforms may compute it: then `rounding` is of what they can make of terms.
  std::optional<LinearNode> winograd;
};

// The greatest of the inputs that a row reads, each with a weight of 1.
struct MaxStep {
  size_t value;
  LinearMap window;
};

struct BendStep {
  size_t value;
  Activation activation;
};

// Only what BoundsMap says of it is known.
struct OpaqueStep {};

struct BoundStep {
  std::string value;     // that it computes
  int64_t elements = 0;  // of one row; 0 if they are not followed
  bool bends = false;    // an activation or a maximum reads it
  std::variant<OpaqueStep, AffineStep, MaxStep, BendStep> what;
};

// Whether a value is one of the first `inputs`, or holds its elements in another order.
bool IsMovedInput(const std::vector<BoundStep>& steps, size_t value, size_t inputs);

// One for every computed value, inputs first, in an order in which each stands behind what it reads. The view must
// outlive them.
std::vector<BoundStep> MakeBoundSteps(const GraphView& view);

}  // namespace halfwave
