#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/activity/health.h"
#include "model/analysis/doctor.h"

namespace halfwave {
namespace {

using Level = Finding::Level;

constexpr double kManySilent = 0.05;  // of a layer's units
constexpr double kMostSilent = 0.5;
constexpr double kMuchSaturated = 0.5;
constexpr double kShrunk = 0.1;  // of the gradient at the last activation
constexpr double kGrown = 100;   // early layers have more elements: ten times is common
constexpr double kMostlyCut = 0.95;
constexpr double kMiscalibrated = 0.05;
constexpr size_t kListed = 16;

std::string List(const std::vector<int64_t>& units) {
  const size_t listed = std::min(units.size(), kListed);
  std::string list = absl::StrJoin(units.begin(), units.begin() + static_cast<int64_t>(listed), ", ");
  if (listed < units.size()) absl::StrAppend(&list, " and ", units.size() - listed, " more");
  return list;
}

std::string Of(size_t some, const ActivationLayer& layer) {
  return absl::StrFormat("%s: %d of %d units (%.1f %%)", layer.name, some, layer.units,
                         100.0 * static_cast<double>(some) / static_cast<double>(layer.units));
}

// "dead" only of a full window; see DESIGN's meaning of the word in README.md.
void FindSilent(const Diagnosis& diagnosis, const LayerDiagnosis& found, Findings& findings) {
  const ActivationLayer& layer = found.profile.layer;
  if (found.silent.empty() || layer.family == ActivationFamily::kSaturating) return;
  int64_t units = 0;
  for (const LayerDiagnosis& each : diagnosis.layers) units += each.profile.layer.units;
  const double bound = SilentActivityBound(units, diagnosis.rows);
  const bool rectifier = layer.family == ActivationFamily::kRectifier;
  const double share = static_cast<double>(found.silent.size()) / static_cast<double>(layer.units);
  const std::string state = diagnosis.window_full() ? (rectifier ? "dead" : "inactive") : "silent so far";
  const std::string what = absl::StrFormat(
      "%s are %s: 0 of %d rows made them active (%s). With 95 %% confidence each is active on less than %.2g %% of "
      "such "
      "rows.%s",
      Of(found.silent.size(), layer), state, diagnosis.rows, List(found.silent), 100 * bound,
      diagnosis.window_full()
          ? ""
          : absl::StrFormat(" Whether they are %s is not yet known: that takes a window of %d rows.",
                            rectifier ? "dead" : "inactive", diagnosis.window));
  const Level level = share > kManySilent ? Level::kWarning : Level::kNote;
  if (!rectifier) {
    findings.push_back({"inactive-on-data", Level::kNote, layer.name, what,
                        absl::StrCat("Below zero ", layer.op,
                                     " still passes a gradient, so that they can come back in training; on these rows "
                                     "they do little."),
                        "Nothing need be done; if most of a layer is inactive, a smaller one would do."});
    return;
  }
  findings.push_back(
      {diagnosis.window_full() ? "dead-on-data" : "silent-on-data", level, layer.name, what,
       "A ReLU that is zero on every row passes no gradient: such a unit cannot learn its way back, and costs "
       "arithmetic for nothing. Common causes: a learning rate so high that one step pushed the bias far below zero; "
       "weights that began too large or all alike; inputs that are not centred or scaled.",
       absl::StrCat(
           "Now: halfwave-model prune --observed takes them out. In training: a lower learning rate or a warm-up, as "
           "smaller steps do not throw a bias that far; He initialisation, which keeps the variance of what enters a "
           "ReLU; batch normalisation before the ReLU, which centres it for every unit; LeakyReLU, PReLU, ELU or SELU, "
           "whose slope below zero lets a gradient back in.",
           share > kMostSilent ? " With more than half of a layer gone, train again rather than prune." : "")});
}

void FindAlwaysOn(const Diagnosis& diagnosis, const LayerDiagnosis& found, Findings& findings) {
  const ActivationLayer& layer = found.profile.layer;
  if (found.always_on.empty() || layer.family == ActivationFamily::kSaturating) return;
  const bool all = static_cast<int64_t>(found.always_on.size()) == layer.units;
  findings.push_back(
      {"always-on-data", all ? Level::kWarning : Level::kNote, layer.name,
       absl::StrFormat("%s are above zero on all %d rows%s (%s).", Of(found.always_on.size(), layer), diagnosis.rows,
                       layer.feature_maps ? ", at every position" : "", List(found.always_on)),
       absl::StrCat("There ", layer.op,
                    " is the identity: on such rows these units are linear, and add no more than the layers around "
                    "them could do without.",
                    all ? " The whole layer is: its activation does nothing here." : ""),
       "Often harmless in a first layer. If there are many, the biases may have drifted up or the inputs may all be "
       "positive: centre them, or normalise before the activation."});
}

void FindSaturated(const LayerDiagnosis& found, Findings& findings) {
  if (found.saturated < kMuchSaturated) return;
  const ActivationLayer& layer = found.profile.layer;
  findings.push_back(
      {"saturated-on-data", Level::kWarning, layer.name,
       absl::StrFormat("%s: %.1f %% of the outputs lie within a hundredth of a limit of %s.", layer.name,
                       100 * found.saturated, layer.op),
       "There the curve is flat: hardly any gradient passes, and training of what lies before crawls.",
       "Smaller initial weights (Glorot), batch normalisation before the activation, centred inputs; or a ReLU, whose "
       "slope above zero is 1 however large its input."});
}

void FindDuplicates(const LayerDiagnosis& found, Findings& findings) {
  if (found.duplicates.empty()) return;
  std::vector<std::string> pairs;
  for (size_t i = 0; i < std::min(found.duplicates.size(), kListed); ++i) {
    pairs.push_back(absl::StrCat(found.duplicates[i].unit, " as ", found.duplicates[i].of));
  }
  findings.push_back(
      {"duplicates-on-data", Level::kNote, found.profile.layer.name,
       absl::StrFormat("%s answer as another does, but for a factor (%s%s).",
                       Of(found.duplicates.size(), found.profile.layer), absl::StrJoin(pairs, ", "),
                       found.duplicates.size() > kListed ? ", ..." : ""),
       "They carry nothing of their own. Units that start alike and get the same gradients stay alike.",
       "Initialise weights at random, each unit for itself; add dropout, which makes them unlike; or make the layer "
       "smaller."});
}

void FindGradients(const Diagnosis& diagnosis, Findings& findings) {
  for (const LayerDiagnosis& found : diagnosis.layers) {
    const ActivationLayer& layer = found.profile.layer;
    if (found.gradient.zero_share > kMostlyCut) {
      findings.push_back({"gradient-cut-off", Level::kWarning, layer.name,
                          absl::StrFormat("%s: the derivative of %s is zero for %.1f %% of all pairs of row and unit.",
                                          layer.name, layer.op, 100 * found.gradient.zero_share),
                          "Only the rest passes a gradient, so that the layers before learn from few rows.",
                          layer.family == ActivationFamily::kLeaky
                              ? "Biases that start at or a little above zero, or normalisation before the activation."
                              : "Biases that start at or a little above zero, normalisation before the activation, or "
                                "an activation with a slope below zero (LeakyReLU, PReLU, ELU, SELU)."});
    }
  }
  if (diagnosis.layers.size() < 2 || !diagnosis.without_gradients.empty()) return;
  const LayerDiagnosis& first = diagnosis.layers.front();
  const double share = first.gradient.of_last;
  if (share > 0 && share < kShrunk) {
    const bool saturating = std::any_of(diagnosis.layers.begin(), diagnosis.layers.end(), [](const auto& layer) {
      return layer.profile.layer.family == ActivationFamily::kSaturating;
    });
    findings.push_back(
        {"gradient-vanishes", Level::kWarning, first.profile.layer.name,
         absl::StrFormat("The gradient that arrives at the first activation is %.2g of that at the last.", share),
         saturating ? "Every sigmoid multiplies a gradient by a quarter at most, every tanh by less than one: behind "
                      "several of them little is left, and the first layers hardly learn."
                    : "The layers between shrink it, so that the first ones hardly learn.",
         saturating ? "ReLU and its kin, whose slope above zero is 1; or batch normalisation, residual connections, "
                      "Glorot initialisation, which keep the sum in the steep part."
                    : "He initialisation, batch normalisation or residual connections, which keep its size from layer "
                      "to layer; look for dead units on the way."});
  }
  if (share > kGrown) {
    findings.push_back(
        {"gradient-grows", Level::kNote, first.profile.layer.name,
         absl::StrFormat("The gradient that arrives at the first activation is %.3g times that at the last.", share),
         "Large gradients make large steps, which is how units die and losses diverge.",
         "Clip gradients, lower the learning rate, or normalise; in a trained convolutional network much of it is that "
         "early layers have more elements."});
  }
}

void FindClassesNeverRight(const Diagnosis& diagnosis, const Judgement& judgement, Findings& findings) {
  const auto& confusion = judgement.confusion();
  std::vector<std::string> never;
  uint64_t rows_of_all = 0;
  for (size_t right = 0; right < confusion.size(); ++right) {
    uint64_t rows = 0;
    for (const uint64_t count : confusion[right]) rows += count;
    if (rows < 10 || confusion[right][right] > 0) continue;
    rows_of_all += rows;
    const std::string name = right < diagnosis.classes.size() ? diagnosis.classes[right] : absl::StrCat(right);
    if (never.size() < kListed) {
      never.push_back(absl::StrFormat("'%s' (%d rows)", name, rows));
    } else if (never.size() == kListed) {
      never.push_back("...");
    }
  }
  if (never.empty()) return;
  findings.push_back({"class-never-right", Level::kWarning, "",
                      absl::StrFormat("None of the %d rows of these classes is answered rightly: %s.", rows_of_all,
                                      absl::StrJoin(never, ", ")),
                      "A class that is never found is most often a mistake in data or labels, not in the network.",
                      "Are the labels in the order of the outputs? Were the classes among the training rows?"});
}

void FindAnswers(const Diagnosis& diagnosis, Findings& findings) {
  if (!diagnosis.judgement) return;
  const Judgement& judgement = *diagnosis.judgement;
  const double over = judgement.Overconfidence();
  if (diagnosis.probabilities && std::abs(over) > kMiscalibrated) {
    findings.push_back(
        {over > 0 ? "overconfident" : "underconfident", Level::kWarning, "",
         absl::StrFormat("The network is on the average %.1f points %s than it is right (%.1f %%).",
                         100 * std::abs(over), over > 0 ? "surer" : "less sure", 100 * judgement.accuracy()),
         "Whoever acts on its probabilities is misled.",
         over > 0 ? "Temperature scaling on held-back rows, the cheapest cure; weight decay, label smoothing, fewer "
                    "epochs. Are these rows like those it was trained on?"
                  : "Temperature scaling on held-back rows; less label smoothing or dropout."});
  }
  FindClassesNeverRight(diagnosis, judgement, findings);
}

}  // namespace

Findings FindInData(const Diagnosis& diagnosis) {
  Findings findings;
  for (const LayerDiagnosis& layer : diagnosis.layers) {
    FindSilent(diagnosis, layer, findings);
    FindAlwaysOn(diagnosis, layer, findings);
    FindSaturated(layer, findings);
    FindDuplicates(layer, findings);
  }
  FindGradients(diagnosis, findings);
  FindAnswers(diagnosis, findings);
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return a.level == Level::kWarning && b.level != Level::kWarning;
  });
  return findings;
}

}  // namespace halfwave
