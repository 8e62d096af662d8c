#include "model/tools/bench_output.h"
#include "nlohmann/json.hpp"

namespace halfwave::tools {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const BenchmarkLayer& layer, const Model& model) {
  Json nodes = Json::array();
  for (const size_t node : layer.nodes) {
    nodes.push_back({{"name", model.layers()[node].name}, {"operator", model.layers()[node].op}});
  }
  return {{"nodes", nodes},
          {"algorithms", layer.algorithms},
          {"multiply_adds", layer.multiply_adds},
          {"file_weight_bytes", layer.file_weight_bytes},
          {"weight_bytes", layer.weight_bytes},
          {"buffer_bytes_per_row", layer.buffer_bytes}};
}

Json ToJson(const BenchmarkBatch& batch, const std::vector<BenchmarkLayer>& layers, double multiply_adds) {
  const auto rows = static_cast<double>(batch.rows);
  Json times = Json::array();
  for (size_t i = 0; i < layers.size(); ++i) {
    times.push_back({{"seconds", batch.layer_seconds[i]},
                     {"gflops", Gflops(layers[i].multiply_adds * rows, batch.layer_seconds[i])}});
  }
  return {{"rows", batch.rows},
          {"calls", batch.calls},
          {"median_seconds", batch.median_seconds},
          {"p10_seconds", batch.p10_seconds},
          {"p90_seconds", batch.p90_seconds},
          {"rows_per_second", rows / batch.median_seconds},
          {"gflops", Gflops(multiply_adds * rows, batch.median_seconds)},
          {"session_bytes", batch.session_bytes},
          {"copy_seconds", batch.copy_seconds},
          {"layers", times}};
}

}  // namespace

void PrintBenchJson(const BenchHeading& heading, const Benchmark& benchmark, std::ostream& out) {
  Json layers = Json::array();
  double multiply_adds = 0;
  int64_t file_weight_bytes = 0, weight_bytes = 0;
  for (const BenchmarkLayer& layer : benchmark.layers) {
    layers.push_back(ToJson(layer, *benchmark.model));
    multiply_adds += layer.multiply_adds;
    file_weight_bytes += layer.file_weight_bytes;
    weight_bytes += layer.weight_bytes;
  }
  Json batches = Json::array();
  for (const BenchmarkBatch& batch : benchmark.batches) {
    batches.push_back(ToJson(batch, benchmark.layers, multiply_adds));
  }
  const Json json = {{"file", heading.file},
                     {"bytes", benchmark.file_bytes},
                     {"instruction_set", heading.instruction_set},
                     {"load_seconds", benchmark.load_seconds},
                     {"self_test_rows", benchmark.self_test_rows},
                     {"totals",
                      {{"multiply_adds", multiply_adds},
                       {"file_weight_bytes", file_weight_bytes},
                       {"weight_bytes", weight_bytes},
                       {"workspace_bytes_per_row", benchmark.workspace_bytes},
                       {"unshared_bytes_per_row", benchmark.unshared_bytes}}},
                     {"layers", layers},
                     {"batches", batches}};
  out << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

}  // namespace halfwave::tools
