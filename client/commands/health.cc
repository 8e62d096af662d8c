#include "client/commands/health.h"

#include <sstream>
#include <vector>

#include "client/commands/choose_model.h"
#include "client/commands/health_output.h"
#include "proto/health_json.h"

namespace halfwave::client {
namespace {

constexpr const char* kClearScreen = "\033[H\033[J";
constexpr int kIndent = 2;

ExitCode FailWith(const absl::Status& status, const Streams& streams) {
  if (!absl::IsUnimplemented(status)) return Fail(streams, status);
  return Fail(streams, absl::UnimplementedError("the server is not Halfwave, or older than this client: it does not "
                                                "tell what its units do"));
}

// Draws `health` and what the server answers after it, each over the one before.
ExitCode Redraw(absl::StatusOr<v1::GetHealthResponse> health, const HealthOptions& options,
                const std::vector<std::string>& units, InferenceClient& client, const Streams& streams) {
  while (health.ok() && streams.out.good()) {
    std::ostringstream screen;  // all at once, so that it does not flicker
    PrintHealth(*health, {screen, streams.err, streams.style});
    streams.out << kClearScreen << screen.str() << std::flush;
    absl::SleepFor(options.redraw_every);
    health = client.Health(health->model_name(), options.version, units);
  }
  return health.ok() ? kOk : FailWith(health.status(), streams);
}

ExitCode PrintChanges(const std::string& model, const HealthOptions& options, InferenceClient& client,
                      const Streams& streams) {
  v1::WatchHealthRequest request;
  request.set_model_name(model);
  request.set_model_version(options.version);
  const absl::Status status = client.WatchHealth(request, [&](const v1::HealthChange& change) {
    if (!options.units.empty() && options.units != "*" && options.units != change.layer()) return true;
    streams.out << (options.common.json ? HealthChangeJson(change) : ChangeText(change)) << std::endl;
    return streams.out.good();
  });
  return status.ok() ? kOk : FailWith(status, streams);
}

}  // namespace

ExitCode RunHealth(const HealthOptions& options, const Streams& streams) {
  InferenceClient client(options.common.server, options.common.deadline());
  const auto model = ChooseModel(options.model, client);
  if (absl::IsInvalidArgument(model.status())) return Fail(streams, model.status()), kUsage;
  if (!model.ok()) return Fail(streams, model.status());
  const auto units = options.units.empty() ? std::vector<std::string>{} : std::vector{options.units};
  auto health = client.Health(*model, options.version, units);
  if (!health.ok()) return FailWith(health.status(), streams);
  if (options.watch && streams.style.terminal && !options.common.json) {
    return Redraw(std::move(health), options, units, client, streams);
  }
  if (options.watch) return PrintChanges(*model, options, client, streams);
  if (options.common.json) {
    streams.out << HealthJson(*health, kIndent) << "\n";
  } else {
    PrintHealth(*health, streams);
  }
  return kOk;
}

}  // namespace halfwave::client
