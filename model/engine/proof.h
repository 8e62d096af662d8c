// What a model has to show before it serves.
#pragma once

#include <memory>
#include <span>

#include "absl/status/status.h"
#include "model/engine/model.h"

namespace halfwave {

// Whether `actual` is what was expected of one row: |difference| <= 1e-5 * (largest |expected|) + 1e-6 everywhere.
bool WithinTolerance(std::span<const float> expected, std::span<const float> actual);

// Replays the inputs of the self-test in the model's metadata; OK if there is none. FAILED_PRECONDITION names the
// output, the row, what was expected and what came.
absl::Status ProveSelfTest(const std::shared_ptr<const Model>& model);

// Runs three distinct rows at once and each alone; FAILED_PRECONDITION if a row depends on its neighbours.
absl::Status ProveRowsAreIndependent(const std::shared_ptr<const Model>& model);

}  // namespace halfwave
