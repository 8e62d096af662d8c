#include "model/analysis/rows.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace halfwave {

absl::StatusOr<Rows> RowsFor(const Model& model, Table table, float scale) {
  if (model.inputs().size() != 1) {
    return absl::UnimplementedError(
        absl::StrCat("the model has ", model.inputs().size(), " inputs; a file of rows can feed one"));
  }
  const GraphValue& input = model.inputs()[0];
  const int64_t wanted = RowElements(input.shape);
  Rows rows;
  // A vector is a single row, or rows of one number.
  rows.count = table.shape.size() > 1 || wanted == 1 ? table.shape[0] : 1;
  const int64_t found = static_cast<int64_t>(table.values.size()) / rows.count;
  if (found != wanted) {
    return absl::InvalidArgumentError(absl::StrCat("expected rows of ", wanted, " numbers, for input '", input.name,
                                                   "' of shape ", ShapeToString(input.shape), ", found rows of ", found,
                                                   " (the data are of shape ", ShapeToString(table.shape), ")"));
  }
  rows.values = std::move(table.values);
  rows.answers = std::move(table.answers);
  for (size_t i = 0; i < rows.values.size(); ++i) {
    rows.values[i] *= scale;
    if (std::isfinite(rows.values[i])) continue;
    return absl::InvalidArgumentError(absl::StrCat("row ", static_cast<int64_t>(i) / wanted, ", column ",
                                                   static_cast<int64_t>(i) % wanted,
                                                   ": expected a finite number, found ", rows.values[i]));
  }
  return rows;
}

}  // namespace halfwave
