// Takes units out of a network.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/graph/graph.h"

namespace halfwave {

// Units by the name of the activation that they enter, in ascending order.
using UnitsOfLayers = std::map<std::string, std::vector<int64_t>>;

struct PrunedLayer {
  std::string layer;
  std::string op;
  int64_t units = 0;    // before
  int64_t named = 0;    // that were to go
  int64_t removed = 0;  // that went
  std::string reason;   // why fewer went; empty if all did
};

struct Pruned {
  Graph graph;
  std::vector<PrunedLayer> layers;  // all rectifiers, in order
};

// Removes units whose activation is always zero, with their weights before it and behind it. What is left computes the
// same sums without terms that were zero. `graph` is as the reader gave it; units that are not those of a rectifier
// are left alone. A layer keeps its units, and says why, where something else than dense layers and ungrouped
// convolutions would notice; one unit always stays, as ONNX has no empty tensors. The errors of FindConstants.
absl::StatusOr<Pruned> PruneZeroUnits(Graph graph, const UnitsOfLayers& zero_units);

}  // namespace halfwave
