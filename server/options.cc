#include "server/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/kernels/isa.h"
#include "server/version.h"

namespace halfwave {
namespace {

absl::Status CheckRange(const char* option, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--", option, " is ", value, ", expected a whole number from ", low, " to ", high));
}

// max-batch-rows to HALFWAVE_MAX_BATCH_ROWS
std::string EnvironmentName(const std::string& option) {
  std::string name = "HALFWAVE_";
  for (const char c : option) name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

// The arguments as the library wants them, last one first. What the environment sets comes before what was typed, so
// that a flag wins over the environment; the file only fills in what neither has set.
std::vector<std::string> WithEnvironment(const CLI::App& app, int argc, const char* const* argv) {
  std::vector<std::string> arguments;
  for (const CLI::Option* option : app.get_options()) {
    const char* value = option->get_envname().empty() ? nullptr : std::getenv(option->get_envname().c_str());
    if (value != nullptr && *value != '\0') arguments.push_back(absl::StrCat(option->get_name(), "=", value));
  }
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  std::reverse(arguments.begin(), arguments.end());
  return arguments;
}

}  // namespace

absl::Status Options::Validate() const {
  HALFWAVE_RETURN_IF_ERROR(ParseAddress("grpc", grpc).status());
  HALFWAVE_RETURN_IF_ERROR(ParseAddress("http", http).status());
  if (weights != "fp32" && weights != "fp16") {
    return absl::InvalidArgumentError(absl::StrCat("--weights is '", weights, "', expected fp32 or fp16"));
  }
  if (prune_proven && weights != "fp32") {
    return absl::InvalidArgumentError(absl::StrCat("--prune-proven with --weights ", weights,
                                                   ": the proof speaks of the file's weights, expected fp32"));
  }
  HALFWAVE_RETURN_IF_ERROR(CheckRange("max-batch-rows", max_batch_rows, 1, 65536));
  HALFWAVE_RETURN_IF_ERROR(CheckRange("max-queue-rows", max_queue_rows, max_batch_rows, int64_t{1} << 30));
  HALFWAVE_RETURN_IF_ERROR(CheckRange("max-queue-bytes", max_queue_bytes, 1, int64_t{1} << 40));
  HALFWAVE_RETURN_IF_ERROR(CheckRange("max-message-bytes", max_message_bytes, 1024, (int64_t{1} << 31) - 1));
  HALFWAVE_RETURN_IF_ERROR(CheckRange("workers", workers, 0, 1024));
  HALFWAVE_RETURN_IF_ERROR(CheckRange("intra-op-threads", intra_op_threads, 1, 1024));
  HALFWAVE_RETURN_IF_ERROR(CheckRange("activity-window", activity_window, 1, int64_t{1} << 31));
  HALFWAVE_RETURN_IF_ERROR(CheckRange("profile-from-first", profile_from_first, 0, int64_t{1} << 40));
  HALFWAVE_RETURN_IF_ERROR(CheckRange("max-model-bytes", max_model_bytes, 1024, int64_t{1} << 40));
  if (!(max_macs_per_row >= 1 && max_macs_per_row <= 1e15)) {
    return absl::InvalidArgumentError(absl::StrCat("--max-macs-per-row is ", max_macs_per_row, ", expected 1 to 1e15"));
  }
  return CheckRange("drain-seconds", drain_seconds, 0, 86400);
}

absl::StatusOr<Address> ParseAddress(const std::string& option, const std::string& text) {
  Address address;
  const size_t colon = text.rfind(':');
  const bool valid = colon != std::string::npos && colon > 0 &&
                     absl::SimpleAtoi(absl::string_view(text).substr(colon + 1), &address.port) && address.port >= 0 &&
                     address.port <= 65535;
  if (!valid) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", option, " is '", text, "', expected host:port, for example 0.0.0.0:8001"));
  }
  address.host = text.substr(0, colon);
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host.find(':') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("--", option, " is '", text, "'; write an IPv6 address in brackets: [::1]:8001"));
  }
  return address;
}

ParsedOptions ParseOptions(int argc, const char* const* argv) {
  ParsedOptions parsed;
  Options& options = parsed.options;
  CLI::App app(
      "halfwave-server: serves ReLU networks from ONNX files over gRPC, and tells what their units do.\n"
      "Each option can also be set by its environment variable, or in a TOML file named by --config;\n"
      "a flag wins over the environment, the environment over the file.",
      "halfwave-server");
  const auto option = [&](const std::string& name, auto& value, const std::string& help) {
    app.add_option("--" + name, value, help)->envname(EnvironmentName(name))->capture_default_str()->take_last();
  };
  const auto flag = [&](const std::string& name, bool& value, const std::string& help) {
    app.add_flag("--" + name, value, help)->envname(EnvironmentName(name))->take_last();
  };
  option("model", options.model,
         "An ONNX file, served under its name without .onnx, or a folder of them; none: the built-in digits model");
  option("grpc", options.grpc, "Where to listen for gRPC, host:port; port 0 takes a free one");
  option("http", options.http, "Where to listen for HTTP: /metrics, /healthz, /readyz");
  flag("add-softmax", options.add_softmax,
       "Give a model that ends in logits an output 'probabilities', the softmax of its first output");
  option(
      "weights", options.weights,
      "How dense layers and convolutions keep their weights: fp32, or fp16 for half the memory; a model is refused if "
      "fp16 moves an output by more than 1 % of its row's largest value on the file's self-test rows, or on noise if "
      "it has none");
  flag("prune-proven", options.prune_proven,
       "Run models without the units that are proven zero for all inputs of the domain that their metadata declare "
       "(halfwave.domain), or else for all finite inputs: the same bits there, statistics as before; with --weights "
       "fp32 only");
  flag("allow-non-finite", options.allow_non_finite, "Serve rows that hold NaN or infinite values instead of refusing");
  option("max-batch-rows", options.max_batch_rows, "Rows a request may have, and rows in one forward pass");
  option("max-queue-rows", options.max_queue_rows, "Rows that may wait, per model; more are refused at once");
  option("max-queue-bytes", options.max_queue_bytes, "Bytes of rows that may wait, per model");
  option("max-message-bytes", options.max_message_bytes, "The largest gRPC message taken");
  option("workers", options.workers,
         "Forward passes at once; 0: as many as fit. Times --intra-op-threads never more than the processors that CPU "
         "affinity and cgroup quota allow");
  option("intra-op-threads", options.intra_op_threads,
         "Threads that share one forward pass: 1 answers the most requests, more answer a large one sooner");
  option("activity-window", options.activity_window,
         "Samples over which units are watched; fewer say nothing about dead units yet");
  option("profile-from-first", options.profile_from_first,
         "The first samples to compare later ones with, for a model without a profile; 0: compare with nothing");
  option("max-model-bytes", options.max_model_bytes,
         "The largest model taken, its file and its weights in memory; a larger one is refused");
  option("max-macs-per-row", options.max_macs_per_row,
         "The multiply-adds (and other steps) a row of a model may take; a model that takes more is refused");
  option("drain-seconds", options.drain_seconds, "The longest to finish accepted work after SIGTERM");
  app.set_config("--config", "", "A TOML file with any of these options")->envname("HALFWAVE_CONFIG")->take_last();
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.set_version_flag("--version", absl::StrCat("halfwave-server ", kVersion, " (", kCompiler, ", kernels for ",
                                                 kernels::Kernels().name, ")"));
  try {
    app.parse(WithEnvironment(app, argc, argv));
  } catch (const CLI::ParseError& error) {
    parsed.exit_code = app.exit(error) == 0 ? 0 : 2;
    return parsed;
  }
  if (const absl::Status status = options.Validate(); !status.ok()) {
    std::cerr << "halfwave-server: " << status.message() << "\n";
    parsed.exit_code = 2;
  }
  return parsed;
}

}  // namespace halfwave
