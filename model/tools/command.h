// What the commands share: each writes to two streams and returns the program's exit code, so that a test runs it
// without a process.
#pragma once

#include <ostream>

namespace halfwave::tools {

enum ExitCode {
  kOk = 0,
  kFailed = 1,  // done, and what was demanded of the network does not hold
  kUsage = 2,   // wrong use, or a file that cannot be served
};

struct Streams {
  std::ostream& out;
  std::ostream& err;
};

}  // namespace halfwave::tools
