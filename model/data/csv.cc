#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "model/base/status_macros.h"
#include "model/data/table.h"

namespace halfwave {
namespace {

using Fields = std::vector<absl::string_view>;

char Separator(absl::string_view line) {
  for (const char separator : {',', ';', '\t'}) {
    if (absl::StrContains(line, separator)) return separator;
  }
  return ',';
}

absl::string_view Unquoted(absl::string_view field) {
  field = absl::StripAsciiWhitespace(field);
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"') field = field.substr(1, field.size() - 2);
  return field;
}

Fields Split(absl::string_view line, char separator) {
  Fields fields = absl::StrSplit(line, separator);
  for (absl::string_view& field : fields) field = Unquoted(field);
  return fields;
}

bool IsHeader(const Fields& fields) {
  float ignored = 0;
  for (const absl::string_view field : fields) {
    if (!absl::SimpleAtof(field, &ignored)) return true;
  }
  return false;
}

std::optional<size_t> LabelColumn(const Fields& header) {
  for (size_t i = 0; i < header.size(); ++i) {
    if (absl::EqualsIgnoreCase(header[i], "label")) return i;
  }
  return std::nullopt;
}

absl::Status BadLine(size_t line, const std::string& expected, absl::string_view found) {
  constexpr size_t kShown = 40;
  return absl::InvalidArgumentError(
      absl::StrCat("line ", line, ": expected ", expected, ", found ", found.substr(0, kShown)));
}

// Appends one line's fields to `table`.
absl::Status AddRow(const Fields& fields, size_t line, std::optional<size_t> label_column, Table& table) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i == label_column) {
      table.answers.emplace_back(fields[i]);
      continue;
    }
    float value = 0;
    if (!absl::SimpleAtof(fields[i], &value)) {
      return BadLine(line, absl::StrCat("a number in column ", i + 1), absl::StrCat("'", fields[i], "'"));
    }
    table.values.push_back(value);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Table> ParseCsv(absl::string_view bytes) {
  absl::ConsumePrefix(&bytes, "\xEF\xBB\xBF");
  Table table;
  std::optional<size_t> label_column;
  size_t line = 0;
  size_t columns = 0;
  int64_t rows = 0;
  char separator = 0;
  for (const absl::string_view text : absl::StrSplit(bytes, '\n')) {
    ++line;
    if (absl::StripAsciiWhitespace(text).empty()) continue;
    const bool first = columns == 0;
    if (first) separator = Separator(text);
    const Fields fields = Split(absl::StripSuffix(text, "\r"), separator);
    if (first) {
      columns = fields.size();
      if (IsHeader(fields)) {
        label_column = LabelColumn(fields);
        continue;
      }
    }
    if (fields.size() != columns) {
      return BadLine(line, absl::StrCat(columns, " columns as in the first line"), absl::StrCat(fields.size()));
    }
    HALFWAVE_RETURN_IF_ERROR(AddRow(fields, line, label_column, table));
    ++rows;
  }
  if (rows == 0) return absl::InvalidArgumentError("expected rows of numbers, found none");
  table.shape = {rows, static_cast<int64_t>(columns - (label_column ? 1 : 0))};
  return table;
}

}  // namespace halfwave
