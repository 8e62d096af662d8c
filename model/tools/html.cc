#include "model/tools/html.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace halfwave::tools {
namespace {

// Colours are those of the reader's system, light or dark.
constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5c6878; --line: #d8dee6; --card: #fff; --page: #f4f6f8;
  --blue: #2f6fb3; --red: #c8372d; --green: #2e8b57; --amber: #b7791f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b6; --line: #333d4b; --card: #1b222c;
  --page: #12171e; --blue: #6aa9e9; --red: #f0766b; --green: #5fc08a; --amber: #e0a84a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0 auto;
  max-width: 70rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0 0 .2rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .5rem; }
p { margin: .4rem 0; } .soft { color: var(--soft); } code { font-size: .9em; overflow-wrap: anywhere; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 0 0 1rem; }
.figures, .pair { display: flex; flex-wrap: wrap; gap: 1rem 2rem; } .figures b { display: block; font-size: 1.4rem; }
.pair > div { flex: 1 1 18rem; min-width: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 500; }
.warning { border-left: 4px solid var(--red); } .note { border-left: 4px solid var(--blue); }
svg { max-width: 100%; height: auto; display: block; } svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.bar, .level { fill: var(--blue); } .dead { fill: var(--red); } .inactive { fill: var(--amber); } .on { fill: var(--green); }
.frame { fill: none; stroke: var(--line); } .diagonal { stroke: var(--soft); stroke-dasharray: 4 4; }
.key span { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 1em; }
)";

}  // namespace

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string Page(const std::string& title, const std::string& body) {
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>",
      Escaped(title), "</title>\n<style>", kStyle, "</style>\n</head>\n<body>\n", body, "</body>\n</html>\n");
}

std::string HistogramSvg(const std::vector<double>& counts) {
  constexpr double kWidth = 320, kHeight = 90;
  const double most = std::max(1.0, *std::max_element(counts.begin(), counts.end()));
  const double width = kWidth / static_cast<double>(counts.size());
  std::string svg =
      absl::StrFormat("<svg viewBox=\"0 0 %g %g\" width=\"%g\" role=\"img\">", kWidth, kHeight + 18, kWidth);
  for (size_t i = 0; i < counts.size(); ++i) {
    const double height = kHeight * counts[i] / most;
    absl::StrAppendFormat(
        &svg,
        "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%g to %g %%: "
        "%g</title></rect>",
        static_cast<double>(i) * width + 1, kHeight - height, width - 2, height,
        100.0 * static_cast<double>(i) / static_cast<double>(counts.size()),
        100.0 * static_cast<double>(i + 1) / static_cast<double>(counts.size()), counts[i]);
  }
  absl::StrAppendFormat(
      &svg,
      "<path class=\"frame\" d=\"M0 %g H%g\"/><text x=\"0\" y=\"%g\">0 %%</text><text x=\"%g\" y=\"%g\" "
      "text-anchor=\"end\">100 %%</text></svg>",
      kHeight, kWidth, kHeight + 14, kWidth, kHeight + 14);
  return svg;
}

std::string HeatMapSvg(const std::vector<Cell>& cells) {
  constexpr double kSize = 14;
  const size_t columns =
      std::clamp<size_t>(static_cast<size_t>(std::sqrt(2.0 * static_cast<double>(cells.size()))), 16, 64);
  const size_t rows = (cells.size() + columns - 1) / columns;
  std::string svg =
      absl::StrFormat("<svg viewBox=\"0 0 %g %g\" width=\"%g\" role=\"img\">", kSize * static_cast<double>(columns),
                      kSize * static_cast<double>(rows), kSize * static_cast<double>(columns));
  for (size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    absl::StrAppendFormat(&svg,
                          "<rect class=\"%s\" x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" rx=\"2\" "
                          "fill-opacity=\"%.2f\"><title>%s</title></rect>",
                          cell.kind.empty() ? "level" : cell.kind, kSize * static_cast<double>(i % columns),
                          kSize * static_cast<double>(i / columns), kSize - 2, kSize - 2,
                          cell.kind.empty() ? 0.06 + 0.94 * cell.level : 1.0, Escaped(cell.hint));
  }
  return svg + "</svg>";
}

std::string LogBarsSvg(const std::vector<NamedValue>& bars) {
  constexpr double kLine = 22, kName = 150, kWidth = 640, kDecade = 60;
  double least = 1, most = 1;
  for (const NamedValue& bar : bars) {
    if (bar.value > 0) least = std::min(least, bar.value), most = std::max(most, bar.value);
  }
  const double low = std::floor(std::log10(least)) - 1;
  const double scale = std::min(kDecade, (kWidth - kName - 80) / (std::log10(most) - low));
  const double height = kLine * static_cast<double>(bars.size());
  std::string svg = absl::StrFormat("<svg viewBox=\"0 0 %g %g\" width=\"%g\" role=\"img\">", kWidth, height, kWidth);
  for (size_t i = 0; i < bars.size(); ++i) {
    const double y = kLine * static_cast<double>(i);
    const double width = bars[i].value > 0 ? scale * (std::log10(bars[i].value) - low) : 0;
    absl::StrAppendFormat(&svg,
                          "<text x=\"%g\" y=\"%g\" text-anchor=\"end\">%s</text><rect class=\"bar\" x=\"%g\" y=\"%g\" "
                          "width=\"%.1f\" height=\"%g\"/><text x=\"%.1f\" y=\"%g\">%s</text>",
                          kName - 8, y + 14, Escaped(bars[i].name), kName, y + 4, width, kLine - 8, kName + width + 6,
                          y + 14, Escaped(bars[i].text));
  }
  return svg + "</svg>";
}

std::string SquareSvg(const std::vector<SquarePoint>& points, const std::string& x_name, const std::string& y_name) {
  constexpr double kSize = 240, kLeft = 34, kBelow = 32;
  std::string svg = absl::StrFormat(
      "<svg viewBox=\"0 0 %g %g\" width=\"%g\" role=\"img\"><rect class=\"frame\" x=\"%g\" y=\"6\" width=\"%g\" "
      "height=\"%g\"/>"
      "<path class=\"diagonal\" d=\"M%g %g L%g 6\"/>",
      kLeft + kSize + 8, kSize + kBelow + 6, kLeft + kSize + 8, kLeft, kSize, kSize, kLeft, kSize + 6, kLeft + kSize);
  for (const SquarePoint& point : points) {
    absl::StrAppendFormat(&svg, "<circle class=\"bar\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>%s</title></circle>",
                          kLeft + kSize * point.x, 6 + kSize * (1 - point.y), 4 + 8 * std::sqrt(point.weight),
                          Escaped(point.hint));
  }
  absl::StrAppendFormat(
      &svg,
      "<text x=\"%g\" y=\"%g\">0</text><text x=\"%g\" y=\"%g\" text-anchor=\"end\">1</text><text x=\"%g\" "
      "y=\"%g\" text-anchor=\"middle\">%s</text><text x=\"12\" y=\"%g\" text-anchor=\"middle\" "
      "transform=\"rotate(-90 12 %g)\">%s</text></svg>",
      kLeft, kSize + 20, kLeft + kSize, kSize + 20, kLeft + kSize / 2, kSize + 32, Escaped(x_name), kSize / 2,
      kSize / 2, Escaped(y_name));
  return svg;
}

}  // namespace halfwave::tools
