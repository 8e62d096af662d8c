#include "tests/bench/compare/load.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>

#include "model/engine/model.h"
#include "model/engine/session.h"
#include "model/onnx/reader.h"
#include "tests/bench/compare/pairs.h"

namespace halfwave::compare {
namespace {

namespace fs = std::filesystem;

// A file with an entry's bytes, gone with the object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const Entry& entry)
      : path_(fs::temp_directory_path() / ("compare_" + std::to_string(getpid()) + "_" + entry.name + ".onnx")) {
    std::ofstream(path_, std::ios::binary) << entry.bytes;
  }
  ~TemporaryFile() { fs::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

[[noreturn]] void Fail(const Entry& entry, const absl::Status& status) {
  std::fprintf(stderr, "compare: %s: %s\n", entry.name.c_str(), std::string(status.message()).c_str());
  std::exit(1);
}

Pairs MeasureLoading(const Peer& runtime, Entry entry) {
  std::optional<TemporaryFile> file;
  if (entry.path.empty()) entry.path = file.emplace(entry).path();
  std::optional<PeerModel> theirs;
  std::optional<Session> ours;
  std::shared_future<std::string> hash;  // of the file: ready later, nothing that computes waits for it
  const auto load_theirs = [&] { theirs.emplace(runtime, entry.path, "", 1); };
  const auto load_ours = [&] {
    auto file = ReadOnnxFile(entry.path);
    if (!file.ok()) Fail(entry, file.status());
    auto model = Model::Create(std::move(file->graph), {});
    if (!model.ok()) Fail(entry, model.status());
    hash = file->sha256;
    ours.emplace(*std::move(model), 1);
  };
  const auto unload = [&](int) {
    theirs.reset();
    ours.reset();
    hash = {};  // waits
  };
  load_theirs();
  load_ours();
  return MeasurePairs({3, 15, 100}, unload, load_theirs, load_ours);
}

}  // namespace

void CompareLoading(const Peer& runtime, const std::vector<Entry>& entries) {
  std::printf("From file to ready session, ms: medians with 95 %% intervals; ratio: ORT's time / ours.\n\n");
  std::printf("%-20s %7s %9s %18s %9s %18s %7s %14s\n", "model", "MB", "ORT", "", "ours", "", "ratio", "");
  for (const Entry& entry : entries) {
    const Pairs pairs = MeasureLoading(runtime, entry);
    const Estimate theirs = EstimateMedian(pairs.a), ours = EstimateMedian(pairs.b), ratio = pairs.Ratio();
    const double bytes = static_cast<double>(entry.path.empty() ? entry.bytes.size() : fs::file_size(entry.path));
    std::printf("%-20s %7.1f %9.2f [%7.2f, %7.2f] %9.2f [%7.2f, %7.2f] %7.2f [%5.2f, %5.2f]\n", entry.name.c_str(),
                bytes / 1e6, theirs.median / 1e3, theirs.low / 1e3, theirs.high / 1e3, ours.median / 1e3,
                ours.low / 1e3, ours.high / 1e3, ratio.median, ratio.low, ratio.high);
    std::fflush(stdout);
  }
}

}  // namespace halfwave::compare
