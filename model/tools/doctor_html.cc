#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "model/tools/doctor_output.h"
#include "model/tools/html.h"
#include "model/tools/text.h"

namespace halfwave::tools {
namespace {

constexpr size_t kHistogramBins = 20;
constexpr size_t kMostCells = 4096;
constexpr size_t kMostClasses = 50;

std::string Number(double number) { return Thousands(number); }
std::string Percent(double share) { return absl::StrFormat("%.1f %%", 100 * share); }

std::string Figure(const std::string& value, const std::string& name) {
  return absl::StrCat("<div><b>", Escaped(value), "</b>", Escaped(name), "</div>");
}

std::string SilentWord(ActivationFamily family, bool window_full) {
  if (!window_full) return "never active";
  return family == ActivationFamily::kRectifier ? "dead" : "inactive";
}

std::string Heading(const Diagnosis& diagnosis, const std::string& name, const std::string& data) {
  std::string html = absl::StrCat("<h1>", Escaped(name), "</h1>\n<p class=\"soft\">on ", Escaped(data), "<br><code>",
                                  diagnosis.sha256, "</code></p>\n<div class=\"card figures\">");
  html += Figure(Number(static_cast<double>(diagnosis.rows)), "rows");
  const auto silent = [&](ActivationFamily family) {
    if (diagnosis.units(family) == 0) return;
    html +=
        Figure(Percent(diagnosis.SilentShare(family)),
               absl::StrCat(SilentWord(family, diagnosis.window_full()), " of ",
                            Number(static_cast<double>(diagnosis.units(family))), " ", FamilyName(family), " units"));
  };
  silent(ActivationFamily::kRectifier);
  silent(ActivationFamily::kLeaky);
  if (diagnosis.judgement) {
    html += Figure(absl::StrFormat("%.2f %%", 100 * diagnosis.judgement->accuracy()), "answered rightly");
    if (diagnosis.probabilities) {
      html += Figure(absl::StrFormat("%.2f %%", 100 * diagnosis.judgement->CalibrationError()), "calibration error");
    }
  }
  html += "</div>\n";
  if (!diagnosis.window_full()) {
    absl::StrAppend(&html, "<p>Whether units that are never active here are dead is not yet known: that takes ",
                    Number(static_cast<double>(diagnosis.window)), " rows or more.</p>\n");
  }
  return html;
}

std::string Summary(const Diagnosis& diagnosis) {
  std::string html =
      "<h2>Layers</h2>\n<div class=\"card scroll\"><table><tr><th>layer</th><th>activation</th><th>units</th><th>never "
      "active</th><th>always on</th><th>duplicates</th><th>activity</th><th>sparsity</th><th>saturated</th></tr>\n";
  for (const LayerDiagnosis& layer : diagnosis.layers) {
    const ActivationLayer& info = layer.profile.layer;
    const bool saturating = info.family == ActivationFamily::kSaturating;
    absl::StrAppend(&html, "<tr><td>", Escaped(info.name), "</td><td>", Escaped(info.op), "</td><td>", info.units,
                    info.feature_maps ? " maps" : "", "</td><td>", saturating ? "-" : absl::StrCat(layer.silent.size()),
                    "</td><td>", saturating ? "-" : absl::StrCat(layer.always_on.size()), "</td><td>",
                    layer.duplicates.size(), "</td><td>", Percent(layer.activity), "</td><td>", Percent(layer.sparsity),
                    "</td><td>", saturating ? Percent(layer.saturated) : "-", "</td></tr>\n");
  }
  return html + "</table></div>\n";
}

std::vector<Cell> Cells(const LayerDiagnosis& layer, const Diagnosis& diagnosis) {
  const LayerProfile& profile = layer.profile;
  const bool saturating = profile.layer.family == ActivationFamily::kSaturating;
  const std::set<int64_t> on(layer.always_on.begin(), layer.always_on.end());
  std::vector<Cell> cells;
  for (size_t unit = 0; unit < std::min(profile.active.size(), kMostCells); ++unit) {
    const double activity = static_cast<double>(profile.active[unit]) / static_cast<double>(diagnosis.rows);
    Cell cell;
    cell.level = activity;
    std::string state = absl::StrFormat("active on %.2f %% of the rows", 100 * activity);
    if (!saturating && profile.active[unit] == 0) {
      cell.kind = profile.layer.family == ActivationFamily::kRectifier ? "dead" : "inactive";
      state = SilentWord(profile.layer.family, diagnosis.window_full());
    } else if (!saturating && on.contains(static_cast<int64_t>(unit))) {
      cell.kind = "on";
      state = "always on";
    }
    cell.hint = absl::StrFormat("unit %d: %s; before the activation %.3g to %.3g, mean %.3g", unit, state,
                                profile.least[unit], profile.most[unit], profile.mean[unit]);
    cells.push_back(std::move(cell));
  }
  return cells;
}

std::string LayerCard(const LayerDiagnosis& layer, const Diagnosis& diagnosis) {
  const LayerProfile& profile = layer.profile;
  std::vector<double> histogram(kHistogramBins);
  for (const uint64_t active : profile.active) {
    const double activity = static_cast<double>(active) / static_cast<double>(diagnosis.rows);
    ++histogram[std::min(kHistogramBins - 1, static_cast<size_t>(activity * kHistogramBins))];
  }
  std::string html = absl::StrCat(
      "<div class=\"card\"><h3>", Escaped(profile.layer.name), " <span class=\"soft\">", Escaped(profile.layer.op),
      ", ", Number(static_cast<double>(profile.layer.units)), profile.layer.feature_maps ? " maps" : " units",
      "</span></h3><div class=\"pair\"><div><p class=\"soft\">Units by activity</p>", HistogramSvg(histogram),
      "</div><div><p class=\"soft\">Each unit; point at one</p>", HeatMapSvg(Cells(layer, diagnosis)));
  if (profile.active.size() > kMostCells) absl::StrAppend(&html, "<p class=\"soft\">The first ", kMostCells, ".</p>");
  return html + "</div></div></div>\n";
}

std::string Key() {
  return "<p class=\"key soft\"><span style=\"background:var(--blue)\"></span>the more active the "
         "stronger<span style=\"background:var(--red)\"></span>never active<span "
         "style=\"background:var(--amber)\"></span>never active, but with a slope below zero<span "
         "style=\"background:var(--green)\"></span>above zero on every row</p>\n";
}

std::string GradientFlow(const Diagnosis& diagnosis) {
  std::string html = "<h2>Gradient flow</h2>\n<div class=\"card\">";
  if (!diagnosis.without_gradients.empty()) {
    return absl::StrCat(html, "<p>Not known: ", Escaped(diagnosis.without_gradients), ".</p></div>\n");
  }
  std::vector<NamedValue> norms;
  std::string table =
      "<div class=\"scroll\"><table><tr><th>layer</th><th>slope exactly zero</th><th>gradient</th><th>of the "
      "last</th></tr>";
  for (const LayerDiagnosis& layer : diagnosis.layers) {
    const std::string& name = layer.profile.layer.name;
    const bool known = layer.gradient.norm > 0;
    const std::string share = known ? absl::StrFormat("%.3g", layer.gradient.of_last) : "-";
    norms.push_back({ShortName(name).substr(0, 24), layer.gradient.of_last, share});
    absl::StrAppend(&table, "<tr><td>", Escaped(name), "</td><td>", Percent(layer.gradient.zero_share), "</td><td>",
                    known ? absl::StrFormat("%.3g", layer.gradient.norm) : "-", "</td><td>", share, "</td></tr>");
  }
  return absl::StrCat(html,
                      "<p>The gradient of the margin between the two highest scores, by what enters each activation: "
                      "its norm (root mean square over ",
                      diagnosis.gradient_rows,
                      " rows) as a multiple of that at the last activation, on a logarithmic scale.</p>",
                      LogBarsSvg(norms), table, "</table></div></div>\n");
}

std::string Calibration(const Judgement& judgement) {
  std::vector<SquarePoint> points;
  for (const Judgement::Bin& bin : judgement.bins()) {
    if (bin.rows == 0) continue;
    const auto rows = static_cast<double>(bin.rows);
    const double confidence = bin.confidence / rows, right = static_cast<double>(bin.right) / rows;
    points.push_back(
        {confidence, right, rows / static_cast<double>(judgement.rows()),
         absl::StrFormat("%d rows: %.1f %% sure, %.1f %% right", bin.rows, 100 * confidence, 100 * right)});
  }
  return absl::StrCat("<div><p class=\"soft\">Calibration: on the diagonal a network is as sure as it is right</p>",
                      SquareSvg(points, "confidence", "share right"), "</div>");
}

std::string Confusion(const Judgement& judgement, const std::vector<std::string>& names) {
  const auto& counts = judgement.confusion();
  if (counts.size() > kMostClasses) return "<p class=\"soft\">Too many classes for a table; --json has the counts.</p>";
  const auto name = [&](size_t i) { return Escaped(i < names.size() ? names[i] : absl::StrCat(i)); };
  std::string html =
      "<div class=\"scroll\"><p class=\"soft\">Rows: the right class. Columns: what was "
      "answered</p><table><tr><th></th>";
  for (size_t i = 0; i < counts.size(); ++i) absl::StrAppend(&html, "<th>", name(i), "</th>");
  html += "</tr>";
  for (size_t right = 0; right < counts.size(); ++right) {
    double all = 0;
    for (const uint64_t count : counts[right]) all += static_cast<double>(count);
    absl::StrAppend(&html, "<tr><th>", name(right), "</th>");
    for (size_t answered = 0; answered < counts.size(); ++answered) {
      const auto count = static_cast<double>(counts[right][answered]);
      const double share = all == 0 ? 0 : count / all;
      absl::StrAppendFormat(&html, "<td style=\"background:color-mix(in srgb, var(--%s) %.0f%%, transparent)\">%s</td>",
                            right == answered ? "blue" : "red", 60 * std::sqrt(share), count == 0 ? "" : Number(count));
    }
    html += "</tr>";
  }
  return html + "</table></div>";
}

std::string Answers(const Diagnosis& diagnosis) {
  if (!diagnosis.judgement) return "";
  return absl::StrCat("<h2>Answers</h2>\n<div class=\"card\">",
                      diagnosis.probabilities ? Calibration(*diagnosis.judgement) : "",
                      Confusion(*diagnosis.judgement, diagnosis.classes), "</div>\n");
}

std::string FindingCards(const Findings& findings) {
  std::string html = absl::StrCat("<h2>Findings</h2>\n", findings.empty() ? "<p>None.</p>\n" : "");
  for (size_t i = 0; i < findings.size(); ++i) {
    const Finding& finding = findings[i];
    absl::StrAppend(&html, "<div class=\"card ", finding.level == Finding::Level::kWarning ? "warning" : "note",
                    "\"><h3>", Escaped(finding.what), "</h3>");
    if (i == 0 || !SaysTheSame(findings[i - 1], finding)) {
      absl::StrAppend(&html, "<p>", Escaped(finding.why), "</p><p><b>", Escaped(finding.advice), "</b></p>");
    }
    absl::StrAppend(&html, "<p class=\"soft\">", finding.id, "</p></div>\n");
  }
  return html;
}

}  // namespace

std::string DiagnosisHtml(const Diagnosis& diagnosis, const std::string& name, const std::string& data) {
  std::string body = Heading(diagnosis, name, data) + FindingCards(diagnosis.findings) + Summary(diagnosis);
  body += "<h2>Units</h2>\n" + Key();
  for (const LayerDiagnosis& layer : diagnosis.layers) body += LayerCard(layer, diagnosis);
  return Page(absl::StrCat("Doctor: ", name), body + GradientFlow(diagnosis) + Answers(diagnosis));
}

}  // namespace halfwave::tools
