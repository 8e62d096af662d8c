// What pruning removes, what it leaves alone and why, and that the answers stay.
#include "model/tools/prune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>

#include "model/analysis/prune_model.h"
#include "model/engine/session.h"
#include "model/onnx/writer.h"
#include "nlohmann/json.hpp"
#include "tests/support/onnx_builder.h"
#include "tests/support/paths.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/tool_output.h"

namespace halfwave {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Under the test's name: tests run side by side.
std::string Save(const std::string& bytes) {
  const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string path = ::testing::TempDir() + "/halfwave_" + test + ".onnx";
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

// Weights [out, in] and biases of which some units can never be above zero over inputs from 0 to 1.
std::vector<float> WithDead(std::vector<float> weights, int64_t out, const std::vector<int64_t>& dead) {
  const int64_t in = static_cast<int64_t>(weights.size()) / out;
  for (const int64_t unit : dead) {
    for (int64_t i = 0; i < in; ++i) weights[unit * in + i] = -std::abs(weights[unit * in + i]);
  }
  return weights;
}
std::vector<float> Biases(int64_t out, const std::vector<int64_t>& dead) {
  std::vector<float> biases(out, 0.1f);
  for (const int64_t unit : dead) biases[unit] = -0.5f;
  return biases;
}

PruneOptions UnitBox() {
  PruneOptions options;
  options.domain = InputDomain{{0}, {1}};
  options.seconds = 0.001;
  return options;
}

PruneReport Prune(OnnxBuilder& network, const PruneOptions& options = UnitBox()) {
  return PruneModel(Save(network.Bytes()), options).value();
}

// Conv with padding, BatchNormalization, pooling, NHWC order, a reshape with a fixed size, two dense layers.
OnnxBuilder Network() {
  OnnxBuilder network;
  network.Input("x", {-1, 1, 8, 8})
      .Weight("w1", {6, 1, 3, 3}, WithDead(Noise(54, 1), 6, {0, 4}))
      .Weight("b1", {6}, Biases(6, {0, 4}))
      .Node("Conv", {"x", "w1", "b1"}, {"c1"}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}})
      .Weight("scale", {6}, std::vector<float>(6, 1.5f))
      .Weight("shift", {6}, std::vector<float>(6, 0.0f))
      .Weight("mean", {6}, std::vector<float>(6, 0.0f))
      .Weight("var", {6}, std::vector<float>(6, 1.0f))
      .Node("BatchNormalization", {"c1", "scale", "shift", "mean", "var"}, {"n1"})
      .Node("Relu", {"n1"}, {"r1"}, {{"name", "relu1"}})
      .Node("MaxPool", {"r1"}, {"p1"},
            {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}})
      .Node("Transpose", {"p1"}, {"t1"}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}})
      .IntWeight("target", {-1, 96})
      .Node("Reshape", {"t1", "target"}, {"f1"})
      .Weight("w2", {5, 96}, WithDead(Noise(480, 2), 5, {3}))
      .Weight("b2", {5}, Biases(5, {3}))
      .Node("Gemm", {"f1", "w2", "b2"}, {"g2"}, {{"transB", int64_t{1}}})
      .Node("Relu", {"g2"}, {"r2"}, {{"name", "relu2"}})
      .Weight("w3", {5, 3}, Noise(15, 3))
      .Node("MatMul", {"r2", "w3"}, {"y"});
  network.Output("y");
  return network;
}

TEST(Prune, RemovesExactlyThePlantedUnitsAndKeepsEveryBit) {
  OnnxBuilder network = Network();
  const PruneReport report = Prune(network);
  ASSERT_EQ(report.layers.size(), 2u);
  EXPECT_EQ(report.layers[0].proven, 2);
  EXPECT_EQ(report.layers[0].removed, 2);
  EXPECT_EQ(report.layers[1].proven, 1);
  EXPECT_EQ(report.layers[1].removed, 1);
  EXPECT_EQ(report.rows_compared, 10000);
  EXPECT_TRUE(report.equal_bits) << report.largest_change;
  const Graph graph = ParseOnnx(report.bytes)->graph;
  EXPECT_EQ(graph.constants.at("w1").shape, (Shape{4, 1, 3, 3}));
  EXPECT_EQ(graph.constants.at("scale").shape, Shape{4});
  EXPECT_EQ(graph.constants.at("w2").shape, (Shape{4, 64}));
  EXPECT_EQ(graph.constants.at("w3").shape, (Shape{4, 3}));
  EXPECT_EQ(graph.constants.at("target").ints[1], 64);
  EXPECT_LT(report.after.parameters, report.before.parameters);
  EXPECT_LT(report.after.multiply_adds, report.before.multiply_adds);
}

TEST(Prune, ProvesOnlyWhatTheDomainAllows) {
  OnnxBuilder network = Network();
  PruneOptions options = UnitBox();
  for (const auto& domain : {std::optional<InputDomain>({{-10}, {1}}), std::optional<InputDomain>()}) {
    options.domain = domain;
    const PruneReport report = Prune(network, options);
    EXPECT_EQ(report.layers[0].proven, 0) << "inputs below zero wake these units";
    EXPECT_EQ(report.layers[1].proven, 1) << "it reads what is never negative, whatever comes in";
    EXPECT_TRUE(report.equal_bits);
  }
}

TEST(Prune, RefusesADomainThatIsNone) {
  OnnxBuilder network = Network();
  const std::string path = Save(network.Bytes());
  const auto message = [&](InputDomain domain) {
    PruneOptions options;
    options.domain = std::move(domain);
    return std::string(PruneModel(path, options).status().message());
  };
  EXPECT_THAT(message({{1}, {0}}), HasSubstr("from 1 to 0"));
  EXPECT_THAT(message({{0, 0}, {1, 1}}), HasSubstr("expected 1 or 64"));
  EXPECT_THAT(message({{0}, {std::numeric_limits<double>::infinity()}}), HasSubstr("finite"));
}

TEST(Prune, LeavesALayerAloneThatAnotherWouldMiss) {
  OnnxBuilder network;
  network.Input("x", {-1, 4})
      .Weight("w", {4, 4}, WithDead(Noise(16, 1), 4, {2}))
      .Weight("b", {4}, Biases(4, {2}))
      .Node("Gemm", {"x", "w", "b"}, {"g"}, {{"transB", int64_t{1}}})
      .Node("Relu", {"g"}, {"r"}, {{"name", "relu"}})
      .Node("Add", {"r", "x"}, {"sum"}, {{"name", "residual"}})
      .Weight("v", {4, 2}, Noise(8, 2))
      .Node("MatMul", {"sum", "v"}, {"y"});
  network.Output("y");
  const PruneReport report = Prune(network);
  EXPECT_EQ(report.layers[0].proven, 1);
  EXPECT_EQ(report.layers[0].removed, 0);
  EXPECT_THAT(report.layers[0].reason, HasSubstr("residual"));
  EXPECT_EQ(report.bytes, "");
}

TEST(Prune, KeepsOneUnitOfALayerThatIsDeadAltogether) {
  OnnxBuilder network;
  network.Input("x", {-1, 4})
      .Weight("w", {3, 4}, WithDead(Noise(12, 1), 3, {0, 1, 2}))
      .Weight("b", {3}, Biases(3, {0, 1, 2}))
      .Node("Gemm", {"x", "w", "b"}, {"g"}, {{"transB", int64_t{1}}})
      .Node("Relu", {"g"}, {"r"})
      .Weight("v", {3, 2}, Noise(6, 2))
      .Weight("c", {2}, {1, 2})
      .Node("Gemm", {"r", "v", "c"}, {"y"});
  network.Output("y");
  const PruneReport report = Prune(network);
  EXPECT_EQ(report.layers[0].removed, 2);
  EXPECT_THAT(report.layers[0].reason, HasSubstr("one unit"));
  EXPECT_TRUE(report.equal_bits);
}

// The same weights used twice, and only one of the layers pruned.
TEST(Prune, GivesALayerItsOwnWeightsWhereAnotherReadsThem) {
  OnnxBuilder network;
  network.Input("x", {-1, 3})
      .Weight("w", {3, 3}, {1, 0, 0, 0, -1, 0, 0, 0, 1})
      .Node("MatMul", {"x", "w"}, {"a"})
      .Node("Relu", {"a"}, {"ra"}, {{"name", "first"}})
      .Node("MatMul", {"ra", "w"}, {"y"});
  network.Output("y");
  const PruneReport report = Prune(network);
  EXPECT_EQ(report.layers[0].removed, 1);
  EXPECT_TRUE(report.equal_bits);
}

TEST(Prune, ObservedSaysSoAndKeepsTheAnswersOnTheData) {
  const std::string output = ::testing::TempDir() + "/halfwave_smaller.onnx";
  tools::PruneCommand command{.file = tools::Zoo("digits_cnn.onnx"),
                              .output = output,
                              .observed = true,
                              .data = tools::Zoo("digits_heldout.csv")};
  command.options.scale = 0.0625f;
  command.options.seconds = 0.001;
  const tools::Printed printed = tools::PrintedBy(tools::RunPrune, command);
  EXPECT_EQ(printed.code, tools::kOk) << printed.err;
  EXPECT_THAT(printed.out, AllOf(HasSubstr("no proof"), HasSubstr("equal in every bit"), HasSubstr(output)));
  command.json = true;
  const auto json = nlohmann::json::parse(tools::PrintedBy(tools::RunPrune, command).out);
  EXPECT_EQ(json["layers"][2]["observed_zero"], 20);
  EXPECT_EQ(json["layers"][2]["removed"], 20);
  EXPECT_TRUE(json["equal_bits"]);
  EXPECT_TRUE(ReadOnnxFile(output).ok());
  command.data = "";
  EXPECT_THAT(tools::PrintedBy(tools::RunPrune, command).err, HasSubstr("--data"));
}

// No input may contradict a proof: random ones, and the corners of the box that push a unit up most.
TEST(Proof, NoInputOfTheDomainMakesAProvenUnitActive) {
  OnnxBuilder network = Network();
  ModelOptions options;
  options.keep_pre_activations = true;
  const auto model = *LoadModel(network.Bytes(), options);
  constexpr int64_t kRows = 100;
  Session session(model, kRows);
  int64_t rows = 0;
  session.set_before_activation([&](const PreActivations& z) {
    for (int64_t i = 0; i < z.rows * z.layout.elements(); ++i) {
      const int64_t at = i % z.layout.elements();
      const int64_t unit = z.layout.channels_last ? at % z.layout.channels : at / z.layout.positions;
      const bool proven = z.layer == 0 ? unit == 0 || unit == 4 : unit == 3;
      if (!proven) continue;
      ASSERT_LE(z.values[i], 0) << "layer " << z.layer << ", unit " << unit;
    }
  });
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    std::vector<float> x = Noise(64 * kRows, seed);
    // From all over the box to nothing but its corners.
    for (float& value : x) value = seed % 2 == 0 ? (value > 0 ? 1.0f : 0.0f) : std::abs(value) / 4;
    for (float& value : x) value = std::min(value, 1.0f);
    std::copy(x.begin(), x.end(), session.input(0).begin());
    session.Run(kRows);
    rows += kRows;
  }
  EXPECT_EQ(rows, 20000);
}

// Written and read again, a model is the same: the zoo's and, where it is there, the whole corpus.
TEST(Writer, WhatItWritesComputesTheSameBits) {
  std::vector<std::filesystem::path> files;
  for (const char* name : {"digits_cnn.onnx", "digits_mlp_logits.onnx", "fashion_cnn.onnx"}) {
    files.emplace_back(tools::Zoo(name));
  }
  const std::filesystem::path corpus = SharedDir() / "corpus" / "models";
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus, error)) {
    if (entry.path().extension() == ".onnx") files.push_back(entry.path());
  }
  int compared = 0;
  for (const auto& file : files) {
    SCOPED_TRACE(file.string());
    auto read = ReadOnnxFile(file);
    if (!read.ok()) continue;
    const auto bytes = WriteOnnx(read->graph);
    if (absl::IsUnimplemented(bytes.status())) continue;
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto before = Model::Create(std::move(read->graph), {});
    if (!before.ok()) continue;
    const auto after = LoadModel(*bytes);
    ASSERT_TRUE(after.ok()) << after.status();
    std::vector<std::vector<float>> inputs;
    for (const GraphValue& input : (*before)->inputs()) inputs.push_back(Noise(3 * RowElements(input.shape), 7));
    EXPECT_EQ(RunModel(*before, inputs), RunModel(*after, inputs));
    ++compared;
  }
  if (error) std::cout << "the corpus is not there: only the zoo was written\n";
  EXPECT_GE(compared, error ? 3 : 20);
}

TEST(Writer, RefusesOperatorsOfOtherDomains) {
  Graph graph;
  graph.nodes.push_back({"zip", "ZipMap", "ai.onnx.ml", {"x"}, {"y"}, {}});
  EXPECT_THAT(std::string(WriteOnnx(graph).status().message()), AllOf(HasSubstr("'zip'"), HasSubstr("ai.onnx.ml")));
}

// Halves that were read come back as the bits they were.
TEST(Writer, KeepsTheTypesOfWeights) {
  Graph graph;
  graph.opset = 13;
  graph.inputs = {{"x", {kBatch, 2}}};
  graph.outputs = {{"y", {kBatch, 2}}};
  graph.nodes.push_back({"add", "Add", "", {"x", "half"}, {"y"}, {}});
  Constant half;
  half.type = DataType::kFloat16;
  half.shape = {2};
  for (const float value : {0x1p-24f, -65504.0f}) half.floats.push_back(value);
  graph.constants["half"] = half;
  Constant brain = half;
  brain.type = DataType::kBFloat16;
  brain.floats = {1.5f, -0x1p100f};
  graph.constants["brain"] = brain;
  Constant bytes;
  bytes.type = DataType::kInt8;
  bytes.shape = {2};
  bytes.ints = {-3, 100};
  graph.constants["bytes"] = bytes;
  const Graph back = ParseOnnx(*WriteOnnx(graph))->graph;
  for (const char* name : {"half", "brain", "bytes"}) {
    EXPECT_EQ(back.constants.at(name).type, graph.constants.at(name).type) << name;
    EXPECT_EQ(back.constants.at(name).floats, graph.constants.at(name).floats) << name;
    EXPECT_EQ(back.constants.at(name).ints, graph.constants.at(name).ints) << name;
  }
}

}  // namespace
}  // namespace halfwave
