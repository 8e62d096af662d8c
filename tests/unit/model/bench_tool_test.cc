// What `halfwave-model bench` prints: everything but the times, which are only asked to be there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "model/tools/bench.h"
#include "nlohmann/json.hpp"
#include "tests/unit/model/tool_output.h"

namespace halfwave::tools {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

Printed RunOn(BenchCommand command) {
  command.options.seconds = 0.01;
  return PrintedBy(RunBench, command);
}

// Every number as #, with its unit, and columns one space apart: what is the same on every machine.
std::string WithoutNumbers(const std::string& text) {
  const std::string numbers = std::regex_replace(text, std::regex("[ ][0-9][0-9,.]*( bytes| [KM]iB)?"), " #");
  return std::regex_replace(std::regex_replace(numbers, std::regex(" +"), " "), std::regex("(instruction set).*"),
                            "$1");
}

TEST(BenchText, OfTheBuiltInModelIsButForTheNumbersAsTheGoldenFileHasIt) {
  const Printed printed = RunOn({.file = Zoo("digits_cnn.onnx")});
  EXPECT_EQ(printed.code, kOk);
  EXPECT_EQ(printed.err, "");
  EXPECT_EQ(WithoutNumbers(WithoutRoot(printed.out)),
            WithoutNumbers(ReadText(ProjectRoot() / "tests/golden/bench_digits_cnn.txt")))
      << "if this is meant: halfwave-model bench model/zoo/digits_cnn.onnx > tests/golden/bench_digits_cnn.txt";
}

TEST(BenchJson, HasEachNodeThatComputesOnceAndAddsUp) {
  for (const char* name : {"digits_cnn.onnx", "digits_mlp.onnx", "fashion_cnn.onnx"}) {
    SCOPED_TRACE(name);
    BenchCommand command{.file = Zoo(name), .json = true};
    command.options.batches = {1, 5};
    const auto json = nlohmann::json::parse(RunOn(command).out);
    EXPECT_GT(json["load_seconds"], 0);

    const auto file = ReadOnnxFile(Zoo(name));
    ASSERT_TRUE(file.ok());
    const auto model = Model::Create(file->graph, {});
    ASSERT_TRUE(model.ok());
    std::vector<std::string> expected, nodes;
    int64_t parameters = 0;
    double multiply_adds = 0;
    for (const LayerSummary& layer : (*model)->layers()) {
      expected.push_back(layer.name);
      parameters += layer.parameters;
      multiply_adds += layer.multiply_adds;
    }
    int64_t kept = 0, buffers = 0;
    for (const auto& layer : json["layers"]) {
      for (const auto& node : layer["nodes"]) nodes.push_back(node["name"]);
      kept += layer["weight_bytes"].get<int64_t>();
      buffers += layer["buffer_bytes_per_row"].get<int64_t>();
      EXPECT_GE(layer["weight_bytes"], layer["file_weight_bytes"]);
    }
    EXPECT_THAT(nodes, testing::IsSubsetOf(expected));
    EXPECT_EQ(std::set<std::string>(nodes.begin(), nodes.end()).size(), nodes.size());
    EXPECT_EQ(json["totals"]["file_weight_bytes"], parameters * 4);
    EXPECT_EQ(json["totals"]["weight_bytes"], kept);
    EXPECT_EQ(json["totals"]["multiply_adds"], multiply_adds);
    EXPECT_GT(json["totals"]["unshared_bytes_per_row"], buffers) << "the input needs memory as well";
    EXPECT_LE(json["totals"]["workspace_bytes_per_row"], json["totals"]["unshared_bytes_per_row"].get<int64_t>() + 64);

    ASSERT_EQ(json["batches"].size(), 2);
    EXPECT_EQ(json["batches"][0]["rows"], 1);
    EXPECT_EQ(json["batches"][1]["rows"], 5);
    for (const auto& batch : json["batches"]) {
      EXPECT_GT(batch["calls"], 0);
      EXPECT_GT(batch["p10_seconds"], 0);
      EXPECT_LE(batch["p10_seconds"], batch["median_seconds"]);
      EXPECT_LE(batch["median_seconds"], batch["p90_seconds"]);
      ASSERT_EQ(batch["layers"].size(), json["layers"].size());
      EXPECT_GT(batch["gflops"], 0);
    }
  }
}

TEST(Bench, OfAFileThatCannotBeServedIsOnlyTheReason) {
  const Printed printed = RunOn({.file = "/no/such/model.onnx"});
  EXPECT_EQ(printed.code, kUsage);
  EXPECT_EQ(printed.out, "");
  EXPECT_THAT(printed.err, AllOf(StartsWith("halfwave-model: "), HasSubstr("/no/such/model.onnx")));
}

TEST(Bench, OfABatchBeyondAllMemorySaysWhatItWants) {
  BenchCommand command{.file = Zoo("fashion_cnn.onnx")};
  command.options.batches = {1, int64_t{1} << 50};
  const Printed printed = RunOn(command);
  EXPECT_EQ(printed.code, kUsage);
  EXPECT_EQ(printed.out, "");
  EXPECT_THAT(printed.err, HasSubstr("a batch of 1125899906842624 rows wants"));
}

TEST(Bench, ShowsOnATerminalHowFarItIsAndLeavesNothingOfItThere) {
  BenchCommand command{.file = Zoo("digits_mlp.onnx"), .progress = true};
  std::ostringstream out;
  std::ostringstream err;
  command.options.seconds = 0.01;
  command.options.batches = {1, 2};
  EXPECT_EQ(RunBench(command, {out, err}), kOk);
  EXPECT_THAT(err.str(), HasSubstr("measuring, 50 %")) << "where the second batch begins";
  EXPECT_THAT(err.str(), EndsWith("\r\033[K"));
}

}  // namespace
}  // namespace halfwave::tools
