// halfwave health: what the units of a model do.
#pragma once

#include <string>

#include "client/commands/command.h"

namespace halfwave::client {

struct HealthOptions {
  CommonOptions common;
  std::string model;  // empty: the only one there is
  std::string version;
};

ExitCode RunHealth(const HealthOptions& options, const Streams& streams);

// The table and the sentences below it.
void PrintHealth(const v1::GetHealthResponse& health, const Streams& streams);

}  // namespace halfwave::client
