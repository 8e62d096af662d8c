// Each unit of a layer at a glance: one cell a unit.
#pragma once

#include "client/commands/command.h"

namespace halfwave::client {

// For each layer whose units are told of: a strip, how much each unit was active in the window, with marks for those of
// which something is to be said, a legend, and a list of the units that are dead, went silent or woke up. Nothing if no
// units are told of.
void PrintUnits(const v1::GetHealthResponse& health, const Streams& streams);

}  // namespace halfwave::client
