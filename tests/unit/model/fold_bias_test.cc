#include "model/graph/fold_bias.h"

#include <gtest/gtest.h>

#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

using Values = std::vector<float>;

Graph WithConv(const NodeSpec& node, const Constant& constant) {
  Graph graph = SmallGraph({{"Conv", {"x", "w"}, {"a"}}, node});
  graph.constants["w"] = Floats({3, 2, 1, 1}, {1, 2, 3, 4, 5, 6});
  graph.constants["c"] = constant;
  FoldBias(graph);
  return graph;
}

TEST(FoldBias, ConstantsPerChannelBecomeTheBiasOfAConvolution) {
  for (const Shape& shape : {Shape{3, 1, 1}, {1, 3, 1, 1}}) {
    const Graph graph = WithConv({"Add", {"a", "c"}, {"y"}}, Floats(shape, {7, 8, 9}));
    ASSERT_EQ(Sketch(graph), "Conv(x,w,Conv a/1)->y");
    EXPECT_EQ(graph.constants.at("Conv a/1").floats, (Values{7, 8, 9}));
    EXPECT_EQ(graph.constants.at("Conv a/1").shape, Shape{3});
    EXPECT_EQ(Story(graph), "fold_bias: Add y: folded into 'Conv a'\n");
  }
}

TEST(FoldBias, OneNumberGoesToAllChannels) {
  const Graph graph = WithConv({"Sub", {"c", "a"}, {"y"}}, Floats({}, {5}));
  ASSERT_EQ(Sketch(graph), "Conv(x,w,Conv a/1)->y");
  EXPECT_EQ(graph.constants.at("w").floats, (Values{-1, -2, -3, -4, -5, -6}));
  EXPECT_EQ(graph.constants.at("Conv a/1").floats, (Values{5, 5, 5}));
}

TEST(FoldBias, OtherConstantsStay) {
  const Values three = {7, 8, 9};
  for (const Constant& constant :
       {Floats({3}, three), Floats({1, 3}, three), Floats({1, 1, 3}, three), Floats({3, 1, 1, 1}, three),
        Floats({3, 1}, three), Floats({1, 1, 1, 1, 1}, {1}), Floats({2, 1, 1}, {1, 2}), Integers({1})}) {
    const Graph graph = WithConv({"Add", {"a", "c"}, {"y"}}, constant);
    EXPECT_EQ(Sketch(graph), "Conv(x,w)->a Add(a,c)->y") << ShapeToString(constant.shape);
  }
}

TEST(FoldBias, WhatIsNoFactorOrOffsetStays) {
  EXPECT_EQ(WithConv({"Div", {"c", "a"}, {"y"}}, Floats({}, {2})).nodes.size(), 2u);
  EXPECT_EQ(WithConv({"Div", {"a", "c"}, {"y"}}, Floats({}, {0})).nodes.size(), 2u) << "left to be refused by name";
  EXPECT_EQ(WithConv({"Mul", {"a", "c"}, {"y"}}, Floats({}, {3e38f})).nodes.size(), 2u) << "a weight would overflow";
  EXPECT_EQ(WithConv({"Add", {"a", "a"}, {"y"}}, Floats({}, {2})).nodes.size(), 2u);
  EXPECT_EQ(WithConv({"Pow", {"a", "c"}, {"y"}}, Floats({}, {2})).nodes.size(), 2u);
  EXPECT_EQ(WithConv({"Mul", {"a", "c"}, {"y"}}, Floats({}, {3e38f})).constants.at("w").floats[0], 1)
      << "what could not be folded leaves no trace";
}

TEST(FoldBias, ChainsFoldInOrder) {
  Graph graph = SmallGraph({{"Conv", {"x", "w", "b"}, {"a"}},
                            {"Add", {"a", "one"}, {"c"}},
                            {"Mul", {"two", "c"}, {"d"}},
                            {"Sub", {"d", "one"}, {"y"}}});
  graph.constants = {{"w", Floats({1, 2, 1, 1}, {1, 3})},
                     {"b", Floats({1}, {10})},
                     {"one", Floats({1}, {1})},
                     {"two", Floats({1}, {2})}};
  FoldBias(graph);
  ASSERT_EQ(Sketch(graph), "Conv(x,w,b)->y");
  EXPECT_EQ(graph.constants.at("w").floats, (Values{2, 6}));
  EXPECT_EQ(graph.constants.at("b").floats, (Values{21}));
  EXPECT_EQ(graph.constants.at("one").floats, (Values{1}));
}

TEST(FoldBias, AMatMulWithABiasIsDense) {
  for (const Shape& shape : {Shape{2}, {1, 2}}) {
    Graph graph = SmallGraph({{"MatMul", {"x", "w"}, {"a"}}, {"Add", {"c", "a"}, {"y"}}});
    graph.constants = {{"w", Floats({3, 2}, {1, 2, 3, 4, 5, 6})}, {"c", Floats(shape, {7, 8})}};
    FoldBias(graph);
    ASSERT_EQ(Sketch(graph), "halfwave.Dense(x,w,MatMul a/1)->y");
    EXPECT_EQ(graph.constants.at("MatMul a/1").floats, (Values{7, 8}));
  }
  Graph scaled = SmallGraph({{"MatMul", {"x", "w"}, {"a"}}, {"Mul", {"a", "c"}, {"y"}}});
  scaled.constants = {{"w", Floats({3, 2}, {1, 2, 3, 4, 5, 6})}, {"c", Floats({2}, {1, 10})}};
  FoldBias(scaled);
  ASSERT_EQ(Sketch(scaled), "MatMul(x,w)->y");
  EXPECT_EQ(scaled.constants.at("w").floats, (Values{1, 20, 3, 40, 5, 60}));
}

TEST(FoldBias, AColumnPerRowIsNoBias) {
  Graph graph = SmallGraph({{"MatMul", {"x", "w"}, {"a"}}, {"Add", {"a", "c"}, {"y"}}});
  graph.constants = {{"w", Floats({2, 2}, {1, 2, 3, 4})}, {"c", Floats({2, 1}, {7, 8})}};
  FoldBias(graph);
  EXPECT_EQ(graph.nodes.size(), 2u);
  graph.constants["w"] = Floats({2, 1}, {1, 2});
  graph.constants["c"] = Floats({2}, {7, 8});  // broadcasts the one feature to two
  FoldBias(graph);
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(FoldBias, WeightsThatOthersReadAreCopied) {
  Graph graph = SmallGraph({{"Conv", {"x", "w", "b"}, {"a"}},
                            {"Mul", {"a", "c"}, {"d"}},
                            {"Conv", {"d", "w", "b"}, {"e"}},
                            {"Mul", {"e", "c"}, {"f"}},
                            {"Conv", {"f", "w", "b"}, {"y"}}});
  graph.constants = {{"w", Floats({2, 2, 1, 1}, {1, 2, 3, 4})}, {"b", Floats({2}, {5, 6})}, {"c", Floats({}, {2})}};
  FoldBias(graph);
  ASSERT_EQ(graph.nodes.size(), 3u);
  for (const size_t node : {0, 1}) {
    EXPECT_EQ(graph.constants.at(graph.nodes[node].inputs[1]).floats, (Values{2, 4, 6, 8}));
    EXPECT_EQ(graph.constants.at(graph.nodes[node].inputs[2]).floats, (Values{10, 12}));
  }
  EXPECT_EQ(graph.constants.at(graph.nodes[2].inputs[1]).floats, (Values{1, 2, 3, 4}));
  EXPECT_EQ(graph.constants.at(graph.nodes[2].inputs[2]).floats, (Values{5, 6}));
}

TEST(FoldBias, WhatOthersReadBetweenStays) {
  Graph graph = SmallGraph({{"Conv", {"x", "w"}, {"a"}}, {"Add", {"a", "c"}, {"y"}}});
  graph.outputs.push_back({"a", {}});
  graph.constants = {{"w", Floats({1, 2, 1, 1}, {1, 2})}, {"c", Floats({}, {2})}};
  FoldBias(graph);
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(FoldBias, ASmallFileCannotAskForManyPassesOverItsWeights) {
  std::vector<NodeSpec> nodes = {{"MatMul", {"x", "w"}, {"a"}}};
  for (int i = 0; i < 2000; ++i) nodes.push_back({"Mul", {nodes.back().outputs[0], "c"}, {"v" + std::to_string(i)}});
  Graph graph = SmallGraph(nodes);
  graph.constants = {{"w", Floats({1024, 1024}, Values(1 << 20, 1.0f))}, {"c", Floats({}, {1})}};
  FoldBias(graph);
  EXPECT_GT(graph.nodes.size(), 1900u);
}

TEST(FoldBias, ASmallFileCannotAskForManyCopiesOfItsWeights) {
  std::vector<NodeSpec> nodes;
  for (int i = 0; i < 10; ++i) {
    nodes.push_back({"MatMul", {"x", "w"}, {"a" + std::to_string(i)}});
    nodes.push_back({"Mul", {nodes.back().outputs[0], "c"}, {"b" + std::to_string(i)}});
  }
  Graph graph = SmallGraph(nodes);
  graph.constants = {{"w", Floats({1024, 4096}, Values(1 << 22, 1.0f))}, {"c", Floats({}, {1})}};
  FoldBias(graph);
  EXPECT_EQ(graph.constants.size(), 2u + 4u);
}

}  // namespace
}  // namespace halfwave
