#include "client/render.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace halfwave::client {
namespace {

absl::string_view Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// By the names alone: a container often lacks the locale that its terminal has.
bool LocaleIsUtf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string value = absl::AsciiStrToLower(Environment(name));
    if (!value.empty()) return absl::StrContains(value, "utf-8") || absl::StrContains(value, "utf8");
  }
  return false;
}

}  // namespace

Style DetectStyle() {
  Style style;
  style.unicode = LocaleIsUtf8();
  style.terminal = isatty(STDOUT_FILENO) == 1 && Environment("TERM") != "dumb";
  style.colour = style.terminal && Environment("NO_COLOR").empty();
  style.progress = isatty(STDERR_FILENO) == 1;
  return style;
}

std::string Paint(absl::string_view text, Colour colour, const Style& style) {
  static constexpr const char* kCodes[] = {"1", "2", "32", "31"};
  if (!style.colour) return std::string(text);
  return absl::StrCat("\033[", kCodes[static_cast<int>(colour)], "m", text, "\033[0m");
}

std::string Bar(double share, int cells, const Style& style) {
  if (!(share > 0)) return "";
  share = std::min(share, 1.0);
  if (!style.unicode) return std::string(std::max(1L, std::lround(share * cells)), '#');
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const long eighths = std::max(1L, std::lround(share * cells * 8));
  std::string bar;
  for (long i = 0; i < eighths / 8; ++i) bar += "█";
  return bar + kEighths[eighths % 8];
}

std::string Heat(double share, const Style& style) {
  static constexpr const char* kHeights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr int kColours[] = {25, 31, 37, 71, 107, 143, 179, 208};  // of the terminal's 256
  const auto level = [&](int levels) { return share > 0 ? std::min(static_cast<int>(share * levels), levels - 1) : 0; };
  const int eighth = level(8);
  const std::string cell = style.unicode ? kHeights[eighth] : absl::StrCat(level(10));
  return style.colour ? absl::StrCat("\033[38;5;", kColours[eighth], "m", cell, "\033[0m") : cell;
}

std::string Percent(double share) { return absl::StrFormat("%.1f %%", share * 100); }

std::string Thousands(uint64_t number) {
  const std::string digits = absl::StrCat(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string Plural(uint64_t number, absl::string_view noun) {
  return absl::StrCat(Thousands(number), " ", noun, number == 1 ? "" : "s");
}

std::string Printable(absl::string_view text) {
  std::string printable(text);
  for (char& c : printable) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = c == '\n' || c == '\t' ? ' ' : '?';
  }
  return printable;
}

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  bool escape = false;
  for (const char c : text) {
    if (c == '\033') escape = true;
    const bool continuation = (static_cast<unsigned char>(c) & 0xC0) == 0x80;
    if (!escape && !continuation) ++width;
    if (c == 'm') escape = false;
  }
  return width;
}

void TextTable::Print(std::ostream& out, absl::string_view indent) const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  for (const auto& row : rows_) {
    std::string line(indent);
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - DisplayWidth(row[i]), ' ');
      const bool right = std::find(right_.begin(), right_.end(), i) != right_.end();
      absl::StrAppend(&line, i == 0 ? "" : "  ", right ? space : "", row[i], right ? "" : space);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    out << line << "\n";
  }
}

}  // namespace halfwave::client
