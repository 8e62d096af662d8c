// Takes out ReLUs that are proven to pass everything on, and merges the linear maps that meet there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/analysis/bounds.h"
#include "model/graph/graph.h"

namespace halfwave {

struct FoldedLayer {
  std::string layer;   // the ReLU that is the identity
  std::string merged;  // the dense layers around it that are one now, "'a' and 'b'"; empty if they stayed two
};

struct Folded {
  Graph graph;
  std::vector<FoldedLayer> layers;
};

// Removes each Relu over a dense layer all of whose units are above zero for every input of the domain (without one:
// for any finite input), and then makes one of two dense layers that meet where it was, if that takes fewer
// multiply-adds and the first has no other reader: (x A + a) B + b = x (A B) + (a B + b), in double precision, rounded
// once. What comes out is equal but for rounding. `graph` is as the reader gave it. The errors of FindConstants.
absl::StatusOr<Folded> FoldAlwaysOn(Graph graph, const std::optional<InputDomain>& domain);

}  // namespace halfwave
