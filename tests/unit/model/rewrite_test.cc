#include "model/graph/rewrite.h"

#include <gtest/gtest.h>

#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

TEST(RewriteGraph, PassesWorkIntoEachOthersHands) {
  Graph graph = SmallGraph({{"Strange", {"a"}, {"nobody"}},
                            {"Flatten", {"x"}, {"f"}},
                            {"MatMul", {"f", "w"}, {"a"}},
                            {"Identity", {"a"}, {"b"}},
                            {"Add", {"b", "bias"}, {"c"}},
                            {"Dropout", {"c"}, {"d"}},
                            {"BatchNormalization", {"d", "one", "one", "one", "one"}, {"e"}},
                            {"Mul", {"e", "one"}, {"g"}},
                            {"Relu", {"g"}, {"h"}},
                            {"Relu", {"h"}, {"i"}},
                            {"Identity", {"i"}, {"y"}}});
  std::swap(graph.nodes[0], graph.nodes[2]);
  std::swap(graph.nodes[0], graph.nodes[1]);
  graph.constants = {{"w", Floats({2, 1}, {1, 2})}, {"bias", Floats({1}, {1})}, {"one", Floats({1}, {1})}};
  RewriteGraph(graph);
  EXPECT_EQ(Sketch(graph), "Flatten(x)->f halfwave.Dense(f,w,MatMul a/1)->g Relu(g)->h halfwave.Observe(h)->y");
  EXPECT_EQ(graph.constants.size(), 2u) << "nobody reads the others any more";
}

TEST(RewriteGraph, AHugeGraphTakesAMoment) {
  constexpr int kNodes = 50'000;
  const std::vector<NodeSpec> kinds = {{"Identity", {}, {}}, {"Relu", {}, {}},    {"MaxPool", {}, {}},
                                       {"Add", {}, {}},      {"Dropout", {}, {}}, {"MatMul", {}, {}},
                                       {"MaxPool", {}, {}},  {"Flatten", {}, {}}};
  for (size_t kind = 0; kind <= kinds.size(); ++kind) {
    std::vector<NodeSpec> nodes;
    std::string value = "x";
    for (int i = 0; i < kNodes; ++i) {
      nodes.push_back(kinds[kind < kinds.size() ? kind : i % kinds.size()]);
      NodeSpec& node = nodes.back();
      node.inputs = {value};
      if (node.op == "Add" || node.op == "MatMul") node.inputs.push_back(node.op == "Add" ? "b" : "w");
      node.outputs = {value = "v" + std::to_string(i)};
    }
    Graph graph = SmallGraph(nodes);
    graph.outputs[0].name = value;
    graph.constants = {{"w", Floats({1, 1}, {1})}, {"b", Floats({1}, {1})}};
    RewriteGraph(graph);
    ASSERT_FALSE(graph.nodes.empty());
    EXPECT_EQ(graph.nodes.back().outputs[0], value);
    ASSERT_TRUE(SortNodes(graph).ok());
  }
}

}  // namespace
}  // namespace halfwave
