// halfwave-model prune: a smaller file that answers the same.
#pragma once

#include <string>
#include <vector>

#include "model/analysis/prune_model.h"
#include "model/tools/command.h"

namespace halfwave::tools {

struct PruneCommand {
  std::string file = "";
  std::string output = "";
  std::vector<double> domain = {};  // low and high of every input element; empty: any finite numbers
  bool observed = false;
  std::string data = "";  // for `observed`
  PruneOptions options = {};
  bool json = false;
  bool progress = false;  // show on `err`, which is a terminal, how far it is
};

// Writes the file unless nothing can go. kUsage for files that cannot be used; the reason goes to `err`.
ExitCode RunPrune(const PruneCommand& command, const Streams& streams);

}  // namespace halfwave::tools
