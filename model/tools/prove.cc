#include "model/tools/prove.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/tools/text.h"
#include "nlohmann/json.hpp"

namespace halfwave::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kEraseLine = "\r\033[K";

// Of one domain as it is, of several the average.
std::string Average(int64_t sum, int64_t domains) {
  if (domains == 1) return Thousands(static_cast<double>(sum));
  return absl::StrFormat("%.2f", static_cast<double>(sum) / static_cast<double>(domains));
}

void PrintUnits(const ProveReport& report, std::ostream& out) {
  TextTable table({2, 3, 4, 5});
  table.Add({"layer", "activation", "units", "dead", "always on", "undecided"});
  for (const ProveReport::Layer& layer : report.layers) {
    const int64_t all = layer.layer.units * report.domains;
    table.Add({ShortName(layer.layer.name), layer.layer.op,
               Thousands(static_cast<double>(layer.layer.units)) + (layer.layer.feature_maps ? " maps" : ""),
               Average(layer.dead, report.domains), Average(layer.always_on, report.domains),
               Average(all - layer.dead - layer.always_on, report.domains)});
  }
  table.Print(out);
}

void PrintElements(const ProveReport& report, std::ostream& out) {
  TextTable table({1, 2, 3, 4, 5});
  table.Add({"layer", "neurons", "inactive", "active", "undecided", "stable"});
  for (const ProveReport::Layer& layer : report.layers) {
    const int64_t all = layer.layer.elements * report.domains;
    const int64_t stable = layer.elements_inactive + layer.elements_active;
    table.Add({ShortName(layer.layer.name), Thousands(static_cast<double>(layer.layer.elements)),
               Average(layer.elements_inactive, report.domains), Average(layer.elements_active, report.domains),
               Average(all - stable, report.domains),
               absl::StrFormat("%.1f %%", 100 * static_cast<double>(stable) / static_cast<double>(all))});
  }
  table.Print(out);
}

std::string Verdict(const ProveReport& report) {
  int64_t dead = 0, always_on = 0, units = 0;
  for (const ProveReport::Layer& layer : report.layers) {
    dead += static_cast<int64_t>(layer.dead_units.size());
    always_on += static_cast<int64_t>(layer.always_on_units.size());
    units += layer.layer.units;
  }
  const std::string where = report.domains == 1 ? "over this domain" : "in every one of these balls";
  return absl::StrCat("Of ", Thousands(static_cast<double>(units)), " units, ",
                      dead == 0 ? "none" : Thousands(static_cast<double>(dead)), " proven dead and ",
                      always_on == 0 ? "none" : Thousands(static_cast<double>(always_on)), " proven always on ", where,
                      ". Undecided says nothing: such a unit may be dead, and no proof found. Dead is a feature map "
                      "that is dead at all positions; of activations that pass something on below zero, such units "
                      "are inactive. The engine's own rounding is in the bounds.");
}

void Print(const ProveReport& report, std::ostream& out) {
  PrintWrapped("domain: " + report.domain, "", out);
  out << "\n";
  PrintUnits(report, out);
  out << "\n";
  if (report.domains > 1) {
    PrintElements(report, out);
    out << "\n"
        << absl::StrFormat("Averages over %s; %.3f seconds each, %.3f at most.\n\n", Plural(report.domains, "ball"),
                           report.seconds, report.most_seconds);
  } else {
    out << absl::StrFormat("%.3f seconds.\n\n", report.seconds);
  }
  PrintWrapped(Verdict(report), "", out);
}

Json ToJson(const ProveReport& report) {
  Json json = {{"domain", report.domain},
               {"domains", report.domains},
               {"seconds", report.seconds},
               {"most_seconds", report.most_seconds},
               {"layers", Json::array()}};
  for (const ProveReport::Layer& layer : report.layers) {
    json["layers"].push_back({{"name", layer.layer.name},
                              {"activation", layer.layer.op},
                              {"units", layer.layer.units},
                              {"elements", layer.layer.elements},
                              {"dead", layer.dead},
                              {"always_on", layer.always_on},
                              {"elements_inactive", layer.elements_inactive},
                              {"elements_active", layer.elements_active},
                              {"dead_units", layer.dead_units},
                              {"always_on_units", layer.always_on_units}});
  }
  return json;
}

}  // namespace

ExitCode RunProve(const ProveCommand& command, const Streams& streams) {
  ProveOptions options = command.options;
  if (!command.domain.empty()) options.domain = InputDomain{{command.domain[0]}, {command.domain[1]}};
  if (command.progress) {
    options.progress = [&](double done) {
      streams.err << kEraseLine << absl::StrFormat("proving, %.0f %%", 100 * done) << std::flush;
    };
  }
  const absl::StatusOr<ProveReport> report = ProveModel(command.file, options);
  if (command.progress) streams.err << kEraseLine << std::flush;
  if (!report.ok()) {
    const auto message = report.status().message();
    streams.err << "halfwave-model: " << Printable({message.data(), message.size()}) << "\n";
    return kUsage;
  }
  if (command.json) {
    streams.out << ToJson(*report).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    Print(*report, streams.out);
  }
  return kOk;
}

}  // namespace halfwave::tools
