// halfwave health: what the units of a model do.
#pragma once

#include <string>

#include "client/commands/command.h"

namespace halfwave::client {

struct HealthOptions {
  CommonOptions common;
  std::string model;  // empty: the only one there is
  std::string version;
  std::string units;   // the layer of which each unit is shown; "*": all; empty: none
  bool watch = false;  // until interrupted: on a terminal the screen anew, otherwise (or as JSON) a line a change
  absl::Duration redraw_every = absl::Seconds(1);
};

// Of a watch returns only when the server no longer answers, or the output takes no more.
ExitCode RunHealth(const HealthOptions& options, const Streams& streams);

}  // namespace halfwave::client
