#include "model/graph/fold_batch_norm.h"

#include <gtest/gtest.h>

#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

using Values = std::vector<float>;

// A normalisation of y = x * [2, 3, ...] + [10, 20, ...].
void AddNormalization(Graph& graph, const std::string& input, int64_t channels) {
  graph.nodes.push_back({"bn", "BatchNormalization", "", {input, "gamma", "beta", "mean", "variance"}, {"y"}, {}});
  graph.nodes.back().attributes["epsilon"] = 0.75f;
  Constant gamma = Floats({channels}, {}), beta = gamma, mean = gamma, variance = gamma;
  for (int64_t i = 0; i < channels; ++i) {
    gamma.floats.push_back(static_cast<float>(2 + i));
    mean.floats.push_back(1);
    beta.floats.push_back(static_cast<float>(10 * (i + 1) + 2 + i));
    variance.floats.push_back(0.25f);
  }
  graph.constants.insert({{"gamma", gamma}, {"beta", beta}, {"mean", mean}, {"variance", variance}});
}

Graph AfterConv(int64_t opset = 13) {
  Graph graph = SmallGraph({{"Conv", {"x", "w"}, {"a"}}}, opset);
  graph.constants["w"] = Floats({2, 2, 1, 1}, {1, 2, 3, 4});
  AddNormalization(graph, "a", 2);
  return graph;
}

TEST(FoldBatchNorm, IntoAConvolutionPerOutputChannel) {
  Graph graph = AfterConv();
  FoldBatchNorm(graph);
  ASSERT_EQ(Sketch(graph), "Conv(x,w,Conv a/1)->y");
  EXPECT_EQ(graph.constants.at("w").floats, (Values{2, 4, 9, 12}));
  EXPECT_EQ(graph.constants.at("Conv a/1").floats, (Values{10, 20}));
  EXPECT_EQ(Story(graph), "fold_batch_norm: bn: folded into 'Conv a'\n");
}

TEST(FoldBatchNorm, IntoATransposedConvolutionsSecondDimensionGroupByGroup) {
  Graph graph = SmallGraph({{"ConvTranspose", {"x", "w", "b"}, {"a"}, {{"group", int64_t{2}}}}});
  // [C = 4, M / group = 2, 1, 2]: the first two blocks make channels 0 and 1, the others 2 and 3.
  graph.constants = {{"w", Floats({4, 2, 1, 2}, Values(16, 1))}, {"b", Floats({4}, {1, 1, 1, 1})}};
  AddNormalization(graph, "a", 4);
  FoldBatchNorm(graph);
  ASSERT_EQ(Sketch(graph), "ConvTranspose(x,w,b)->y");
  EXPECT_EQ(graph.constants.at("w").floats, (Values{2, 2, 3, 3, 2, 2, 3, 3, 4, 4, 5, 5, 4, 4, 5, 5}));
  EXPECT_EQ(graph.constants.at("b").floats, (Values{12, 23, 34, 45}));
}

TEST(FoldBatchNorm, IntoAGemmWhateverItsFactorsAndOrder) {
  for (const int64_t transposed : {0, 1}) {
    Graph graph = SmallGraph({{"Gemm", {"x", "w", "b"}, {"a"}, {{"alpha", 5.0f}, {"beta", 3.0f}}}});
    graph.nodes[0].attributes["transB"] = transposed;
    graph.constants = {{"w", Floats(transposed ? Shape{2, 3} : Shape{3, 2}, Values(6, 1))}, {"b", Floats({}, {1})}};
    AddNormalization(graph, "a", 2);
    FoldBatchNorm(graph);
    ASSERT_EQ(Sketch(graph), "Gemm(x,w,b)->y");
    EXPECT_EQ(graph.constants.at("w").floats, transposed ? (Values{2, 2, 2, 3, 3, 3}) : (Values{2, 3, 2, 3, 2, 3}));
    EXPECT_EQ(graph.constants.at("b").floats, (Values{16, 29})) << "3 * 1 * scale + shift";
    EXPECT_FALSE(graph.nodes[0].attributes.contains("beta"));
    EXPECT_EQ(std::get<float>(graph.nodes[0].attributes.at("alpha")), 5.0f);
  }
}

TEST(FoldBatchNorm, IntoAMatMulOnlyWhereItsLastDimensionIsThatOfTheChannels) {
  for (const bool flat : {false, true}) {
    Graph graph = SmallGraph({{flat ? "Flatten" : "Relu", {"x"}, {"f"}}, {"MatMul", {"f", "w"}, {"a"}}});
    graph.constants["w"] = Floats({4, 2}, Values(8, 1));
    AddNormalization(graph, "a", 2);
    FoldBatchNorm(graph);
    EXPECT_EQ(graph.nodes.size(), flat ? 2u : 3u);
    if (flat) {
      EXPECT_EQ(Sketch(graph), "Flatten(x)->f halfwave.Dense(f,w,MatMul a/1)->y");
    }
  }
}

TEST(FoldBatchNorm, WhatIsNotPlainStays) {
  const auto stays = [](Graph graph) {
    const Values weights = graph.constants.at("w").floats;
    FoldBatchNorm(graph);
    return graph.nodes.size() == 2 && graph.rewrites.empty() && graph.constants.at("w").floats == weights;
  };
  EXPECT_FALSE(stays(AfterConv(8)));
  Graph training = AfterConv(15);
  training.nodes[1].attributes["training_mode"] = int64_t{1};
  EXPECT_TRUE(stays(training));
  Graph per_position = AfterConv(8);
  per_position.nodes[1].attributes["spatial"] = int64_t{0};
  EXPECT_TRUE(stays(per_position));
  EXPECT_TRUE(stays(AfterConv(6))) << "training is the default there";
  Graph with_mean = AfterConv();
  with_mean.nodes[1].outputs.push_back("running_mean");
  with_mean.outputs.push_back({"running_mean", {}});
  EXPECT_TRUE(stays(with_mean));
  for (const float variance : {-0.75f, -2.0f, -0.75f + 1e-7f}) {
    Graph not_finite = AfterConv();
    not_finite.constants["variance"].floats[1] = variance;
    not_finite.constants["gamma"].floats[1] = 1e38f;
    EXPECT_TRUE(stays(not_finite)) << variance;
  }
  Graph computed = AfterConv();
  computed.nodes[1].inputs[3] = "x";
  EXPECT_TRUE(stays(computed));
  Graph odd = AfterConv();
  odd.constants["mean"] = Floats({1}, {1});
  EXPECT_TRUE(stays(odd));
  Graph shared = AfterConv();
  shared.outputs.push_back({"a", {}});
  EXPECT_TRUE(stays(shared));
}

}  // namespace
}  // namespace halfwave
