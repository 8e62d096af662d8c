// Networks with units killed by hand.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "model/graph/graph.h"

namespace halfwave {

using UnitSet = std::set<int64_t>;

// Makes units of a layer silent whose inputs are never below zero: no weight of theirs is above zero any more, and the
// bias is below it. `layer`: of the constants "<layer>.weight" [units, ...] and "<layer>.bias" [units]. The file's
// self-test is forgotten.
void KillUnits(const std::string& layer, const UnitSet& units, Graph& graph);

}  // namespace halfwave
