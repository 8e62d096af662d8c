// The models that are served, by name and version.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/model.h"
#include "model/onnx/reader.h"
#include "server/metrics/metrics.h"
#include "server/repository/model_version.h"

namespace halfwave {

struct RepositoryOptions {
  std::string path;  // a model file, a folder of them, or empty for the built-in model
  ReaderOptions reader;
  ModelOptions model;
  ModelVersionOptions version;
  bool prune_proven = false;  // run models without the units that are proven zero over their declared domain
};

// Filled once, before it is shared; thread-safe from then on.
class Repository {
 public:
  // Loads what the options name: a file under its stem, every *.onnx of a folder, or the built-in model. Logs each
  // model that is loaded or fails. With several files one that fails is kept as not ready and the others serve; the
  // status is an error when none loads.
  static absl::StatusOr<std::unique_ptr<Repository>> Load(const RepositoryOptions& options, Metrics& metrics);

  // The model, in the named version or, with an empty one, the newest. NOT_FOUND, listing what is served, for an
  // unknown name or version; UNAVAILABLE, saying why, for a model that failed to load.
  absl::StatusOr<std::shared_ptr<ModelVersion>> Find(std::string_view name, std::string_view version) const;

  // Names of all models, those that failed to load included.
  std::vector<std::string> names() const;

  // Answers everything accepted, what still waits at the deadline with UNAVAILABLE, and refuses what comes.
  void Drain(absl::Time deadline);

 private:
  absl::Status LoadOne(const std::string& name, const std::filesystem::path& path, const RepositoryOptions& options,
                       Metrics& metrics);

  std::map<std::string, absl::StatusOr<std::shared_ptr<ModelVersion>>, std::less<>> models_;
};

}  // namespace halfwave
