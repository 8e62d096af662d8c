// What a network's units do on reference data: what a server compares live traffic with.
//
//   HALFWAVE_ASSIGN_OR_RETURN(const Profile profile, RecordProfile("digits.onnx", "digits.csv", {}));
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/activity/answers.h"
#include "model/activity/reference.h"
#include "model/analysis/rows.h"
#include "model/engine/model.h"
#include "model/onnx/reader.h"

namespace halfwave {

// Of the rows that were drawn, the share below each quantile that is kept.
inline constexpr std::array<double, 7> kQuantileLevels = {0, 0.05, 0.25, 0.5, 0.75, 0.95, 1};

// One activation layer; a number for each unit. Values are pre-activations: of a feature map, `least`, `most` and
// `mean` speak of all its positions, the quantiles of each row's largest, which decides whether the map is active.
struct LayerProfile {
  ActivationLayer layer;
  std::vector<uint64_t> active;  // rows
  std::vector<float> least, most;
  std::vector<double> mean;
  std::vector<std::array<float, kQuantileLevels.size()>> quantiles;  // over kQuantileRows rows, evenly spaced
};

struct Profile {
  static constexpr int64_t kQuantileRows = 512;  // or all, if there are fewer

  std::string sha256;  // of the model's file
  int64_t rows = 0;
  std::vector<LayerProfile> layers;            // in the order of the model's activations
  std::vector<float> input_least, input_most;  // of each element of a row
  AnswerCounts answers;
  Reference reference() const;
};

struct ProfileOptions {
  float scale = 1;  // every number of the data is multiplied by it
  // If there is one: told now and then how much of the work is done, 0 to 1.
  std::function<void(double done)> progress = nullptr;
  ReaderOptions reader = {};
  ModelOptions model = {};
};

// Runs the rows of `data` through the model of `file`. The errors of ReadOnnxFile, Model::Create, ReadTable and
// RowsFor.
absl::StatusOr<Profile> RecordProfile(const std::filesystem::path& file, const std::string& data,
                                      const ProfileOptions& options);

// Rows that were just run.
struct BatchOfRows {
  int64_t first, count;
  std::span<const float> scores;  // [count, classes], of Model::scores_output()
  const BatchActivity& activity;

  double Done(int64_t rows) const { return static_cast<double>(first + count) / static_cast<double>(rows); }
};

struct RecordedRows {
  Profile profile;                            // without sha256
  std::vector<std::vector<float>> responses;  // per layer [units, rows drawn]: the row's largest pre-activation
};

// The same of rows in memory that were made for `model`, which keeps its pre-activations. `after_batch` may be null.
RecordedRows RecordRows(const std::shared_ptr<const Model>& model, const Rows& rows,
                        const std::function<void(const BatchOfRows&)>& after_batch);

// "rectifier", "leaky" or "saturating": as documents say it.
const char* FamilyName(ActivationFamily family);

// The profile as a JSON document, and back. Every byte of one is untrusted: INVALID_ARGUMENT says what is wrong.
std::string ProfileToJson(const Profile& profile);
absl::StatusOr<Profile> ProfileFromJson(const std::string& text);

// FAILED_PRECONDITION, naming both, if it was recorded of another file, or its layers are not the file's: `layers`, all
// units included.
absl::Status CheckProfileFits(const Profile& profile, const Model& model, const std::vector<ActivationLayer>& layers,
                              const std::string& sha256);

}  // namespace halfwave
