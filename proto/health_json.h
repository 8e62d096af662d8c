// The messages of neuron_health.proto as JSON, the same over HTTP and from `halfwave health --json`. README.md has the
// keys, which stay.
#pragma once

#include <string>

#include "proto/neuron_health.pb.h"

namespace halfwave {

// What a reference says is there only with a reference, units only where they were asked for. indent: spaces a level;
// -1: all in one line.
std::string HealthJson(const v1::GetHealthResponse& health, int indent = -1);

// In one line.
std::string HealthChangeJson(const v1::HealthChange& change);

// The words that stand for enumerators: "rectifier", "went_silent".
std::string FamilyName(v1::LayerHealth::Family family);
std::string StateName(v1::UnitHealth::State state);

}  // namespace halfwave
