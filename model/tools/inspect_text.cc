#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/base/data_type.h"
#include "model/tools/inspect_output.h"
#include "model/tools/text.h"

namespace halfwave::tools {
namespace {

constexpr size_t kMaxRewrites = 100;

std::string ShapeText(const Shape& shape) { return absl::StrCat("[", absl::StrJoin(shape, ", "), "]"); }

std::string NumberOrDash(double number) { return number == 0 ? "-" : Thousands(number); }

std::string Labels(const std::vector<std::string>& labels) {
  constexpr size_t kShown = 10;
  if (labels.empty()) return "none";
  const std::vector<std::string> shown(labels.begin(),
                                       labels.begin() + static_cast<int64_t>(std::min(labels.size(), kShown)));
  return absl::StrCat(labels.size(), ": ", absl::StrJoin(shown, ", "), labels.size() > kShown ? ", ..." : "");
}

std::string Batch(const Inspection& inspection) {
  if (inspection.fixed_batch == 0) return inspection.model->batch();
  return absl::StrCat(inspection.model->batch(), " (the file fixes it at ", inspection.fixed_batch, ")");
}

void PrintHeading(const Inspection& inspection, std::ostream& out) {
  const Model& model = *inspection.model;
  TextTable table;
  const auto add = [&](const std::string& key, const std::string& value) { table.Add({key, Printable(value)}); };
  add("file", absl::StrCat(inspection.path.string(), ", ", Bytes(static_cast<double>(inspection.file_bytes))));
  add("sha256", inspection.sha256);
  add("producer", inspection.producer.empty() ? "not said" : inspection.producer);
  add("opset", absl::StrCat(inspection.opset));
  for (const GraphValue& input : model.inputs()) {
    add("input", absl::StrCat(input.name, " ", DataTypeName(input.type), " ", ShapeText(input.shape)));
  }
  for (const GraphValue& output : model.outputs()) {
    add("output", absl::StrCat(output.name, " ", DataTypeName(output.type), " ", ShapeText(output.shape)));
  }
  add("head", model.head());
  add("batch", Batch(inspection));
  add("labels", Labels(model.metadata().labels));
  table.Print(out);
}

void PrintLayers(const Inspection& inspection, std::ostream& out) {
  const Model& model = *inspection.model;
  TextTable table({3, 4, 5});
  table.Add({"layer", "operator", "row", "parameters", "multiply-adds", "weights", "units"});
  const std::vector<std::string> units = UnitsOfLayers(model);
  double parameters = 0;
  double multiply_adds = 0;
  for (size_t i = 0; i < model.layers().size(); ++i) {
    const LayerSummary& layer = model.layers()[i];
    const auto count = static_cast<double>(layer.parameters);
    parameters += count;
    multiply_adds += layer.multiply_adds;
    table.Add({ShortName(layer.name), OperatorText(layer), RowText(layer.shape), NumberOrDash(count),
               NumberOrDash(layer.multiply_adds), count == 0 ? "-" : Bytes(count * sizeof(float)), units[i]});
  }
  table.Add({"all", "", "", Thousands(parameters), Thousands(multiply_adds), Bytes(parameters * sizeof(float))});
  table.Print(out);
  out << "\nMemory for each row of a batch: "
      << Bytes(static_cast<double>(model.plan().elements_per_row) * sizeof(float)) << ".\n";
  out << "The file has " << Plural(inspection.file_layers.size(), "node") << " that compute and "
      << Thousands(static_cast<double>(inspection.file_parameters)) << " parameters in use; served are "
      << Plural(model.layers().size(), "layer") << ".\n";
}

void PrintRewrites(const Model& model, std::ostream& out) {
  if (model.rewrites().empty()) return;
  out << "\nRewritten at load\n";
  for (size_t i = 0; i < std::min(model.rewrites().size(), kMaxRewrites); ++i) {
    const Rewrite& rewrite = model.rewrites()[i];
    out << "  " << ShortName(rewrite.node) << ": " << Printable(rewrite.what) << " (" << rewrite.pass << ")\n";
  }
  if (model.rewrites().size() > kMaxRewrites) {
    out << "  ... and " << model.rewrites().size() - kMaxRewrites << " more; --json has them all\n";
  }
}

void PrintOutline(const Inspection& inspection, std::ostream& out) {
  const OnnxOutline& outline = *inspection.outline;
  TextTable table;
  const auto add = [&](const std::string& key, const std::string& value) { table.Add({key, Printable(value)}); };
  add("file", absl::StrCat(inspection.path.string(), ", ", Bytes(static_cast<double>(inspection.file_bytes))));
  add("sha256", outline.sha256);
  add("producer", outline.producer.empty() ? "not said" : outline.producer);
  for (const auto& [domain, version] : outline.opsets) {
    add("opset", domain.empty() ? absl::StrCat(version) : absl::StrCat(version, " of ", domain));
  }
  for (const auto& input : outline.inputs) add("input", absl::StrCat(input.name, " ", input.type, " ", input.shape));
  for (const auto& output : outline.outputs) {
    add("output", absl::StrCat(output.name, " ", output.type, " ", output.shape));
  }
  add("weights", Plural(static_cast<size_t>(outline.weights), "tensor"));
  table.Print(out);
  out << "\n";
  TextTable operators({1});
  operators.Add({"operator", "nodes"});
  for (const auto& [op, count] : outline.operators) operators.Add({Printable(op), absl::StrCat(count)});
  operators.Print(out);
}

}  // namespace

void PrintText(const Inspection& inspection, std::ostream& out) {
  if (inspection.status.ok()) {
    PrintHeading(inspection, out);
    out << "\n";
    PrintLayers(inspection, out);
    PrintRewrites(*inspection.model, out);
    PrintFindings(inspection.findings, out);
    return;
  }
  if (inspection.outline) PrintOutline(inspection, out);
}

}  // namespace halfwave::tools
