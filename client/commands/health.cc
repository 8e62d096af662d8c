#include "client/commands/health.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/choose_model.h"
#include "nlohmann/json.hpp"

namespace halfwave::client {
namespace {

using Json = nlohmann::ordered_json;
using v1::LayerHealth;

constexpr int kBarCells = 20;

const char* FamilyName(LayerHealth::Family family) {
  switch (family) {
    case LayerHealth::RECTIFIER:
      return "rectifier";
    case LayerHealth::LEAKY:
      return "leaky";
    case LayerHealth::SATURATING:
      return "saturating";
    default:
      return "unknown";
  }
}

// The cell in column "dead": only a full window can say that a rectifier is.
std::string Dead(const LayerHealth& layer, const Style& style) {
  if (layer.family() == LayerHealth::SATURATING) return "-";
  if (layer.window_samples_seen() == 0) return "not yet known";
  if (!layer.window_full()) return absl::StrCat("not yet known, ", Thousands(layer.silent_units()), " silent");
  if (layer.family() == LayerHealth::LEAKY) return absl::StrCat(Thousands(layer.silent_units()), " inactive");
  const std::string text = absl::StrFormat(
      "%s (%s)", Thousands(layer.silent_units()),
      Percent(static_cast<double>(layer.silent_units()) / static_cast<double>(std::max<uint64_t>(layer.units(), 1))));
  return layer.silent_units() == 0 ? text : Paint(text, Colour::kRed, style);
}

// The server does not watch whether a feature map is positive everywhere.
std::string AlwaysOn(const LayerHealth& layer) {
  if (layer.feature_maps() || layer.family() == LayerHealth::SATURATING || layer.window_samples_seen() == 0) return "-";
  return absl::StrCat(Thousands(layer.always_on_units()), layer.window_full() ? "" : " so far");
}

std::string Share(const LayerHealth& layer, double share) {
  return layer.window_samples_seen() == 0 ? "-" : Percent(share);
}

std::string Saturated(const LayerHealth& layer) {
  return layer.family() == LayerHealth::SATURATING ? Share(layer, layer.saturated()) : "-";
}

// Saturation is shown only where some layer can saturate.
TextTable ToTable(const v1::GetHealthResponse& health, const Style& style) {
  const bool saturating = std::any_of(health.layers().begin(), health.layers().end(), [](const LayerHealth& layer) {
    return layer.family() == LayerHealth::SATURATING;
  });
  TextTable table({2, 4, 5, 6, saturating ? size_t{7} : 6});
  std::vector<std::string> header = {"layer", "activation", "units", "dead", "always on", "sparsity", "activity"};
  if (saturating) header.insert(header.end() - 1, "saturated");
  table.Add(std::move(header));
  for (const LayerHealth& layer : health.layers()) {
    std::vector<std::string> row = {Printable(layer.name()),
                                    Printable(layer.activation()),
                                    absl::StrCat(Thousands(layer.units()), layer.feature_maps() ? " maps" : ""),
                                    Dead(layer, style),
                                    AlwaysOn(layer),
                                    Share(layer, layer.sparsity())};
    if (saturating) row.push_back(Saturated(layer));
    row.push_back(Share(layer, layer.activity()));
    row.push_back(Bar(layer.activity(), kBarCells, style));
    table.Add(std::move(row));
  }
  return table;
}

// Of the layers where silence means something.
uint64_t SilentUnits(const v1::GetHealthResponse& health) {
  uint64_t units = 0;
  for (const LayerHealth& layer : health.layers()) {
    if (layer.family() != LayerHealth::SATURATING) units += layer.silent_units();
  }
  return units;
}

// What the window allows to be said.
std::string Sentence(const v1::GetHealthResponse& health) {
  if (health.layers_size() == 0) return "The model has no activation layers to watch.";
  const LayerHealth& first = health.layers(0);
  if (!first.window_full()) {
    return absl::StrCat(Thousands(first.window_samples_seen()), " of ", Thousands(health.window_samples()),
                        " samples: too few to call a unit dead.");
  }
  const std::string samples = Thousands(first.window_samples_seen());
  if (SilentUnits(health) == 0) return absl::StrCat("No unit was silent on all of the last ", samples, " samples.");
  return absl::StrFormat(
      "Silent on all of the last %s samples: with 95 %% confidence each silent unit is active on less than %.3g %% of "
      "such samples.",
      samples, first.silent_activity_bound() * 100);
}

Json ToJson(const v1::GetHealthResponse& health) {
  Json json = {{"model", health.model_name()},
               {"version", health.model_version()},
               {"window_samples", health.window_samples()},
               {"samples_seen", health.samples_seen()},
               {"samples_not_counted", health.samples_not_counted()},
               {"layers", Json::array()}};
  for (const LayerHealth& layer : health.layers()) {
    json["layers"].push_back({{"name", layer.name()},
                              {"activation", layer.activation()},
                              {"family", FamilyName(layer.family())},
                              {"units", layer.units()},
                              {"feature_maps", layer.feature_maps()},
                              {"window_samples_seen", layer.window_samples_seen()},
                              {"window_full", layer.window_full()},
                              {"silent_units", layer.silent_units()},
                              {"silent_activity_bound", layer.silent_activity_bound()},
                              {"always_on_units", layer.always_on_units()},
                              {"sparsity", layer.sparsity()},
                              {"activity", layer.activity()},
                              {"saturated", layer.saturated()}});
  }
  return json;
}

}  // namespace

void PrintHealth(const v1::GetHealthResponse& health, const Streams& streams) {
  streams.out << Paint(Printable(health.model_name()), Colour::kBold, streams.style) << ", version "
              << Printable(health.model_version()) << "\n\n";
  if (health.layers_size() > 0) {
    ToTable(health, streams.style).Print(streams.out);
    streams.out << "\n";
  }
  streams.out << Sentence(health) << "\n"
              << Plural(health.samples_seen(), "sample") << " seen since the server started";
  if (health.samples_not_counted() > 0) {
    streams.out << "; " << Thousands(health.samples_not_counted()) << " more held NaN or infinity and were not counted";
  }
  streams.out << ".\n";
}

ExitCode RunHealth(const HealthOptions& options, const Streams& streams) {
  InferenceClient client(options.common.server, options.common.deadline());
  const auto model = ChooseModel(options.model, client);
  if (absl::IsInvalidArgument(model.status())) return Fail(streams, model.status()), kUsage;
  if (!model.ok()) return Fail(streams, model.status());
  const auto health = client.Health(*model, options.version);
  if (absl::IsUnimplemented(health.status())) {
    return Fail(streams, absl::UnimplementedError("the server is not Halfwave: it does not tell what its units do"));
  }
  if (!health.ok()) return Fail(streams, health.status());
  if (options.common.json) {
    streams.out << ToJson(*health).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    PrintHealth(*health, streams);
  }
  return kOk;
}

}  // namespace halfwave::client
