// Everything that can be set, with its default.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace halfwave {

struct Options {
  std::string model;                           // a file, a folder, or empty for the built-in model
  std::string grpc = "0.0.0.0:8001";           // host:port; port 0 takes a free one
  std::string http = "0.0.0.0:8000";           // host:port; port 0 takes a free one
  bool add_softmax = false;                    // give models that end in logits a softmax output
  std::string weights = "fp32";                // as layers keep them: fp32 or fp16
  bool prune_proven = false;                   // run without units that are proven zero over the declared domain
  bool allow_non_finite = false;               // let NaN and infinite inputs pass
  int64_t max_batch_rows = 128;                // rows in a request and in one forward pass
  int64_t max_queue_rows = 8192;               // rows that may wait, per model
  int64_t max_queue_bytes = 256 << 20;         // bytes of rows that may wait, per model
  int64_t max_message_bytes = 64 << 20;        // the largest gRPC message taken
  int64_t workers = 0;                         // forward passes at once; 0: as many as processors allow
  int64_t intra_op_threads = 1;                // threads that work on one forward pass
  int64_t activity_window = 10'000;            // samples over which units are watched
  int64_t profile_from_first = 0;              // rows that become the reference of a model without a profile
  int64_t max_model_bytes = int64_t{2} << 30;  // a model's file, and its weights in memory
  double max_macs_per_row = 2e10;              // multiply-adds, and other steps, that a row may take
  int64_t drain_seconds = 30;                  // the longest the server finishes work after SIGTERM

  // INVALID_ARGUMENT names the option, what it may be and what it is.
  absl::Status Validate() const;
};

// The host and port of "host:port" or "[v6]:port".
struct Address {
  std::string host;
  int port = 0;
};
absl::StatusOr<Address> ParseAddress(const std::string& option, const std::string& text);

// Reads flags, HALFWAVE_* environment variables and the TOML file of --config, in this order of precedence, from one
// definition. Returns the options, or an exit code: 0 after --help or --version, 2 for a mistake, both printed.
struct ParsedOptions {
  Options options;
  int exit_code = -1;  // -1: go on
};
ParsedOptions ParseOptions(int argc, const char* const* argv);

}  // namespace halfwave
