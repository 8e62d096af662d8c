// halfwave-model inspect: what is in a model file, and what is wrong with it.
#pragma once

#include <string>

#include "model/analysis/inspection.h"
#include "model/tools/command.h"

namespace halfwave::tools {

struct InspectCommand {
  std::string file = "";
  InspectOptions options = {};
  bool json = false;
  bool dot = false;
  bool as_in_file = false;  // with `dot`: before anything was rewritten
};

// kUsage for a file that cannot be served: what can be said of it goes to `out`, the reason to `err`.
ExitCode RunInspect(const InspectCommand& command, const Streams& streams);

}  // namespace halfwave::tools
