// Loads and runs a model in a line or two of a test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/model.h"

namespace halfwave {

absl::StatusOr<std::shared_ptr<const Model>> LoadModel(const std::string& bytes, const ModelOptions& options = {});

// All outputs of the model for the rows of its inputs. The number of rows follows from the first input's size.
std::vector<std::vector<float>> RunModel(const std::shared_ptr<const Model>& model,
                                         const std::vector<std::vector<float>>& inputs);

// Reproducible values, evenly spread over [low, high).
std::vector<float> Noise(size_t count, uint32_t seed, float low = -1, float high = 1);

}  // namespace halfwave
