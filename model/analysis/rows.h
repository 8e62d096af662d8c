// Rows of a data file, checked against the model that is to run them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/data/table.h"
#include "model/engine/model.h"

namespace halfwave {

struct Rows {
  int64_t count = 0;
  std::vector<float> values;         // [count, elements of a row]
  std::vector<std::string> answers;  // one a row, or none
};

// The table's rows, each multiplied by `scale`. UNIMPLEMENTED for a model with several inputs; INVALID_ARGUMENT, naming
// row and column (both from 0), if a row has not the elements of the model's input, or holds a NaN or an infinity.
absl::StatusOr<Rows> RowsFor(const Model& model, Table table, float scale = 1);

}  // namespace halfwave
