// What the units of a model do, as text for a person.
#pragma once

#include <string>

#include "client/commands/command.h"

namespace halfwave::client {

// The table of the layers and the sentences below it; then, if the units of a layer are told of, PrintUnits.
void PrintHealth(const v1::GetHealthResponse& health, const Streams& streams);

// "1,200 samples: unit 17 of relu2 is now dead, was active"
std::string ChangeText(const v1::HealthChange& change);

// What a unit of that family is called in that state: "dead" of a silent rectifier, "inactive" of a leaky activation.
std::string StateWord(v1::UnitHealth::State state, v1::LayerHealth::Family family);

}  // namespace halfwave::client
