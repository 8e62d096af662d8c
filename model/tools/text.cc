#include "model/tools/text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace halfwave::tools {
namespace {

// Cells on the screen: code points.
size_t Width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string Thousands(double number) {
  const std::string digits = absl::StrFormat("%.0f", number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string Bytes(double bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB"};
  size_t unit = 0;
  for (; bytes >= 1024 && unit < 3; ++unit) bytes /= 1024;
  return unit == 0 ? absl::StrFormat("%.0f bytes", bytes) : absl::StrFormat("%.1f %s", bytes, kUnits[unit]);
}

std::string Plural(size_t number, const std::string& noun) {
  return absl::StrCat(number, " ", noun, number == 1 ? "" : "s");
}

std::string Printable(std::string text) {
  for (char& c : text) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = c == '\n' || c == '\t' ? ' ' : '?';
  }
  return text;
}

std::string ShortName(const std::string& name) {
  constexpr size_t kMaxCell = 48;
  const std::string printable = Printable(name);
  if (printable.size() <= kMaxCell) return printable;
  size_t start = printable.size() - kMaxCell + 3;
  while ((printable[start] & 0xC0) == 0x80) ++start;
  return "..." + printable.substr(start);
}

std::string RowText(const Shape& shape) {
  if (shape.size() < 2) return "1";
  return absl::StrJoin(shape.begin() + 1, shape.end(), "x");
}

std::string OperatorText(const LayerSummary& layer) {
  if (!layer.stands_for.empty()) return absl::StrCat("(counts ", Printable(layer.stands_for), ")");
  const std::string prefix = "halfwave.";
  return Printable(layer.op.compare(0, prefix.size(), prefix) == 0 ? layer.op.substr(prefix.size()) : layer.op);
}

std::vector<std::string> UnitsOfLayers(const Model& model) {
  std::vector<std::string> units;
  const std::vector<ActivationLayer>& activations = model.activations();
  size_t next = 0;  // both are in the order of the nodes; the names of activations may have been cut or numbered
  for (const LayerSummary& layer : model.layers()) {
    std::string& text = units.emplace_back();
    if (next == activations.size()) continue;
    const ActivationLayer& activation = activations[next];
    const std::string& op = layer.stands_for.empty() ? layer.op : layer.stands_for;
    const std::string name = layer.name.substr(0, std::min(layer.name.size(), activation.name.size()));
    if (activation.op != op || activation.name.compare(0, name.size(), name) != 0) continue;
    text = Thousands(static_cast<double>(activation.units)) + (activation.feature_maps ? " maps" : "");
    ++next;
  }
  return units;
}

void PrintWrapped(const std::string& text, const std::string& indent, std::ostream& out) {
  constexpr size_t kColumns = 100;
  std::string line = indent;
  bool empty = true;
  for (const auto& piece : absl::StrSplit(text, ' ')) {
    const std::string word(piece.data(), piece.size());
    if (!empty && Width(line) + 1 + Width(word) > kColumns) {
      out << line << "\n";
      line = indent;
      empty = true;
    }
    line += (empty ? "" : " ") + word;
    empty = false;
  }
  out << line << "\n";
}

bool SaysTheSame(const Finding& a, const Finding& b) { return a.why == b.why && a.advice == b.advice; }

void PrintFindings(const Findings& findings, std::ostream& out) {
  const auto warnings = static_cast<size_t>(std::count_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.level == Finding::Level::kWarning;
  }));
  out << "\nFindings: " << Plural(warnings, "warning") << ", " << Plural(findings.size() - warnings, "note") << "\n";
  for (size_t i = 0; i < findings.size(); ++i) {
    const Finding& finding = findings[i];
    out << "\n";
    PrintWrapped(absl::StrCat(finding.level == Finding::Level::kWarning ? "warning: " : "note: ",
                              Printable(finding.what), " (", finding.id, ")"),
                 "  ", out);
    if (i > 0 && SaysTheSame(findings[i - 1], finding)) continue;
    PrintWrapped(Printable(finding.why), "    ", out);
    PrintWrapped(absl::StrCat("-> ", Printable(finding.advice)), "    ", out);
  }
}

void TextTable::Print(std::ostream& out) const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - Width(row[i]), ' ');
      const bool right = right_.contains(i);
      absl::StrAppend(&line, i == 0 ? "" : "  ", right ? space : "", row[i], right ? "" : space);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    out << line << "\n";
  }
}

}  // namespace halfwave::tools
