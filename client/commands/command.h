// What the commands share. A command talks to one server, writes to two streams and returns the program's exit code,
// so that a test runs it without a process.
#pragma once

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/inference_client.h"
#include "client/render.h"

namespace halfwave::client {

enum ExitCode {
  kOk = 0,
  kServerError = 1,  // the server answered with an error, or some of several files failed
  kUsage = 2,        // wrong use, or no file could be read
  kNoServer = 3,     // no server answers, or not within the deadline
};

struct CommonOptions {
  std::string server = "localhost:8001";
  double deadline_seconds = 10;
  bool json = false;

  absl::Duration deadline() const { return absl::Seconds(deadline_seconds); }
};

struct Streams {
  std::ostream& out;
  std::ostream& err;
  Style style;
};

inline ExitCode ExitCodeFor(const absl::Status& status) {
  if (status.ok()) return kOk;
  return IsUnreachable(status) || absl::IsDeadlineExceeded(status) ? kNoServer : kServerError;
}

// Prints the error and says how to exit with it.
inline ExitCode Fail(const Streams& streams, const absl::Status& status) {
  streams.err << "halfwave: " << Printable({status.message().data(), status.message().size()}) << "\n";
  return ExitCodeFor(status);
}

}  // namespace halfwave::client
