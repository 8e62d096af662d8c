// Text for a person: bars, tables, numbers.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace halfwave::client {

// What the terminal can show.
struct Style {
  bool unicode = false;
  bool colour = false;
  bool terminal = false;  // can what was written be written over?
  bool progress = false;  // is somebody watching the other stream?
};

// Colour only on a terminal that has it and without NO_COLOR; Unicode where the locale's names say UTF-8.
Style DetectStyle();

enum class Colour { kBold, kDim, kGreen, kRed };
std::string Paint(absl::string_view text, Colour colour, const Style& style);

// `share` of `cells` cells, share in [0, 1]; something above zero always shows, in Unicode by eighths of a cell.
std::string Bar(double share, int cells, const Style& style);

// One cell that stands for `share`, in [0, 1]: eight heights, in colours from cold to warm; without Unicode a digit,
// the tenths.
std::string Heat(double share, const Style& style);

std::string Percent(double share);                            // 0.1234 is "12.3 %"
std::string Thousands(uint64_t number);                       // 1234567 is "1,234,567"
std::string Plural(uint64_t number, absl::string_view noun);  // "1 row", "2 rows"

// Text from a server or a file, with control characters, which could drive the terminal, replaced.
std::string Printable(absl::string_view text);

// Cells on the screen: code points, without colours.
size_t DisplayWidth(absl::string_view text);

// Columns as wide as their widest cell, two spaces between them; the columns named in `right` are flush right.
class TextTable {
 public:
  explicit TextTable(std::vector<size_t> right = {}) : right_(std::move(right)) {}
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Each line starts with `indent`; no line ends with spaces.
  void Print(std::ostream& out, absl::string_view indent = "") const;

 private:
  std::vector<size_t> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace halfwave::client
