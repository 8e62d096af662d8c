#include "model/graph/merge_relus.h"

#include <gtest/gtest.h>

#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

std::string Merged(const std::vector<NodeSpec>& nodes, int64_t opset = 13) {
  Graph graph = SmallGraph(nodes, opset);
  graph.constants = {{"zero", Floats({}, {0})}, {"minus", Floats({}, {-1})}};
  MergeRelus(graph);
  return Sketch(graph);
}

TEST(MergeRelus, TheSecondOnlyCountsUnderItsOwnName) {
  Graph graph = SmallGraph({{"Relu", {"x"}, {"a"}}, {"Relu", {"a"}, {"b"}}, {"Relu", {"b"}, {"y"}}});
  MergeRelus(graph);
  EXPECT_EQ(Sketch(graph), "Relu(x)->a halfwave.Observe(a)->b halfwave.Observe(b)->y");
  EXPECT_EQ(graph.nodes[1].name, "Relu b");
  EXPECT_EQ(std::get<std::string>(graph.nodes[1].attributes.at("op")), "Relu");
  EXPECT_EQ(Story(graph),
            "merge_relus: Relu b: changes nothing and only counts: never negative behind 'Relu a'\n"
            "merge_relus: Relu y: changes nothing and only counts: never negative behind 'Relu a'\n");
}

TEST(MergeRelus, OthersAreNeverNegativeEither) {
  for (const char* op : {"Sigmoid", "HardSigmoid", "Softmax", "Softplus"}) {
    EXPECT_NE(Merged({{op, {"x"}, {"a"}}, {"Relu", {"a"}, {"y"}}}).find("Observe"), std::string::npos) << op;
  }
  for (const char* op : {"Tanh", "Elu", "LeakyRelu", "MaxPool", "Gelu"}) {
    EXPECT_EQ(Merged({{op, {"x"}, {"a"}}, {"Relu", {"a"}, {"y"}}}).find("Observe"), std::string::npos) << op;
  }
}

TEST(MergeRelus, AlsoThroughWhatOnlyMovesValues) {
  EXPECT_EQ(Merged({{"Relu", {"x"}, {"a"}}, {"Flatten", {"a"}, {"b"}}, {"Relu", {"b"}, {"y"}}}),
            "Relu(x)->a Flatten(a)->b halfwave.Observe(b)->y");
  EXPECT_EQ(Merged({{"Relu", {"x"}, {"a"}}, {"MaxPool", {"a"}, {"b"}}, {"Relu", {"b"}, {"y"}}}),
            "Relu(x)->a MaxPool(a)->b Relu(b)->y")
      << "a window that sees padding alone gives a negative number";
}

TEST(MergeRelus, AClipNeedsBothBoundsFromZero) {
  const auto clipped = [](const std::vector<std::string>& inputs) {
    return Merged({{"Clip", inputs, {"a"}}, {"Relu", {"a"}, {"y"}}}).find("Observe") != std::string::npos;
  };
  EXPECT_TRUE(clipped({"x", "zero"}));
  EXPECT_TRUE(clipped({"x", "zero", "zero"}));
  EXPECT_FALSE(clipped({"x"}));
  EXPECT_FALSE(clipped({"x", "", "zero"}));
  EXPECT_FALSE(clipped({"x", "minus"}));
  EXPECT_FALSE(clipped({"x", "zero", "minus"})) << "the upper bound wins";
  EXPECT_FALSE(clipped({"x", "zero", "x"}));
  const auto old = [](const std::map<std::string, Attribute>& attributes) {
    return Merged({{"Clip", {"x"}, {"a"}, attributes}, {"Relu", {"a"}, {"y"}}}, 9).find("Observe") != std::string::npos;
  };
  EXPECT_TRUE(old({{"min", 0.0f}, {"max", 6.0f}}));
  EXPECT_FALSE(old({{"min", 0.0f}, {"max", -6.0f}}));
  EXPECT_FALSE(old({{"max", 6.0f}}));
}

TEST(MergeRelus, OneThatDoesNotCountLeavesNothingToCount) {
  EXPECT_EQ(Merged({{"Relu", {"x"}, {"a"}}, {"Relu", {"a"}, {"y"}, {{"halfwave.counted", int64_t{0}}}}}),
            "Relu(x)->a Identity(a)->y");
}

}  // namespace
}  // namespace halfwave
