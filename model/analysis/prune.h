// Takes units out of a network that say the same on every row.
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

// The same with the number that each gives on every row.
using ValuesOfUnits = std::map<std::string, std::map<int64_t, float>>;

struct PrunedLayer {
  std::string layer;
  std::string op;
  int64_t units = 0;    // before
  int64_t named = 0;    // that were to go
  int64_t removed = 0;  // that went
  int64_t moved = 0;    // among them: whose number, not zero, is in the biases behind it now
  std::string reason;   // why fewer went; empty if all did
};

struct Pruned {
  Graph graph;
  std::vector<PrunedLayer> layers;  // all rectifiers, in order
  // What went of each activation, by the file's indices: also of one that follows a pruned one, whatever its kind.
  UnitsOfLayers gone;
};

// Removes units whose activation is always zero, with their weights before it and behind it. What is left computes the
// same sums without terms that were zero, in the same way: equal bits. A unit of `constants` goes as well, and what its
// number contributes is added to the biases of those who read it: equal but for rounding. It stays where a padded
// convolution, a padded average that counts the padding, or another activation reads it.
//
// `graph` is as the reader gave it; units that are not those of a rectifier are left alone, as is one whose name
// another node has too. A layer keeps its units, and says why, where something else than dense layers and ungrouped
// convolutions would notice. One unit always stays, as ONNX has no empty tensors, and of 3x3 convolutions as many as
// make the engine add in the order that it had. The errors of FindConstants.
absl::StatusOr<Pruned> PruneUnits(Graph graph, const UnitsOfLayers& zero_units, const ValuesOfUnits& constants = {});

}  // namespace halfwave
