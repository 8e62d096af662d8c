#include "model/tools/condition.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace halfwave::tools {
namespace {

struct Figure {
  const char* name;
  const char* meaning;
  // Nothing if the diagnosis does not know it.
  std::optional<double> (*value)(const Diagnosis& diagnosis);
};

double Largest(const Diagnosis& diagnosis, double (*of)(const LayerDiagnosis& layer)) {
  double largest = 0;
  for (const LayerDiagnosis& layer : diagnosis.layers) largest = std::max(largest, of(layer));
  return largest;
}

double ShareOfUnits(size_t some, const LayerDiagnosis& layer) {
  return static_cast<double>(some) / static_cast<double>(std::max<int64_t>(layer.profile.layer.units, 1));
}

constexpr Figure kFigures[] = {
    {"dead", "units of rectifiers that no row made active, of all such units",
     [](const Diagnosis& d) -> std::optional<double> { return d.SilentShare(ActivationFamily::kRectifier); }},
    {"dead-layer", "the same of the worst layer",
     [](const Diagnosis& d) -> std::optional<double> {
       return Largest(d, [](const LayerDiagnosis& layer) {
         const bool rectifier = layer.profile.layer.family == ActivationFamily::kRectifier;
         return rectifier ? ShareOfUnits(layer.silent.size(), layer) : 0;
       });
     }},
    {"inactive", "units of leaky activations that no row made active, of all such units",
     [](const Diagnosis& d) -> std::optional<double> { return d.SilentShare(ActivationFamily::kLeaky); }},
    {"always-on", "units above zero on every row, of the worst layer that is not saturating",
     [](const Diagnosis& d) -> std::optional<double> {
       return Largest(d, [](const LayerDiagnosis& layer) {
         const bool saturating = layer.profile.layer.family == ActivationFamily::kSaturating;
         return saturating ? 0 : ShareOfUnits(layer.always_on.size(), layer);
       });
     }},
    {"saturated", "outputs close to a limit, of the worst saturating layer",
     [](const Diagnosis& d) -> std::optional<double> {
       return Largest(d, [](const LayerDiagnosis& layer) { return layer.saturated; });
     }},
    {"duplicate", "units that answer as another does, of the worst layer",
     [](const Diagnosis& d) -> std::optional<double> {
       return Largest(d, [](const LayerDiagnosis& layer) { return ShareOfUnits(layer.duplicates.size(), layer); });
     }},
    {"gradient", "gradient at the first activation as a multiple of that at the last",
     [](const Diagnosis& d) -> std::optional<double> {
       if (!d.without_gradients.empty() || d.layers.empty()) return std::nullopt;
       return d.layers.front().gradient.of_last;
     }},
    {"accuracy", "rows answered rightly; needs labels",
     [](const Diagnosis& d) -> std::optional<double> {
       return d.judgement ? std::optional(d.judgement->accuracy()) : std::nullopt;
     }},
    {"calibration-error", "expected calibration error; needs labels and probabilities",
     [](const Diagnosis& d) -> std::optional<double> {
       return d.judgement && d.probabilities ? std::optional(d.judgement->CalibrationError()) : std::nullopt;
     }},
};

const Figure* FindFigure(const std::string& name) {
  const auto found =
      std::find_if(std::begin(kFigures), std::end(kFigures), [&](const Figure& figure) { return name == figure.name; });
  return found == std::end(kFigures) ? nullptr : found;
}

}  // namespace

std::string KnownFigures() {
  std::string text;
  for (const Figure& figure : kFigures) absl::StrAppend(&text, text.empty() ? "" : ", ", figure.name);
  return text;
}

absl::StatusOr<Condition> ParseCondition(const std::string& text) {
  const auto bad = [&](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat("--fail-if '", text, "': ", why,
                     "; expected NAME>NUMBER or NAME<NUMBER, as in 'dead>5%', with a name of ", KnownFigures()));
  };
  const size_t at = text.find_first_of("<>");
  if (at == std::string::npos) return bad("there is no < or >");
  Condition condition{text, text.substr(0, at), text[at] == '>', 0};
  absl::StripAsciiWhitespace(&condition.name);
  std::string number = text.substr(at + 1);
  absl::StripAsciiWhitespace(&number);
  const bool percent = !number.empty() && number.back() == '%';
  if (percent) number.pop_back();
  if (!absl::SimpleAtod(number, &condition.limit)) return bad(absl::StrCat("'", number, "' is no number"));
  if (percent) condition.limit /= 100;
  if (FindFigure(condition.name) == nullptr) return bad(absl::StrCat("'", condition.name, "' is unknown"));
  return condition;
}

absl::StatusOr<std::string> FailureOf(const Condition& condition, const Diagnosis& diagnosis) {
  const Figure& figure = *FindFigure(condition.name);
  const std::optional<double> value = figure.value(diagnosis);
  if (!value) {
    return absl::InvalidArgumentError(
        absl::StrCat("--fail-if '", condition.text, "': not known here (", figure.name, ": ", figure.meaning, ")"));
  }
  if (condition.above ? *value <= condition.limit : *value >= condition.limit) return std::string();
  const bool early = condition.name.find("dead") == 0 && !diagnosis.window_full();
  return absl::StrFormat(
      "%s: %s is %.4g %% (%s)%s", condition.text, figure.name, 100 * *value, figure.meaning,
      early ? absl::StrFormat(", silent on %d rows; whether they are dead takes %d", diagnosis.rows, diagnosis.window)
            : "");
}

}  // namespace halfwave::tools
