// Units that give the same number on every row, because nothing of the input reaches them.
#pragma once

#include "absl/status/statusor.h"
#include "model/analysis/prune.h"
#include "model/engine/model.h"

namespace halfwave {

// By rectifier: its units whose dense or convolution weights are all zero, or are multiplied by zero before the
// rectifier, with what the rectifier gives, as the engine computes it. `graph` is as the reader gave it. The errors of
// FindConstants and Model::Create.
absl::StatusOr<ValuesOfUnits> ConstantUnits(const Graph& graph, const ModelOptions& options);

}  // namespace halfwave
