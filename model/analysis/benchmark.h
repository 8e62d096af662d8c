// How long a model takes on this machine and what memory it wants, as a whole and layer by layer.
//
//   HALFWAVE_ASSIGN_OR_RETURN(const Benchmark benchmark, RunBenchmark("digits.onnx", {.batches = {1, 64}}));
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "model/engine/model.h"
#include "model/onnx/reader.h"

namespace halfwave {

struct BenchmarkOptions {
  std::vector<int64_t> batches = {1, 8, 64};
  double seconds = 1;  // for each batch; a slow model takes more, as a few calls are always made
  // If there is one: told now and then how much of the work is done, 0 to 1.
  std::function<void(double done)> progress = nullptr;
  ReaderOptions reader = {};
  ModelOptions model = {};
};

// A node of the network, what was fused into it and what prepares its input.
struct BenchmarkLayer {
  std::vector<size_t> nodes;            // indices into Model::layers(); none where an output is put into its layout
  std::vector<std::string> algorithms;  // see Layer::Algorithm
  double multiply_adds = 0;             // of one row
  int64_t file_weight_bytes = 0;        // of its parameters, as fp32
  int64_t weight_bytes = 0;             // as they are kept; see Layer::WeightBytes
  int64_t buffer_bytes = 0;             // for what it computes of one row, were it not shared
};

struct BenchmarkBatch {
  int64_t rows = 0;
  int64_t calls = 0;
  // Per call, the copying of its rows into the session included.
  double median_seconds = 0, p10_seconds = 0, p90_seconds = 0;
  // Medians of other calls, in which each step was timed: of the copying, and of each layer.
  double copy_seconds = 0;
  std::vector<double> layer_seconds;
  int64_t session_bytes = 0;
};

struct Benchmark {
  std::shared_ptr<const Model> model;
  int64_t file_bytes = 0;
  double load_seconds = 0;      // from opening the file until a session is ready
  int64_t self_test_rows = 0;   // that were fed to it; 0: noise, half of it zeros
  int64_t workspace_bytes = 0;  // for each row
  int64_t unshared_bytes = 0;   // what it would be if no two values shared memory
  std::vector<BenchmarkLayer> layers;
  std::vector<BenchmarkBatch> batches;
};

// Blocks for as long as the options say. The errors of ReadOnnxFile and Model::Create; RESOURCE_EXHAUSTED if a batch
// wants more memory than anyone has.
absl::StatusOr<Benchmark> RunBenchmark(const std::filesystem::path& path, const BenchmarkOptions& options);

}  // namespace halfwave
