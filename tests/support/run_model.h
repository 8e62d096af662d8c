// Loads and runs a model in a line or two of a test.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/model.h"
#include "tests/support/noise.h"  // what models are fed

namespace halfwave {

absl::StatusOr<std::shared_ptr<const Model>> LoadModel(const std::string& bytes, const ModelOptions& options = {});

// All outputs of the model for the rows of its inputs. The number of rows follows from the first input's size.
std::vector<std::vector<float>> RunModel(const std::shared_ptr<const Model>& model,
                                         const std::vector<std::vector<float>>& inputs);

}  // namespace halfwave
