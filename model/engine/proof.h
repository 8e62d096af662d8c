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

// What rounding the weights may change: of each row of an output of floats, the share of its largest |value|, or of
// 1e-4 if all are smaller.
inline constexpr double kMaxShareMoved = 0.01;

// Compares a model with the same one whose weights were rounded, on the inputs of the self-test or, without one, on 16
// rows of reproducible noise between 0 and 1. FAILED_PRECONDITION names the output that moves furthest, the row, the
// share and the limit.
absl::Status ProveRounding(const std::shared_ptr<const Model>& exact, const std::shared_ptr<const Model>& rounded);

}  // namespace halfwave
