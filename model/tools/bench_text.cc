#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "model/tools/bench_output.h"
#include "model/tools/text.h"

namespace halfwave::tools {
namespace {

std::string Microseconds(double seconds) {
  const double us = seconds * 1e6;
  return us < 10'000 ? absl::StrFormat("%.2f", us) : Thousands(us);
}

std::string BytesOrDash(int64_t bytes) { return bytes == 0 ? "-" : Bytes(static_cast<double>(bytes)); }

std::string Ratio(int64_t kept, int64_t in_file) {
  return in_file == 0 ? "-" : absl::StrFormat("%.2f", static_cast<double>(kept) / static_cast<double>(in_file));
}

std::string GflopsOrDash(double multiply_adds, double seconds) {
  return multiply_adds == 0 ? "-" : absl::StrFormat("%.1f", Gflops(multiply_adds, seconds));
}

std::string NameOf(const BenchmarkLayer& layer, const Model& model) {
  return layer.nodes.empty() ? "(outputs)" : ShortName(model.layers()[layer.nodes.front()].name);
}

std::string OperatorsOf(const BenchmarkLayer& layer, const Model& model) {
  return absl::StrJoin(layer.nodes, ", ", [&](std::string* out, size_t node) {
    absl::StrAppend(out, OperatorText(model.layers()[node]));
  });
}

struct Totals {
  double multiply_adds = 0;
  int64_t file_weight_bytes = 0, weight_bytes = 0;
};

Totals TotalsOf(const Benchmark& benchmark) {
  Totals totals;
  for (const BenchmarkLayer& layer : benchmark.layers) {
    totals.multiply_adds += layer.multiply_adds;
    totals.file_weight_bytes += layer.file_weight_bytes;
    totals.weight_bytes += layer.weight_bytes;
  }
  return totals;
}

void PrintHeading(const BenchHeading& heading, const Benchmark& benchmark, std::ostream& out) {
  TextTable table;
  table.Add({"file", absl::StrCat(Printable(heading.file), ", ", Bytes(static_cast<double>(benchmark.file_bytes)))});
  table.Add({"instruction set", heading.instruction_set});
  table.Add({"load", absl::StrFormat("%.1f ms", 1e3 * benchmark.load_seconds)});
  const auto rows = static_cast<size_t>(benchmark.self_test_rows);
  table.Add({"fed with", rows > 0 ? absl::StrCat("the self-test, ", Plural(rows, "row")) : "noise, half of it zeros"});
  table.Add({"buffers", absl::StrCat(Bytes(static_cast<double>(benchmark.workspace_bytes)), " for each row; ",
                                     Bytes(static_cast<double>(benchmark.unshared_bytes)), " if none shared memory")});
  table.Print(out);
}

void PrintBatches(const Benchmark& benchmark, std::ostream& out) {
  TextTable table({0, 1, 2, 3, 4, 5, 6, 7});
  table.Add({"batch", "us per call", "p10", "p90", "us per row", "rows/s", "GFLOP/s", "memory"});
  const double multiply_adds = TotalsOf(benchmark).multiply_adds;
  for (const BenchmarkBatch& batch : benchmark.batches) {
    const auto rows = static_cast<double>(batch.rows);
    table.Add({Thousands(rows), Microseconds(batch.median_seconds), Microseconds(batch.p10_seconds),
               Microseconds(batch.p90_seconds), Microseconds(batch.median_seconds / rows),
               Thousands(rows / batch.median_seconds), GflopsOrDash(multiply_adds * rows, batch.median_seconds),
               Bytes(static_cast<double>(batch.session_bytes))});
  }
  table.Print(out);
}

void PrintMemory(const Benchmark& benchmark, std::ostream& out) {
  TextTable table({3, 4, 5, 6, 7});
  table.Add({"layer", "operators", "algorithm", "multiply-adds", "weights", "kept", "ratio", "buffers"});
  for (const BenchmarkLayer& layer : benchmark.layers) {
    table.Add({NameOf(layer, *benchmark.model), OperatorsOf(layer, *benchmark.model),
               layer.algorithms.empty() ? "-" : absl::StrJoin(layer.algorithms, ", "),
               layer.multiply_adds == 0 ? "-" : Thousands(layer.multiply_adds), BytesOrDash(layer.file_weight_bytes),
               BytesOrDash(layer.weight_bytes), Ratio(layer.weight_bytes, layer.file_weight_bytes),
               BytesOrDash(layer.buffer_bytes)});
  }
  const Totals all = TotalsOf(benchmark);
  table.Add({"all", "", "", Thousands(all.multiply_adds), BytesOrDash(all.file_weight_bytes),
             BytesOrDash(all.weight_bytes), Ratio(all.weight_bytes, all.file_weight_bytes),
             BytesOrDash(benchmark.workspace_bytes)});
  table.Print(out);
}

void PrintTimes(const Benchmark& benchmark, const BenchmarkBatch& batch, std::ostream& out) {
  double all = batch.copy_seconds;
  for (const double seconds : batch.layer_seconds) all += seconds;
  TextTable table({1, 2, 3});
  const auto add = [&](const std::string& name, double seconds, double multiply_adds) {
    table.Add({name, Microseconds(seconds), absl::StrFormat("%.1f %%", all > 0 ? 100 * seconds / all : 0),
               GflopsOrDash(multiply_adds * static_cast<double>(batch.rows), seconds)});
  };
  table.Add({absl::StrCat("batch ", batch.rows), "us", "share", "GFLOP/s"});
  add("(rows in)", batch.copy_seconds, 0);
  for (size_t i = 0; i < benchmark.layers.size(); ++i) {
    add(NameOf(benchmark.layers[i], *benchmark.model), batch.layer_seconds[i], benchmark.layers[i].multiply_adds);
  }
  add("all", all, TotalsOf(benchmark).multiply_adds);
  table.Print(out);
}

}  // namespace

void PrintBenchText(const BenchHeading& heading, const Benchmark& benchmark, std::ostream& out) {
  PrintHeading(heading, benchmark, out);
  out << "\n";
  PrintBatches(benchmark, out);
  out << "\n";
  PrintMemory(benchmark, out);
  for (const BenchmarkBatch& batch : benchmark.batches) {
    out << "\n";
    PrintTimes(benchmark, batch, out);
  }
}

}  // namespace halfwave::tools
