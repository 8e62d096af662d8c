// Text for a person.
#pragma once

#include <cstdint>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "model/analysis/inspection.h"

namespace halfwave::tools {

std::string Thousands(double number);  // 1234567 is "1,234,567"
std::string Bytes(double bytes);       // 12345 is "12.1 KiB"
std::string Plural(size_t number, const std::string& noun);

// Text from a file, with control characters, which could drive the terminal, replaced.
std::string Printable(std::string text);

// A name from a file, printable and at most 48 bytes: the end of a long one, which tells more than its beginning.
std::string ShortName(const std::string& name);

// The row of a shape behind an open batch: [-1,24,8,8] is "24x8x8", and "1" of [-1].
std::string RowText(const Shape& shape);

// An operator as a reader knows it: those that rewriting made have names of ours.
std::string OperatorText(const LayerSummary& layer);

// What a layer's activation counts: "24 maps", "64", "" of others. One for each of the model's layers.
std::vector<std::string> UnitsOfLayers(const Model& model);

// `text` in lines of at most 100 cells, each behind `indent`.
void PrintWrapped(const std::string& text, const std::string& indent, std::ostream& out);

// Whether two findings differ in the fact alone, so that the rest need not be said again.
bool SaysTheSame(const Finding& a, const Finding& b);

// "Findings: 2 warnings, 1 note", and each of them.
void PrintFindings(const Findings& findings, std::ostream& out);

// Columns as wide as their widest cell, two spaces between them; the columns in `right` are flush right.
class TextTable {
 public:
  explicit TextTable(std::set<size_t> right = {}) : right_(std::move(right)) {}
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void Print(std::ostream& out) const;  // no line ends with spaces

 private:
  std::set<size_t> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace halfwave::tools
