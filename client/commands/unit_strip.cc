#include "client/commands/unit_strip.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/commands/health_output.h"

namespace halfwave::client {
namespace {

using v1::LayerHealth;
using v1::UnitHealth;

constexpr int kUnitsPerLine = 64;
constexpr int kUnitsPerGroup = 16;  // a space between them, to count by
constexpr size_t kListed = 24;

// What stands in a cell instead of a level.
struct Mark {
  const char* unicode;
  const char* ascii;
  Colour colour;

  std::string Cell(const Style& style) const { return Paint(style.unicode ? unicode : ascii, colour, style); }
};

// Nothing for a unit that is just more or less active; a saturating unit below zero is no less alive.
std::optional<Mark> MarkOf(UnitHealth::State state, LayerHealth::Family family) {
  if (state == UnitHealth::WENT_SILENT) return Mark{"!", "!", Colour::kRed};
  if (family == LayerHealth::SATURATING) return std::nullopt;
  if (state == UnitHealth::SILENT) return Mark{"×", "x", Colour::kRed};
  if (state == UnitHealth::ALWAYS_ON) return Mark{"●", "*", Colour::kGreen};
  if (state == UnitHealth::NOT_YET_KNOWN) return Mark{"·", ".", Colour::kDim};
  return std::nullopt;
}

double ActivityOf(const UnitHealth& unit, const LayerHealth& layer) {
  const auto samples = static_cast<double>(std::max<uint64_t>(layer.window_samples_seen(), 1));
  return static_cast<double>(unit.window_active()) / samples;
}

void PrintStrip(const LayerHealth& layer, const Streams& streams) {
  const int units = layer.unit_health_size();
  const int width = static_cast<int>(absl::StrCat(std::max(0, units - 1)).size());
  for (int first = 0; first < units; first += kUnitsPerLine) {
    streams.out << absl::StrFormat("  %*d ", width, first);
    for (int i = first; i < std::min(units, first + kUnitsPerLine); ++i) {
      const UnitHealth& unit = layer.unit_health(i);
      const std::optional<Mark> mark = MarkOf(unit.state(), layer.family());
      if (i % kUnitsPerGroup == 0) streams.out << " ";
      streams.out << (mark ? mark->Cell(streams.style) : Heat(ActivityOf(unit, layer), streams.style));
    }
    streams.out << "\n";
  }
}

// Only what the strip shows.
void PrintLegend(const LayerHealth& layer, const Streams& streams) {
  streams.out << "  activity " << Heat(0, streams.style) << " 0 % to " << Heat(1, streams.style) << " 100 %";
  std::set<UnitHealth::State> states;
  for (const UnitHealth& unit : layer.unit_health()) states.insert(unit.state());
  for (const UnitHealth::State state : states) {
    const std::optional<Mark> mark = MarkOf(state, layer.family());
    if (!mark) continue;
    const bool unknown = state == UnitHealth::NOT_YET_KNOWN;
    streams.out << "   " << mark->Cell(streams.style) << " "
                << (unknown ? "silent so far" : StateWord(state, layer.family()));
  }
  streams.out << "\n";
}

// Those that are worth a line; what calls for action first.
std::vector<int> UnitsToList(const LayerHealth& layer) {
  std::vector<int> listed;
  const auto append = [&](auto&& wanted) {
    for (int i = 0; i < layer.unit_health_size(); ++i) {
      if (wanted(layer.unit_health(i))) listed.push_back(i);
    }
  };
  append([](const UnitHealth& unit) { return unit.state() == UnitHealth::WENT_SILENT; });
  if (layer.family() == LayerHealth::SATURATING) return listed;
  append([](const UnitHealth& unit) { return unit.state() == UnitHealth::SILENT; });
  append([](const UnitHealth& unit) {
    return unit.woke_up() > 0 && (unit.state() == UnitHealth::ACTIVE || unit.state() == UnitHealth::ALWAYS_ON);
  });
  return listed;
}

// What is said of each of them: in how many of the samples since its last activation (of the window, once it woke up)
// it was active, and what silence allows to be said of it among all `units` of the version.
std::vector<std::string> Describe(const UnitHealth& unit, const LayerHealth& layer, double units) {
  const bool silent = unit.state() == UnitHealth::SILENT || unit.state() == UnitHealth::WENT_SILENT;
  if (!silent) {
    return {"woke up", absl::StrCat(Thousands(unit.window_active()), " of ", Thousands(layer.window_samples_seen())),
            "-"};
  }
  const uint64_t n = unit.samples_since_active();
  const double bound = n == 0 ? 1 : std::min(1.0, std::log(units / 0.05) / static_cast<double>(n));
  return {StateWord(unit.state(), layer.family()), absl::StrCat("0 of ", Thousands(n)),
          absl::StrFormat("%.3g %%", bound * 100)};
}

void PrintList(const LayerHealth& layer, const v1::GetHealthResponse& health, std::ostream& out) {
  const std::vector<int> listed = UnitsToList(layer);
  if (listed.empty()) return;
  double units = 0;
  for (const LayerHealth& each : health.layers()) units += static_cast<double>(each.units());
  const bool reference = health.reference_samples() > 0;
  TextTable table({0, 2, 3, 4, 5, 6});
  std::vector<std::string> header = {"unit", "", "active", "95 %: below", "since start", "woke up"};
  if (reference) header.push_back(absl::StrCat("of ", Thousands(health.reference_samples()), " of the reference"));
  table.Add(std::move(header));
  for (size_t i = 0; i < std::min(listed.size(), kListed); ++i) {
    const UnitHealth& unit = layer.unit_health(listed[i]);
    std::vector<std::string> row = Describe(unit, layer, units);
    row.insert(row.begin(), absl::StrCat(listed[i]));
    row.push_back(absl::StrCat(Thousands(unit.lifetime_active()), " of ", Thousands(health.samples_seen())));
    row.push_back(Thousands(unit.woke_up()));
    if (reference)
      row.push_back(absl::StrCat(Thousands(unit.reference_active()), unit.watched() ? "" : " (not watched)"));
    table.Add(std::move(row));
  }
  out << "\n";
  table.Print(out, "  ");
  if (listed.size() > kListed)
    out << "  ... and " << Plural(listed.size() - kListed, "unit") << " more; --json shows all\n";
}

}  // namespace

void PrintUnits(const v1::GetHealthResponse& health, const Streams& streams) {
  for (const LayerHealth& layer : health.layers()) {
    if (layer.unit_health_size() == 0) continue;
    streams.out << "\n" << Paint(Printable(layer.name()), Colour::kBold, streams.style) << ", one cell a unit\n";
    PrintStrip(layer, streams);
    PrintLegend(layer, streams);
    PrintList(layer, health, streams.out);
  }
}

}  // namespace halfwave::client
