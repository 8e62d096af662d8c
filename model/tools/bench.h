// halfwave-model bench: what a model costs on this machine, layer by layer.
#pragma once

#include <string>

#include "model/analysis/benchmark.h"
#include "model/tools/command.h"

namespace halfwave::tools {

struct BenchCommand {
  std::string file = "";
  BenchmarkOptions options = {};
  bool json = false;
  bool progress = false;  // show on `err`, which is a terminal, how far it is
};

// kUsage for a file that cannot be served; the reason goes to `err`.
ExitCode RunBench(const BenchCommand& command, const Streams& streams);

}  // namespace halfwave::tools
