// Tables of numbers, and the readers of the files they come in. Every byte of a file is untrusted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace halfwave {

struct Table {
  std::vector<int64_t> shape;        // as the file has it; of a CSV rows x columns, without the column `label`
  std::vector<float> values;         // row-major
  std::vector<std::string> answers;  // the column `label`, one per row; empty if there is none
};

// Numbers separated by commas, semicolons or tabs, one row a line. A first line that holds anything but numbers is a
// header; a column that it calls `label` holds the expected answers. INVALID_ARGUMENT names the line.
absl::StatusOr<Table> ParseCsv(absl::string_view bytes);

// NumPy's format, versions 1 to 3: little-endian, C order, bool, integers of 8 to 64 bits, float32 and float64.
absl::StatusOr<Table> ParseNpy(absl::string_view bytes);

// The IDX format that MNIST came in: big-endian integers of 8 to 32 bits, float32 and float64.
absl::StatusOr<Table> ParseIdx(absl::string_view bytes);

// A file of any of these formats. INVALID_ARGUMENT names the file and why not.
absl::StatusOr<Table> ReadTable(const std::string& path);

}  // namespace halfwave
