#include "tests/bench/compare/entries.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include "model/onnx/reader.h"
#include "tests/bench/compare/networks.h"
#include "tests/support/paths.h"

namespace halfwave::compare {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPoolRows = 256;

std::vector<float> ReadFloats(const fs::path& path) {
  std::vector<float> values(fs::file_size(path) / sizeof(float));
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(float));
  return values;
}

void AddFilesBeside(std::vector<Entry>& entries) {
  std::vector<fs::path> files;
  for (const fs::path& folder : {ProjectRoot() / "model" / "zoo", SharedDir() / "corpus" / "models"}) {
    if (!fs::exists(folder)) continue;
    for (const auto& file : fs::recursive_directory_iterator(folder)) {
      if (file.path().extension() == ".onnx") files.push_back(file.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) {
    const std::string stem = file.stem();
    entries.push_back({stem == "model" ? file.parent_path().filename().string() : stem, file, "", {}, false});
  }
}

}  // namespace

std::vector<Entry> ListEntries(const std::string& trained, const std::vector<std::string>& models, bool scored_only) {
  std::vector<Entry> entries;
  for (Network& network : MakeNetworks()) entries.push_back({network.name, "", std::move(network.bytes), {}, true});
  const fs::path folder = trained;
  for (const char* name : {"fashion_512", "fashion_2048"}) {
    const fs::path path = folder / (std::string(name) + ".onnx");
    if (fs::exists(path) && fs::exists(folder / "fashion_rows.f32")) {
      entries.push_back({name, path, "", ReadFloats(folder / "fashion_rows.f32"), true});
    } else {
      std::printf("SKIPPED: %s is not there; the scored set is not complete\n", path.c_str());
    }
  }
  if (!scored_only) AddFilesBeside(entries);
  if (!models.empty()) {
    std::erase_if(entries, [&](const Entry& entry) {
      return std::find(models.begin(), models.end(), entry.name) == models.end();
    });
  }
  return entries;
}

absl::StatusOr<std::shared_ptr<const Model>> Load(const Entry& entry) {
  auto file = entry.path.empty() ? ParseOnnx(entry.bytes) : ReadOnnxFile(entry.path);
  if (!file.ok()) return file.status();
  return Model::Create(std::move(file->graph), {});
}

std::vector<float> RowsFor(const Entry& entry, const Model& model) {
  return entry.rows.empty() ? HalfZeros(kPoolRows * RowElements(model.inputs()[0].shape)) : entry.rows;
}

}  // namespace halfwave::compare
