// Halfwave against ONNX Runtime in one process; README.md tells how to read what it prints.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "CLI/CLI.hpp"
#include "model/onnx/reader.h"
#include "nlohmann/json.hpp"
#include "tests/bench/compare/measure.h"
#include "tests/bench/compare/networks.h"
#include "tests/support/paths.h"

namespace halfwave::compare {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxBatch = 128;
constexpr int64_t kPoolRows = 256;

struct Options {
  std::string onnxruntime;
  std::string trained;  // folder
  std::string json;
  std::vector<std::string> models;
  std::vector<int64_t> batches;
  int threads = 1;
  bool quick = false;
  bool scored_only = false;
};

struct Entry {
  std::string name;
  std::string path;         // of a file, or
  std::string bytes;        // what one would hold
  std::vector<float> rows;  // what it is fed; empty: noise, half zeros
  bool scored = true;
};

std::vector<float> ReadFloats(const fs::path& path) {
  std::vector<float> values(fs::file_size(path) / sizeof(float));
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(values.data()), values.size() * sizeof(float));
  return values;
}

std::vector<Entry> ListEntries(const Options& options) {
  std::vector<Entry> entries;
  for (Network& network : MakeNetworks()) entries.push_back({network.name, "", std::move(network.bytes), {}, true});
  const fs::path trained = options.trained;
  for (const char* name : {"fashion_512", "fashion_2048"}) {
    const fs::path path = trained / (std::string(name) + ".onnx");
    if (fs::exists(path) && fs::exists(trained / "fashion_rows.f32")) {
      entries.push_back({name, path, "", ReadFloats(trained / "fashion_rows.f32"), true});
    } else {
      std::printf("SKIPPED: %s is not there; the scored set is not complete\n", path.c_str());
    }
  }
  if (!options.scored_only) {
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
  if (!options.models.empty()) {
    std::erase_if(entries, [&](const Entry& entry) {
      return std::find(options.models.begin(), options.models.end(), entry.name) == options.models.end();
    });
  }
  return entries;
}

absl::StatusOr<std::shared_ptr<const Model>> Load(const Entry& entry) {
  auto file = entry.path.empty() ? ParseOnnx(entry.bytes) : ReadOnnxFile(entry.path);
  if (!file.ok()) return file.status();
  return Model::Create(std::move(file->graph), {});
}

void Print(const Cell& cell) {
  std::printf("%-28s %5ld %11.1f %11.1f %7.2f [%5.2f, %5.2f] %6.2f [%4.2f, %4.2f] %6.2f%s\n", cell.model.c_str(),
              cell.batch, cell.ort_us, cell.ours_us, cell.ratio.median, cell.ratio.low, cell.ratio.high,
              cell.scatter.median, cell.scatter.low, cell.scatter.high, cell.difference,
              cell.row_by_row ? " (ORT row by row)" : "");
  std::fflush(stdout);
}

// Skips, with a word, what one of the two cannot run.
std::vector<Cell> MeasureModel(const Peer& runtime, const Entry& entry, const Options& options, const Effort& effort) {
  auto model = Load(entry);
  if (!model.ok()) {
    std::printf("%-28s not measured: %s\n", entry.name.c_str(), std::string(model.status().message()).c_str());
    return {};
  }
  PeerModel peer(runtime, entry.path, entry.bytes, options.threads);
  if (!peer.IsSupported() || (*model)->inputs().size() != 1) {
    std::printf("%-28s not measured: it has no single input of floats with an open batch\n", entry.name.c_str());
    return {};
  }
  Session session(*model, kMaxBatch, options.threads);
  const int64_t row = RowElements((*model)->inputs()[0].shape);
  const std::vector<float> rows = entry.rows.empty() ? HalfZeros(kPoolRows * row) : entry.rows;
  std::vector<Cell> cells;
  for (const int64_t batch : options.batches) {
    Cell cell = Measure(peer, session, batch, rows, effort);
    cell.model = entry.name;
    cell.threads = options.threads;
    Print(cell);
    cells.push_back(std::move(cell));
  }
  return cells;
}

struct Score {
  double geomean = 0;  // over models, of each one's mean over its batches
  double min = 0;
};

Score ScoreOf(const std::vector<Cell>& cells) {
  std::map<std::string, std::vector<double>> logs;
  Score score;
  for (const Cell& cell : cells) {
    logs[cell.model].push_back(std::log(cell.ratio.median));
    score.min = score.min == 0 ? cell.ratio.median : std::min(score.min, cell.ratio.median);
  }
  double sum = 0;
  for (const auto& [model, values] : logs) {
    double mean = 0;
    for (const double value : values) mean += value / static_cast<double>(values.size());
    sum += mean;
  }
  if (!logs.empty()) score.geomean = std::exp(sum / static_cast<double>(logs.size()));
  return score;
}

void WriteJson(const std::string& path, const Score& score, const std::vector<Cell>& cells) {
  nlohmann::json json = {{"geomean", score.geomean}, {"min", score.min}, {"cells", nlohmann::json::array()}};
  for (const Cell& cell : cells) {
    json["cells"].push_back({{"model", cell.model},
                             {"batch", cell.batch},
                             {"threads", cell.threads},
                             {"ort_us", cell.ort_us},
                             {"ours_us", cell.ours_us},
                             {"ratio", cell.ratio.median},
                             {"low", cell.ratio.low},
                             {"high", cell.ratio.high}});
  }
  std::ofstream(path) << json.dump(2) << "\n";
}

void Compare(const Options& options) {
  const Peer runtime(options.onnxruntime);
  const Effort effort = options.quick ? Effort{0.5, 9, 100} : Effort{2, 25, 400};
  std::printf(
      "ONNX Runtime %s, threads: %d. Times in us, medians; ratio: ORT's time / ours, 95 %% interval of its "
      "median;\nORT/ORT: the same against itself; diff: largest difference of outputs, 1 is the tolerance.\n\n",
      runtime.version().c_str(), options.threads);
  std::printf("%-28s %5s %11s %11s %7s %14s %6s %12s %6s\n", "model", "batch", "ORT", "ours", "ratio", "", "ORT/ORT",
              "", "diff");
  std::vector<Cell> all, scored;
  for (const Entry& entry : ListEntries(options)) {
    const std::vector<Cell> cells = MeasureModel(runtime, entry, options, effort);
    all.insert(all.end(), cells.begin(), cells.end());
    if (entry.scored && options.threads == 1) scored.insert(scored.end(), cells.begin(), cells.end());
  }
  const Score score = ScoreOf(scored);
  if (!scored.empty()) std::printf("\nscored set: geometric mean %.3f, minimum %.3f\n", score.geomean, score.min);
  if (!options.json.empty()) WriteJson(options.json, score, all);
}

}  // namespace
}  // namespace halfwave::compare

int main(int argc, char** argv) {
  halfwave::compare::Options options;
  CLI::App app("Halfwave against ONNX Runtime, interleaved in one process");
  app.add_option("--onnxruntime", options.onnxruntime, "libonnxruntime.so")->required();
  app.add_option("--trained", options.trained, "Folder that train_fashion.py filled");
  app.add_option("--json", options.json, "Write the cells to this file");
  app.add_option("--models", options.models, "Only these, by name")->delimiter(',');
  app.add_option("--batches", options.batches, "Only these")->delimiter(',');
  app.add_option("--threads", options.threads, "Of each engine, for one call");
  app.add_flag("--quick", options.quick, "Fewer pairs, batches 1, 8 and 64, the scored set only");
  app.add_flag("--scored", options.scored_only, "The scored set only");
  CLI11_PARSE(app, argc, argv);
  if (options.quick && options.models.empty()) options.scored_only = true;
  if (options.batches.empty()) {
    options.batches =
        options.quick ? std::vector<int64_t>{1, 8, 64} : std::vector<int64_t>{1, 2, 4, 8, 16, 32, 64, 128};
  }
  halfwave::compare::Compare(options);
  return 0;
}
