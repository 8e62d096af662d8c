#include "server/repository/repository.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "model/analysis/profile.h"
#include "model/analysis/prove_model.h"
#include "model/analysis/prune_proven.h"
#include "model/base/status_macros.h"
#include "model/data/files.h"
#include "model/onnx/reader.h"
#include "model/zoo/builtin_model.h"
#include "server/log/log.h"

namespace halfwave {
namespace {

constexpr const char* kOnlyVersion = "1";
constexpr int64_t kMaxSessionBytes = int64_t{8} << 30;

absl::StatusOr<std::vector<std::filesystem::path>> FindFiles(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) return std::vector{path};
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    if (entry.path().extension() == ".onnx") files.push_back(entry.path());
  }
  if (files.empty()) return absl::NotFoundError(absl::StrCat("there is no *.onnx file in ", path.string()));
  std::sort(files.begin(), files.end());
  return files;
}

// The memory of one session must be thinkable before it is asked for.
absl::Status CheckMemory(const Model& model, int64_t max_batch_rows) {
  const int64_t elements_per_row = model.plan().elements_per_row;
  if (elements_per_row <= kMaxSessionBytes / static_cast<int64_t>(sizeof(float)) / max_batch_rows) {
    return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(absl::StrCat("a batch of ", max_batch_rows, " rows would need ", elements_per_row,
                                                   " floats a row, more than ", kMaxSessionBytes >> 30,
                                                   " GiB in all; lower --max-batch-rows"));
}

// The profile beside the model's file, or in its metadata. Nothing if there is none.
absl::StatusOr<std::optional<Profile>> FindProfile(const std::filesystem::path& path, const ModelVersion& version) {
  std::filesystem::path beside = path;
  beside.replace_extension(".profile");
  const std::map<std::string, std::string>& properties = version.model().properties();
  const auto within = properties.find(kProfileProperty);
  std::error_code error;
  const bool is_file = !path.empty() && std::filesystem::exists(beside, error);
  if (!is_file && within == properties.end()) return std::nullopt;
  const auto read = [&]() -> absl::StatusOr<std::optional<Profile>> {
    HALFWAVE_ASSIGN_OR_RETURN(const std::string text,
                              is_file ? ReadFile(beside.string()) : absl::StatusOr<std::string>(within->second));
    HALFWAVE_ASSIGN_OR_RETURN(Profile profile, ProfileFromJson(text));
    HALFWAVE_RETURN_IF_ERROR(CheckProfileFits(profile, version.model(), version.activations(), version.sha256()));
    return profile;
  };
  absl::StatusOr<std::optional<Profile>> profile = read();
  if (profile.ok()) return profile;
  return absl::Status(profile.status().code(),
                      absl::StrCat(is_file ? beside.string() : kProfileProperty, ": ", profile.status().message()));
}

// A profile that cannot be used is no reason not to serve.
void CompareWithProfile(const std::filesystem::path& path, ModelVersion& version) {
  absl::StatusOr<std::optional<Profile>> profile = FindProfile(path, version);
  if (!profile.ok()) {
    LogError("profile_refused", {{"model", version.name()}, {"error", std::string(profile.status().message())}});
  } else if (profile->has_value()) {
    version.CompareWith((*profile)->reference(), std::move((*profile)->answers));
    LogInfo("profile_loaded", {{"model", version.name()}, {"rows", absl::StrCat((*profile)->rows)}});
  }
}

// The model without what is proven zero. One that cannot be pruned is no reason not to serve it whole.
ProvenModel PruneOrKeep(const std::string& name, Graph graph, const std::shared_ptr<const Model>& model,
                        const ModelOptions& options) {
  const bool has_domain = DeclaredDomain(*model).has_value();
  absl::StatusOr<ProvenModel> pruned = PruneProven(std::move(graph), model, options);
  if (!pruned.ok()) {
    LogError("model_not_pruned", {{"model", name}, {"error", std::string(pruned.status().message())}});
    return {model, UnitMap(model->activations())};
  }
  LogInfo("model_pruned",
          {{"model", name},
           {"domain", has_domain ? "declared" : "any finite numbers"},
           {"removed", absl::StrCat(pruned->removed, " of ", pruned->of, " units")},
           {"multiply_adds", absl::StrCat(pruned->multiply_adds_before, " to ", pruned->multiply_adds)}});
  return *std::move(pruned);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Repository>> Repository::Load(const RepositoryOptions& options, Metrics& metrics) {
  auto repository = std::make_unique<Repository>();
  if (options.path.empty()) {
    HALFWAVE_RETURN_IF_ERROR(repository->LoadOne(kBuiltinModelName, {}, options, metrics));
    return repository;
  }
  HALFWAVE_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> files, FindFiles(options.path));
  size_t loaded = 0;
  for (const std::filesystem::path& file : files) {
    loaded += repository->LoadOne(file.stem().string(), file, options, metrics).ok() ? 1 : 0;
  }
  if (loaded == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("no model could be loaded from ", options.path, "; why is told in the lines before this one"));
  }
  return repository;
}

absl::Status Repository::LoadOne(const std::string& name, const std::filesystem::path& path,
                                 const RepositoryOptions& options, Metrics& metrics) {
  const absl::Time start = absl::Now();
  const auto load = [&]() -> absl::StatusOr<std::shared_ptr<ModelVersion>> {
    HALFWAVE_ASSIGN_OR_RETURN(OnnxModel file,
                              path.empty() ? ParseOnnx(BuiltinModelBytes()) : ReadOnnxFile(path, options.reader));
    Graph graph = options.prune_proven ? file.graph : Graph();
    absl::StatusOr<std::shared_ptr<const Model>> model = Model::Create(std::move(file.graph), options.model);
    if (!model.ok()) {
      return absl::Status(model.status().code(), absl::StrCat(path.string(), ": ", model.status().message()));
    }
    HALFWAVE_RETURN_IF_ERROR(CheckMemory(**model, options.version.scheduler.max_batch_rows));
    std::optional<UnitMap> units;
    if (options.prune_proven) {
      ProvenModel pruned = PruneOrKeep(name, std::move(graph), *model, options.model);
      model = std::move(pruned.model);
      units = std::move(pruned.units);
    }
    return std::make_shared<ModelVersion>(name, kOnlyVersion, file.sha256.get(), *std::move(model), options.version,
                                          metrics, std::move(units));
  };
  auto loaded = load();
  absl::Status status = loaded.status();
  if (status.ok()) {
    ModelVersion& version = **loaded;
    LogInfo("model_loaded", {{"model", name},
                             {"version", version.version()},
                             {"file", path.empty() ? "(built in)" : path.string()},
                             {"sha256", version.Properties().at("halfwave.sha256").substr(0, 12)},
                             {"head", version.model().head()},
                             {"batch", version.model().batch()},
                             {"ms", absl::StrCat(absl::ToInt64Milliseconds(absl::Now() - start))}});
    CompareWithProfile(path, version);
  } else {
    LogError(
        "model_failed",
        {{"model", name}, {"code", absl::StatusCodeToString(status.code())}, {"error", std::string(status.message())}});
  }
  models_.emplace(name, std::move(loaded));
  return status;
}

absl::StatusOr<std::shared_ptr<ModelVersion>> Repository::Find(std::string_view name, std::string_view version) const {
  const auto found = models_.find(name);
  if (found == models_.end()) {
    return absl::NotFoundError(absl::StrCat("Request for unknown model: '", absl::string_view(name.data(), name.size()),
                                            "' is not found; served are: ", absl::StrJoin(names(), ", ")));
  }
  if (!found->second.ok()) {
    return absl::UnavailableError(
        absl::StrCat("model '", found->first, "' failed to load: ", found->second.status().message()));
  }
  const std::shared_ptr<ModelVersion>& model = *found->second;
  if (!version.empty() && version != model->version()) {
    return absl::NotFoundError(absl::StrCat("model '", found->first, "' has no version '",
                                            absl::string_view(version.data(), version.size()),
                                            "'; served are: ", model->version()));
  }
  return model;
}

std::vector<std::string> Repository::names() const {
  std::vector<std::string> names;
  for (const auto& [name, model] : models_) names.push_back(name);
  return names;
}

void Repository::Drain(absl::Time deadline) {
  for (auto& [name, model] : models_) {
    if (model.ok()) (*model)->Drain(deadline);
  }
}

}  // namespace halfwave
