#include "client/commands/health_output.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/unit_strip.h"

namespace halfwave::client {
namespace {

using v1::GetHealthResponse;
using v1::LayerHealth;
using v1::UnitHealth;

constexpr int kBarCells = 20;
constexpr double kDriftWorthTelling = 10;  // times what it is expected to be without any

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

std::string WentSilent(const LayerHealth& layer, const Style& style) {
  const std::string text = Thousands(layer.went_silent_units());
  return layer.went_silent_units() == 0 ? text : Paint(text, Colour::kRed, style);
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

bool AnyLayer(const GetHealthResponse& health, const std::function<bool(const LayerHealth&)>& is) {
  return std::any_of(health.layers().begin(), health.layers().end(), is);
}

struct Column {
  const char* title;
  bool shown;
  std::function<std::string(const LayerHealth&)> cell;
};

// Columns that would say nothing are left out.
std::vector<Column> Columns(const GetHealthResponse& health, const Style& style) {
  using L = const LayerHealth&;
  const bool reference = health.reference_samples() > 0;
  const bool woke_up = AnyLayer(health, [](L layer) { return layer.woke_up() > 0; });
  const bool saturating = AnyLayer(health, [](L layer) { return layer.family() == LayerHealth::SATURATING; });
  std::vector<Column> columns = {
      {"layer", true, [](L layer) { return Printable(layer.name()); }},
      {"activation", true, [](L layer) { return Printable(layer.activation()); }},
      {"units", true, [](L l) { return absl::StrCat(Thousands(l.units()), l.feature_maps() ? " maps" : ""); }},
      {"dead", true, [&style](L layer) { return Dead(layer, style); }},
      {"went silent", reference, [&style](L layer) { return WentSilent(layer, style); }},
      {"not watched", reference, [](L layer) { return Thousands(layer.not_watched_units()); }},
      {"woke up", woke_up, [](L layer) { return Thousands(layer.woke_up()); }},
      {"always on", true, AlwaysOn},
      {"sparsity", true, [](L layer) { return Share(layer, layer.sparsity()); }},
      {"saturated", saturating, Saturated},
      {"activity", true, [](L layer) { return Share(layer, layer.activity()); }},
      {"", true, [&style](L layer) { return Bar(layer.activity(), kBarCells, style); }}};
  std::erase_if(columns, [](const Column& column) { return !column.shown; });
  return columns;
}

TextTable ToTable(const GetHealthResponse& health, const Style& style) {
  const std::vector<Column> columns = Columns(health, style);
  std::vector<size_t> right = {2};
  for (size_t i = 4; i + 1 < columns.size(); ++i) right.push_back(i);
  TextTable table(right);
  std::vector<std::string> header;
  for (const Column& column : columns) header.emplace_back(column.title);
  table.Add(std::move(header));
  for (const LayerHealth& layer : health.layers()) {
    std::vector<std::string> row;
    for (const Column& column : columns) row.push_back(column.cell(layer));
    table.Add(std::move(row));
  }
  return table;
}

// Of the layers where silence means something.
uint64_t SilentUnits(const GetHealthResponse& health) {
  uint64_t units = 0;
  for (const LayerHealth& layer : health.layers()) {
    if (layer.family() != LayerHealth::SATURATING) units += layer.silent_units();
  }
  return units;
}

// What the window allows to be said.
std::string Sentence(const GetHealthResponse& health) {
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

void PrintDrift(const std::string& what, double psi, double noise, std::ostream& out) {
  if (noise <= 0 || psi < kDriftWorthTelling * noise) return;
  out << absl::StrFormat(
      "%s drifted from the reference's: population stability index %.3g, where %.3g is to be expected without "
      "change.\n",
      what, psi, noise);
}

void PrintComparison(const GetHealthResponse& health, std::ostream& out) {
  uint64_t went_silent = 0;
  for (const LayerHealth& layer : health.layers()) went_silent += layer.went_silent_units();
  if (went_silent > 0) {
    out << Plural(went_silent, "unit") << " went silent that would not have on samples like the "
        << Thousands(health.reference_samples()) << " of the reference: the input or its mix changed.\n";
  }
  const v1::AnswerDrift& answers = health.answer_drift();
  PrintDrift("Predicted classes", answers.classes_psi(), answers.classes_psi_noise(), out);
  PrintDrift("Confidence", answers.confidence_psi(), answers.confidence_psi_noise(), out);
  for (const LayerHealth& layer : health.layers()) {
    PrintDrift(absl::StrCat("Activity of ", Printable(layer.name())), layer.drift_psi(), layer.drift_psi_noise(), out);
  }
}

bool IsSilence(UnitHealth::State state) { return state == UnitHealth::SILENT || state == UnitHealth::WENT_SILENT; }

bool IsActive(UnitHealth::State state) { return state == UnitHealth::ACTIVE || state == UnitHealth::ALWAYS_ON; }

}  // namespace

void PrintHealth(const GetHealthResponse& health, const Streams& streams) {
  std::ostream& out = streams.out;
  out << Paint(Printable(health.model_name()), Colour::kBold, streams.style) << ", version "
      << Printable(health.model_version()) << "\n\n";
  if (health.layers_size() > 0) {
    ToTable(health, streams.style).Print(out);
    out << "\n";
  }
  out << Sentence(health) << "\n";
  PrintComparison(health, out);
  out << Plural(health.samples_seen(), "sample") << " seen since the server started";
  if (health.samples_not_counted() > 0) {
    out << "; " << Thousands(health.samples_not_counted()) << " more held NaN or infinity and were not counted";
  }
  out << ".\n";
  if (health.samples_outside_domain() > 0) {
    out << Plural(health.samples_outside_domain(), "sample") << " lay outside the domain that the model declares.\n";
  }
  PrintUnits(health, streams);
}

std::string StateWord(UnitHealth::State state, LayerHealth::Family family) {
  switch (state) {
    case UnitHealth::NOT_YET_KNOWN:
      return "not yet known";
    case UnitHealth::ACTIVE:
      return "active";
    case UnitHealth::ALWAYS_ON:
      return "always on";
    case UnitHealth::SILENT:
      return family == LayerHealth::RECTIFIER ? "dead" : family == LayerHealth::LEAKY ? "inactive" : "silent";
    case UnitHealth::WENT_SILENT:
      return "went silent";
    default:
      return "unknown";
  }
}

std::string ChangeText(const v1::HealthChange& change) {
  const std::string now = StateWord(change.now(), change.family());
  const std::string unit = absl::StrCat(Thousands(change.samples_seen()), " samples: unit ", change.unit(), " of ",
                                        Printable(change.layer()));
  const char* verb = change.now() == UnitHealth::WENT_SILENT ? " " : " is ";
  if (change.initial()) return absl::StrCat(unit, verb, now);
  const bool silent = change.before() == UnitHealth::WENT_SILENT;
  const std::string was = absl::StrCat(", was ", silent ? "silent" : StateWord(change.before(), change.family()));
  if (IsSilence(change.before()) && IsActive(change.now())) return absl::StrCat(unit, " woke up", was);
  if (change.now() == UnitHealth::WENT_SILENT) {
    return absl::StrCat(unit, " went silent", was, ": the input or its mix changed");
  }
  return absl::StrCat(unit, " is now ", now, was);
}

}  // namespace halfwave::client
