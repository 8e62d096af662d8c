#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/tools/doctor_output.h"
#include "model/tools/text.h"

namespace halfwave::tools {
namespace {

std::string Percent(double share) { return absl::StrFormat("%.1f %%", 100 * share); }

void PrintLayers(const Diagnosis& diagnosis, std::ostream& out) {
  const bool gradients = diagnosis.without_gradients.empty();
  TextTable table({2, 3, 4, 5, 6, 7, 8, 9});
  std::vector<std::string> head = {"layer",     "activation", "units",    "never active",
                                   "always on", "duplicates", "activity", "sparsity"};
  if (gradients) head.insert(head.end(), {"slope zero", "gradient"});
  table.Add(head);
  for (const LayerDiagnosis& layer : diagnosis.layers) {
    const ActivationLayer& info = layer.profile.layer;
    const bool saturating = info.family == ActivationFamily::kSaturating;
    std::vector<std::string> row = {ShortName(info.name),
                                    info.op,
                                    Thousands(static_cast<double>(info.units)) + (info.feature_maps ? " maps" : ""),
                                    saturating ? "-" : absl::StrCat(layer.silent.size()),
                                    saturating ? "-" : absl::StrCat(layer.always_on.size()),
                                    absl::StrCat(layer.duplicates.size()),
                                    Percent(layer.activity),
                                    Percent(layer.sparsity)};
    if (gradients) {
      row.push_back(Percent(layer.gradient.zero_share));
      row.push_back(layer.gradient.norm == 0 ? "-" : absl::StrFormat("%.2g", layer.gradient.of_last));
    }
    table.Add(std::move(row));
  }
  table.Print(out);
}

std::string Answers(const Diagnosis& diagnosis) {
  const Judgement& judgement = *diagnosis.judgement;
  std::string text = absl::StrFormat("%s of %s right (%.2f %%)", Thousands(static_cast<double>(judgement.right())),
                                     Thousands(static_cast<double>(judgement.rows())), 100 * judgement.accuracy());
  if (diagnosis.probabilities)
    absl::StrAppendFormat(&text, ", calibration error %.2f %%", 100 * judgement.CalibrationError());
  return text;
}

}  // namespace

void PrintDiagnosis(const Diagnosis& diagnosis, const std::string& name, std::ostream& out) {
  TextTable heading;
  heading.Add({"file", Printable(name)});
  heading.Add({"sha256", diagnosis.sha256});
  heading.Add({"rows", Thousands(static_cast<double>(diagnosis.rows))});
  if (diagnosis.judgement) heading.Add({"answers", Answers(diagnosis)});
  heading.Print(out);
  out << "\n";
  PrintLayers(diagnosis, out);
  out << "\n";
  PrintWrapped(diagnosis.window_full()
                   ? "Units that are never active are dead, those of leaky activations inactive, on these rows."
                   : absl::StrCat("Whether units that are never active here are dead is not yet known: that takes ",
                                  Thousands(static_cast<double>(diagnosis.window)), " rows or more (--window)."),
               "", out);
  if (diagnosis.without_gradients.empty()) {
    PrintWrapped(absl::StrCat("Gradient: its norm as a multiple of that at the last activation, over ",
                              Plural(static_cast<size_t>(diagnosis.gradient_rows), "row"), "."),
                 "", out);
  } else {
    PrintWrapped(absl::StrCat("No gradients: ", Printable(diagnosis.without_gradients), "."), "", out);
  }
  PrintFindings(diagnosis.findings, out);
}

}  // namespace halfwave::tools
