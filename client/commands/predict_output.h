// Predictions as text for a person and as JSON for a script.
#pragma once

#include <vector>

#include "client/commands/command.h"
#include "client/commands/prediction.h"
#include "client/model_description.h"
#include "nlohmann/json.hpp"

namespace halfwave::client {

// The best `top` classes of a picture; the first rows of a table, and how many were right.
void PrintPrediction(const Prediction& prediction, const ModelDescription& model, int64_t top, const Streams& streams);

struct FileError {
  std::string file;
  std::string message;
};

// One document with everything; see README.md.
nlohmann::ordered_json ToJson(const std::vector<Prediction>& predictions, const std::vector<FileError>& errors,
                              const ModelDescription& model);

}  // namespace halfwave::client
