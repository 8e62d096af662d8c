// Halfwave against ONNX Runtime in one process; README.md tells how to read what it prints.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>

#include "CLI/CLI.hpp"
#include "nlohmann/json.hpp"
#include "tests/bench/compare/counting.h"
#include "tests/bench/compare/entries.h"
#include "tests/bench/compare/load.h"
#include "tests/bench/compare/measure.h"

namespace halfwave::compare {
namespace {

constexpr int64_t kMaxBatch = 128;

struct Options {
  std::string onnxruntime;
  std::string trained;  // folder
  std::string json;
  std::vector<std::string> models;
  std::vector<int64_t> batches;
  int threads = 1;
  bool quick = false;
  bool scored_only = false;
  bool counting = false;
  bool load = false;
};

void Print(const Cell& cell) {
  std::printf("%-28s %5ld %11.1f %11.1f %7.2f [%5.2f, %5.2f] %6.2f [%4.2f, %4.2f] %7.2f %6.2f%s\n", cell.model.c_str(),
              cell.batch, cell.ort_us, cell.ours_us, cell.ratio.median, cell.ratio.low, cell.ratio.high,
              cell.scatter.median, cell.scatter.low, cell.scatter.high, cell.of_peak / cell.threads, cell.difference,
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
  const std::vector<float> rows = RowsFor(entry, **model);
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
                             {"high", cell.ratio.high},
                             {"of_peak", cell.of_peak / cell.threads}});
  }
  std::ofstream(path) << json.dump(2) << "\n";
}

void Compare(const Options& options) {
  const Peer runtime(options.onnxruntime);
  Effort effort = options.quick ? Effort{0.5, 9, 100} : Effort{2, 25, 400};
  if (options.threads > 1) effort.pause_seconds = 0.05;
  std::printf(
      "ONNX Runtime %s, threads: %d. Times in us, medians; ratio: ORT's time / ours, 95 %% interval of its "
      "median;\nORT/ORT: the same against itself; of peak: our multiply-adds as the file has them, of those the "
      "multipliers can do;\ndiff: largest difference of outputs, 1 is the tolerance.\n\n",
      runtime.version().c_str(), options.threads);
  std::printf("%-28s %5s %11s %11s %7s %14s %6s %12s %7s %6s\n", "model", "batch", "ORT", "ours", "ratio", "",
              "ORT/ORT", "", "of peak", "diff");
  std::vector<Cell> all, scored;
  for (const Entry& entry : ListEntries(options.trained, options.models, options.scored_only)) {
    const std::vector<Cell> cells = MeasureModel(runtime, entry, options, effort);
    all.insert(all.end(), cells.begin(), cells.end());
    if (entry.scored && options.threads == 1) scored.insert(scored.end(), cells.begin(), cells.end());
  }
  const Score score = ScoreOf(scored);
  if (!scored.empty()) std::printf("\nscored set: geometric mean %.3f, minimum %.3f\n", score.geomean, score.min);
  if (!options.json.empty()) WriteJson(options.json, score, all);
}

void Run(const Options& options) {
  if (options.counting) {
    CompareCounting(ListEntries(options.trained, options.models, /*scored_only=*/true), options.batches, options.quick);
  } else if (options.load) {
    CompareLoading(Peer(options.onnxruntime), ListEntries(options.trained, options.models, /*scored_only=*/true));
  } else {
    Compare(options);
  }
}

}  // namespace
}  // namespace halfwave::compare

int main(int argc, char** argv) {
  halfwave::compare::Options options;
  CLI::App app("Halfwave against ONNX Runtime, interleaved in one process");
  app.add_option("--onnxruntime", options.onnxruntime, "libonnxruntime.so")->required();
  app.add_option("--trained", options.trained, "Folder that train_fashion.py filled");
  CLI::Option* json = app.add_option("--json", options.json, "Write the cells to this file");
  app.add_option("--models", options.models, "Only these, by name")->delimiter(',');
  app.add_option("--batches", options.batches, "Only these")->delimiter(',');
  app.add_option("--threads", options.threads, "Of each engine, for one call");
  app.add_flag("--quick", options.quick, "Fewer pairs, batches 1, 8 and 64, the scored set only");
  app.add_flag("--scored", options.scored_only, "The scored set only");
  CLI::Option* counting =
      app.add_flag("--counting", options.counting, "Halfwave with and without counting its units' activity");
  app.add_flag("--load", options.load, "From file to ready session instead")->excludes(counting)->excludes(json);
  counting->excludes(json);
  CLI11_PARSE(app, argc, argv);
  if (options.quick && options.models.empty()) options.scored_only = true;
  if (options.batches.empty()) {
    options.batches =
        options.quick ? std::vector<int64_t>{1, 8, 64} : std::vector<int64_t>{1, 2, 4, 8, 16, 32, 64, 128};
  }
  halfwave::compare::Run(options);
  return 0;
}
