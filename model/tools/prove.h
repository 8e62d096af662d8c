// halfwave-model prove: which units are dead, and which always on, for every input of a domain.
#pragma once

#include <string>
#include <vector>

#include "model/analysis/prove_model.h"
#include "model/tools/command.h"

namespace halfwave::tools {

struct ProveCommand {
  std::string file = "";
  std::vector<double> domain = {};  // low and high of every input element; empty: see ProveOptions
  ProveOptions options = {};
  bool json = false;
  bool progress = false;  // show on `err`, which is a terminal, how far it is
};

// kUsage for files and domains that cannot be used; the reason goes to `err`.
ExitCode RunProve(const ProveCommand& command, const Streams& streams);

}  // namespace halfwave::tools
