#include "model/graph/relu_after_max_pool.h"

#include <gtest/gtest.h>

#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;

std::string Moved(const std::vector<NodeSpec>& nodes) {
  Graph graph = SmallGraph(nodes);
  ReluAfterMaxPool(graph);
  return Sketch(graph);
}

TEST(ReluAfterMaxPool, IsCountedWhereTheFileHasIt) {
  Graph graph = SmallGraph({{"Relu", {"x"}, {"a"}}, {"MaxPool", {"a"}, {"y"}, {{"pads", Ints{1, 1, 1, 1}}}}});
  ReluAfterMaxPool(graph);
  EXPECT_EQ(Sketch(graph), "halfwave.Observe(x)->a MaxPool(a)->y/1 Relu(y/1)->y");
  EXPECT_EQ(graph.nodes[0].name, "Relu a");
  EXPECT_EQ(std::get<std::string>(graph.nodes[0].attributes.at("op")), "Relu");
  EXPECT_FALSE(graph.nodes[0].attributes.contains("halfwave.counted"));
  EXPECT_TRUE(graph.nodes[1].attributes.contains("pads"));
  EXPECT_EQ(std::get<int64_t>(graph.nodes[2].attributes.at("halfwave.counted")), 0);
  EXPECT_EQ(Story(graph), "relu_after_max_pool: Relu a: rectifies after 'MaxPool y'\n");
}

TEST(ReluAfterMaxPool, GoesThroughSeveralPoolsAndSkipsWhatStandsBetween) {
  EXPECT_EQ(Moved({{"Relu", {"x"}, {"a"}},
                   {"Tanh", {"x"}, {"other"}},
                   {"MaxPool", {"a"}, {"b"}},
                   {"Tanh", {"other"}, {"another"}},
                   {"MaxPool", {"b"}, {"c"}},
                   {"Add", {"c", "another"}, {"y"}}}),
            "halfwave.Observe(x)->a Tanh(x)->other MaxPool(a)->b/1 Tanh(other)->another MaxPool(b/1)->c/1 "
            "Relu(c/1)->c Add(c,another)->y");
}

TEST(ReluAfterMaxPool, StaysWhereOthersReadWhatIsBetween) {
  const std::string two = Moved({{"Relu", {"x"}, {"a"}}, {"MaxPool", {"a"}, {"b"}}, {"Add", {"a", "b"}, {"y"}}});
  EXPECT_EQ(two, "Relu(x)->a MaxPool(a)->b Add(a,b)->y");
  Graph graph = SmallGraph({{"Relu", {"x"}, {"y"}}, {"MaxPool", {"y"}, {"z"}}});
  graph.outputs.push_back({"z", {}});
  ReluAfterMaxPool(graph);
  EXPECT_EQ(Sketch(graph), "Relu(x)->y MaxPool(y)->z");
}

TEST(ReluAfterMaxPool, StaysBehindAConvolutionThatEndsWithIt) {
  EXPECT_EQ(Moved({{"Conv", {"x", "w"}, {"a"}}, {"Relu", {"a"}, {"b"}}, {"MaxPool", {"b"}, {"y"}}}),
            "Conv(x,w)->a Relu(a)->b MaxPool(b)->y");
}

TEST(ReluAfterMaxPool, StaysBeforeAPoolWhoseIndicesAreRead) {
  EXPECT_EQ(Moved({{"Relu", {"x"}, {"a"}}, {"MaxPool", {"a"}, {"b", "where"}}, {"Use", {"b", "where"}, {"y"}}}),
            "Relu(x)->a MaxPool(a)->b Use(b,where)->y");
}

TEST(ReluAfterMaxPool, StaysBeforeWindowsThatMaySeeNothing) {
  const auto moves = [](const std::map<std::string, Attribute>& attributes) {
    return Moved({{"Relu", {"x"}, {"a"}}, {"MaxPool", {"a"}, {"y"}, attributes}}).find("Observe") != std::string::npos;
  };
  const Ints two = {2, 2}, none = {0, 0, 0, 0}, pads = {1, 1, 1, 1};
  EXPECT_FALSE(moves({{"dilations", two}, {"pads", pads}}));
  EXPECT_FALSE(moves({{"dilations", two}, {"auto_pad", std::string("SAME_UPPER")}}));
  EXPECT_FALSE(moves({{"dilations", 2.0f}, {"pads", pads}}));
  EXPECT_TRUE(moves({{"dilations", two}, {"pads", none}}));
  EXPECT_TRUE(moves({{"dilations", two}, {"auto_pad", std::string("VALID")}}));
  EXPECT_TRUE(moves({{"dilations", Ints{1, 1}}, {"auto_pad", std::string("SAME_LOWER")}}));
}

}  // namespace
}  // namespace halfwave
