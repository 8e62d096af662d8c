#include "absl/strings/str_cat.h"
#include "model/base/status_macros.h"
#include "model/data/files.h"
#include "model/data/table.h"

namespace halfwave {
namespace {

absl::StatusOr<Table> Parse(const std::string& path) {
  HALFWAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  HALFWAVE_ASSIGN_OR_RETURN(const FileKind kind, RecogniseFile(bytes));
  switch (kind) {
    case FileKind::kNpy:
      return ParseNpy(bytes);
    case FileKind::kIdx:
      return ParseIdx(bytes);
    case FileKind::kCsv:
      return ParseCsv(bytes);
    case FileKind::kPng:
    case FileKind::kPnm:
      break;
  }
  return absl::InvalidArgumentError("expected rows of numbers (CSV, .npy or IDX), found a picture");
}

}  // namespace

absl::StatusOr<Table> ReadTable(const std::string& path) {
  absl::StatusOr<Table> table = Parse(path);
  if (!table.ok()) return absl::Status(table.status().code(), absl::StrCat(path, ": ", table.status().message()));
  return table;
}

}  // namespace halfwave
