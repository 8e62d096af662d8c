// Networks before and after the rewriting passes, each compared with the plain interpreter: the function is the same.
#include <gtest/gtest.h>

#include <iostream>
#include <map>

#include "model/engine/session.h"
#include "model/graph/drop_no_ops.h"
#include "model/graph/fold_batch_norm.h"
#include "model/graph/fold_bias.h"
#include "model/graph/merge_relus.h"
#include "model/graph/relu_after_max_pool.h"
#include "model/graph/rewrite.h"
#include "model/onnx/reader.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/random_network.h"
#include "tests/unit/model/reference.h"

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;
using Pass = void (*)(Graph&);

OnnxBuilder& Weight(OnnxBuilder& network, const std::string& name, const Shape& shape, uint32_t seed, float low = -1) {
  return network.Weight(name, shape, Noise(*NumElements(shape), seed, low, 1));
}

OnnxBuilder& Normalize(OnnxBuilder& network, const std::string& input, int64_t channels, const std::string& output) {
  Weight(network, output + ".gamma", {channels}, 1);
  Weight(network, output + ".beta", {channels}, 2);
  Weight(network, output + ".mean", {channels}, 3);
  Weight(network, output + ".variance", {channels}, 4, 0.2f);
  return network.Node("BatchNormalization",
                      {input, output + ".gamma", output + ".beta", output + ".mean", output + ".variance"}, {output},
                      {{"epsilon", 0.01f}});
}

// By the name of the layer: how often each unit was active, and how many zeros there were.
using Statistics = std::map<std::string, std::pair<std::vector<uint32_t>, uint64_t>>;

Statistics Count(const std::shared_ptr<const Model>& model, const std::vector<std::vector<float>>& inputs,
                 int64_t rows) {
  Session session(model, rows);
  for (size_t i = 0; i < inputs.size(); ++i) std::copy(inputs[i].begin(), inputs[i].end(), session.input(i).begin());
  session.Run(rows);
  Statistics statistics;
  for (size_t i = 0; i < model->activations().size(); ++i) {
    const auto& layer = session.activity().layers[i];
    const std::string& name = model->activations()[i].name;
    EXPECT_FALSE(statistics.contains(name)) << name;
    statistics[name] = {layer.active, layer.zeros};
  }
  return statistics;
}

// Rewrites the network and compares what it computes with the interpreter and, where `bits`, outputs and neuron
// statistics with its own before.
// Returns the rewritten graph.
Graph ExpectSameFunction(OnnxBuilder& network, Pass pass, bool bits = false, uint32_t seed = 1, int64_t rows = 3) {
  auto file = ParseOnnx(network.Bytes());
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return {};
  Graph graph = std::move(file->graph);
  pass(graph);
  const auto model = Model::Create(graph, {.rewrite = false});
  EXPECT_TRUE(model.ok()) << model.status();
  if (!model.ok()) return graph;
  const auto inputs = NoiseFor(**model, rows, seed);
  const auto outputs = RunModel(*model, inputs);
  ExpectReference(**model, Interpret(network.proto(), ToTensors(**model, rows, inputs)), outputs, rows);
  if (bits) {
    const auto before = LoadModel(network.Bytes(), {.rewrite = false});
    EXPECT_EQ(outputs, RunModel(*before, inputs));
    EXPECT_EQ(Count(*model, inputs, rows), Count(*before, inputs, rows));
  }
  return graph;
}

TEST(Rewriting, BatchNormalizationInAConvolutionOfAnyGroups) {
  for (const int64_t group : {1, 2, 4}) {
    for (const bool bias : {false, true}) {
      OnnxBuilder network;
      network.Input("x", {-1, 4, 5, 3});
      Weight(network, "w", {8, 4 / group, 3, 2}, 5);
      Weight(network, "b", {8}, 6);
      std::vector<std::string> inputs = {"x", "w"};
      if (bias) inputs.push_back("b");
      network.Node("Conv", inputs, {"a"}, {{"group", group}, {"pads", Ints{1, 0, 1, 1}}});
      Normalize(network, "a", 8, "n").Node("Relu", {"n"}, {"y"}).Output("y");
      EXPECT_EQ(ExpectSameFunction(network, FoldBatchNorm).nodes.size(), 2u);
    }
  }
}

TEST(Rewriting, BatchNormalizationInAGemm) {
  for (const int64_t transposed : {0, 1}) {
    OnnxBuilder network;
    network.Input("x", {-1, 6});
    Weight(network, "w", transposed ? Shape{7, 6} : Shape{6, 7}, 5);
    Weight(network, "b", {1, 7}, 6);
    network.Node("Gemm", {"x", "w", "b"}, {"a"}, {{"transB", transposed}, {"alpha", -0.5f}, {"beta", 2.0f}});
    Normalize(network, "a", 7, "y").Output("y");
    EXPECT_EQ(ExpectSameFunction(network, FoldBatchNorm).nodes.size(), 1u);
  }
}

TEST(Rewriting, BatchNormalizationBehindAMatMulOfHigherRankIsOnAnotherDimension) {
  OnnxBuilder network;
  network.Input("x", {-1, 7, 6});
  Weight(network, "w", {6, 7}, 5);
  network.Node("MatMul", {"x", "w"}, {"a"});
  Normalize(network, "a", 7, "y").Output("y");
  EXPECT_EQ(ExpectSameFunction(network, RewriteGraph).nodes.size(), 2u);
}

TEST(Rewriting, TwoConvolutionsOfOneWeightAreNormalizedEachItsOwnWay) {
  OnnxBuilder network;
  network.Input("x", {-1, 3, 4, 4});
  Weight(network, "w", {3, 3, 1, 1}, 5);
  network.Node("Conv", {"x", "w"}, {"a"});
  Normalize(network, "a", 3, "b").Node("Conv", {"b", "w"}, {"y"}).Output("y");
  EXPECT_EQ(ExpectSameFunction(network, FoldBatchNorm).nodes.size(), 2u);
}

TEST(Rewriting, ArithmeticWithConstantsInTheLayerBefore) {
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    for (const bool left : {false, true}) {
      if (left && op == std::string("Div")) continue;
      const auto inputs = [&](const std::string& value, const std::string& constant) {
        return left ? std::vector<std::string>{constant, value} : std::vector<std::string>{value, constant};
      };
      SCOPED_TRACE(op);
      OnnxBuilder maps;
      maps.Input("x", {-1, 2, 3, 4});
      Weight(maps, "w", {5, 2, 2, 2}, 1);
      Weight(maps, "c", {5, 1, 1}, 2, 0.3f);
      maps.Node("Conv", {"x", "w"}, {"a"}).Node(op, inputs("a", "c"), {"y"}).Output("y");
      EXPECT_EQ(ExpectSameFunction(maps, FoldBias).nodes.size(), 1u);

      OnnxBuilder features;
      features.Input("x", {-1, 4, 6});
      Weight(features, "w", {6, 7}, 1);
      Weight(features, "c", {1, 7}, 2, 0.3f);
      features.Node("MatMul", {"x", "w"}, {"a"}).Node(op, inputs("a", "c"), {"y"}).Output("y");
      EXPECT_EQ(ExpectSameFunction(features, FoldBias).nodes.size(), 1u);
    }
  }
}

TEST(Rewriting, OneReluForTwo) {
  OnnxBuilder network;
  network.Input("x", {-1, 6}).Node("Relu", {"x"}, {"a"}).Node("Relu", {"a"}, {"y"}).Output("y");
  ExpectSameFunction(network, MergeRelus, true);
}

TEST(Rewriting, ReluAfterMaxPoolGivesTheSameBits) {
  for (const OnnxBuilder::Attributes& attributes : std::vector<OnnxBuilder::Attributes>{
           {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}},
           {{"kernel_shape", Ints{3, 3}}, {"pads", Ints{1, 2, 2, 1}}},
           {{"kernel_shape", Ints{2, 2}}, {"auto_pad", std::string("SAME_UPPER")}},
           {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 3}}},
           {{"kernel_shape", Ints{3, 3}}, {"dilations", Ints{2, 1}}, {"pads", Ints{1, 1, 1, 1}}},
           {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{6, 1}}, {"pads", Ints{1, 0, 2, 0}}},  // sees nothing once
           {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}}}) {
    OnnxBuilder network;
    network.Input("x", {-1, 2, 5, 6});
    Weight(network, "w", {3, 2, 1, 1}, 5);
    network.Node("Conv", {"x", "w"}, {"c"}).Node("Add", {"c", "c"}, {"s"}).Node("Relu", {"s"}, {"a"});
    network.Node("MaxPool", {"a"}, {"b"}, attributes);
    network.Node("MaxPool", {"b"}, {"y"}, {{"kernel_shape", Ints{1, 2}}}).Output("y");
    ExpectSameFunction(network, ReluAfterMaxPool, true);
  }
}

TEST(Rewriting, RandomNetworksCountWhatTheyDid) {
  constexpr uint32_t kFirstSeed = 9000, kNetworks = 2000;
  std::cout << "seeds " << kFirstSeed << " to " << kFirstSeed + kNetworks - 1 << "\n";
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    OnnxBuilder network = RandomNetwork(seed);
    const auto exact_passes = [](Graph& graph) {
      DropNoOps(graph);
      MergeRelus(graph);
      ReluAfterMaxPool(graph);
    };
    ExpectSameFunction(network, exact_passes, true, seed);
  }
}

TEST(Rewriting, RandomNetworksComputeWhatTheyDid) {
  constexpr uint32_t kFirstSeed = 9000, kNetworks = 2000;
  std::cout << "seeds " << kFirstSeed << " to " << kFirstSeed + kNetworks - 1 << "\n";
  std::map<std::string, int> rewrites;
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    OnnxBuilder network = RandomNetwork(seed);
    const Graph graph = ExpectSameFunction(network, RewriteGraph, false, seed);
    for (const Rewrite& rewrite : graph.rewrites) ++rewrites[rewrite.pass];
    for (const Node& node : graph.nodes) ++rewrites[node.op];
  }
  for (const char* pass : {"drop_dead_branches", "drop_no_ops", "fold_batch_norm", "fold_bias", "merge_relus",
                           "relu_after_max_pool", "halfwave.Dense", "halfwave.Observe"}) {
    std::cout << pass << " " << rewrites[pass] << "\n";
    EXPECT_GT(rewrites[pass], 0) << pass << " never came up";
  }
}

}  // namespace
}  // namespace halfwave
