#include "model/tools/prune.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/tools/text.h"
#include "model/tools/write_file.h"
#include "nlohmann/json.hpp"

namespace halfwave::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kEraseLine = "\r\033[K";

absl::StatusOr<PruneOptions> Options(const PruneCommand& command) {
  PruneOptions options = command.options;
  if (!command.domain.empty()) options.domain = InputDomain{{command.domain[0]}, {command.domain[1]}};
  if (command.observed && command.data.empty()) {
    return absl::InvalidArgumentError("--observed needs the rows to observe: --data FILE");
  }
  if (command.observed) options.observed = command.data;
  return options;
}

std::string Number(double number) { return Thousands(number); }

void PrintLayers(const PruneReport& report, std::ostream& out) {
  TextTable table({2, 3, 4, 5, 6});
  table.Add({"layer", "activation", "units", "proven zero", "constant", "observed zero", "removed", ""});
  for (const PruneReport::Layer& layer : report.layers) {
    table.Add({ShortName(layer.layer), layer.op, absl::StrCat(layer.units), absl::StrCat(layer.proven),
               absl::StrCat(layer.constant), absl::StrCat(layer.observed), absl::StrCat(layer.removed),
               Printable(layer.reason)});
  }
  table.Print(out);
  for (const FoldedLayer& layer : report.folded) {
    const std::string merged = layer.merged.empty() ? "." : absl::StrCat("; ", layer.merged, " are one layer now.");
    PrintWrapped(absl::StrCat("All units of ", ShortName(layer.layer), " are proven always on: it was taken out",
                              Printable(merged)),
                 "", out);
  }
}

// What the proof is over.
std::string DomainText(const PruneReport& report) {
  if (!report.domain) return "any finite numbers";
  const auto number = [](double value) { return absl::StrFormat("%.9g", value); };
  return absl::StrCat("each element of the input from ", number(report.domain->low[0]), " to ",
                      number(report.domain->high[0]), report.domain_is_declared ? ", as the metadata declare" : "");
}

// Whether something was added up anew.
bool MovesNumbers(const PruneReport& report) {
  return std::any_of(report.folded.begin(), report.folded.end(),
                     [](const FoldedLayer& layer) { return !layer.merged.empty(); }) ||
         std::any_of(report.layers.begin(), report.layers.end(),
                     [](const PruneReport::Layer& layer) { return layer.moved > 0; });
}

void PrintCosts(const PruneReport& report, std::ostream& out) {
  TextTable table({1, 2, 3});
  const auto row = [&](const std::string& what, double before, double after, const std::string& a,
                       const std::string& b) {
    table.Add({what, a, b, absl::StrFormat("%+.1f %%", 100 * (after / before - 1))});
  };
  const auto numbers = [&](const std::string& what, double before, double after) {
    row(what, before, after, Number(before), Number(after));
  };
  table.Add({"", "before", "after", ""});
  numbers("parameters", report.before.parameters, report.after.parameters);
  numbers("multiply-adds of a row", report.before.multiply_adds, report.after.multiply_adds);
  row("file", report.before.file_bytes, report.after.file_bytes, Bytes(report.before.file_bytes),
      Bytes(report.after.file_bytes));
  for (size_t i = 0; i < PruneReport::kBatches.size(); ++i) {
    const double before = report.before.seconds[i], after = report.after.seconds[i];
    row(absl::StrCat("us for a batch of ", PruneReport::kBatches[i]), before, after,
        absl::StrFormat("%.2f", 1e6 * before), absl::StrFormat("%.2f", 1e6 * after));
  }
  table.Print(out);
}

std::string Sentence(const PruneReport& report, const PruneCommand& command) {
  const std::string rows = absl::StrCat(Number(static_cast<double>(report.rows_compared)),
                                        command.observed ? " rows of the data" : " rows drawn from the domain");
  const std::string change =
      report.equal_bits ? absl::StrCat("On ", rows, " all outputs are equal in every bit.")
                        : absl::StrFormat("On %s the largest change of an output is %.2g of the largest of its row.",
                                          rows, report.largest_change);
  const std::string tolerance =
      !MovesNumbers(report) ? ""
      : report.within_tolerance
          ? " Constants were added to biases or layers merged, which rounds in another way: all are within 1e-5 of the "
            "largest of their row plus 1e-6."
          : " Constants were added to biases or layers merged, which rounds in another way: NOT all are within 1e-5 of "
            "the largest of their row plus 1e-6.";
  if (!command.observed) return change + tolerance;
  return change + tolerance +
         " Units were removed because these rows never made them active: that is no proof, and other rows may.";
}

Json ToJson(const PruneReport& report, const PruneCommand& command) {
  Json json = {{"layers", Json::array()}, {"written", report.bytes.empty() ? Json() : Json(command.output)}};
  for (const PruneReport::Layer& layer : report.layers) {
    json["layers"].push_back({{"name", layer.layer},
                              {"activation", layer.op},
                              {"units", layer.units},
                              {"proven_zero", layer.proven},
                              {"constant", layer.constant},
                              {"observed_zero", layer.observed},
                              {"removed", layer.removed},
                              {"moved_into_biases", layer.moved},
                              {"reason", layer.reason}});
  }
  json["domain"] = nullptr;
  if (report.domain) {
    json["domain"] = {
        {"low", report.domain->low}, {"high", report.domain->high}, {"declared", report.domain_is_declared}};
  }
  json["always_on"] = Json::array();
  for (const FoldedLayer& layer : report.folded) {
    json["always_on"].push_back({{"name", layer.layer}, {"merged", layer.merged}});
  }
  const auto cost = [](const PruneReport::Cost& cost) {
    return Json{{"parameters", cost.parameters},
                {"multiply_adds", cost.multiply_adds},
                {"file_bytes", cost.file_bytes},
                {"batches", PruneReport::kBatches},
                {"seconds", cost.seconds}};
  };
  json["before"] = cost(report.before);
  if (report.bytes.empty()) return json;
  json["after"] = cost(report.after);
  json["rows_compared"] = report.rows_compared;
  json["equal_bits"] = report.equal_bits;
  json["within_tolerance"] = report.within_tolerance;
  json["largest_change"] = report.largest_change;
  return json;
}

void Print(const PruneReport& report, const PruneCommand& command, std::ostream& out) {
  out << "proof over " << DomainText(report) << "\n\n";
  PrintLayers(report, out);
  out << "\n";
  if (report.bytes.empty()) {
    PrintWrapped(command.observed ? "Nothing can be removed; no file was written."
                                  : "Nothing can be removed by proof; no file was written. --input-domain says what "
                                    "comes in, which proves more; --observed --data FILE removes what those rows never "
                                    "make active.",
                 "", out);
    return;
  }
  PrintCosts(report, out);
  out << "\n";
  PrintWrapped(Sentence(report, command), "", out);
  out << "Written: " << Printable(command.output) << "\n";
}

}  // namespace

ExitCode RunPrune(const PruneCommand& command, const Streams& streams) {
  const auto fail = [&](const absl::Status& status) {
    const auto message = status.message();
    streams.err << "halfwave-model: " << Printable({message.data(), message.size()}) << "\n";
    return kUsage;
  };
  absl::StatusOr<PruneOptions> options = Options(command);
  if (!options.ok()) return fail(options.status());
  if (command.progress) {
    options->progress = [&](double done) {
      streams.err << kEraseLine << absl::StrFormat("comparing, %.0f %%", 100 * done) << std::flush;
    };
  }
  const absl::StatusOr<PruneReport> report = PruneModel(command.file, *options);
  if (command.progress) streams.err << kEraseLine << std::flush;
  if (!report.ok()) return fail(report.status());
  if (!report->bytes.empty()) {
    if (const absl::Status written = WriteFile(report->bytes, command.output); !written.ok()) return fail(written);
  }
  if (command.json) {
    streams.out << ToJson(*report, command).dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
  } else {
    Print(*report, command, streams.out);
  }
  return kOk;
}

}  // namespace halfwave::tools
