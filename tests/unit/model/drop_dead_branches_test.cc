#include "model/graph/drop_dead_branches.h"

#include <gtest/gtest.h>

#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

TEST(DropDeadBranches, WhatNoOutputDependsOnIsGoneWithItsConstants) {
  Graph graph = SmallGraph({{"Mul", {"x", "live"}, {"a"}},
                            {"Add", {"a", "dead"}, {"b"}},
                            {"Strange", {"b"}, {"c"}},
                            {"Relu", {"a"}, {"y"}}});
  graph.constants = {{"live", Floats({1}, {2})}, {"dead", Floats({1}, {3})}, {"nobody", Floats({1}, {4})}};
  DropDeadBranches(graph);
  EXPECT_EQ(Sketch(graph), "Mul(x,live)->a Relu(a)->y");
  EXPECT_EQ(graph.constants.size(), 1u);
  EXPECT_TRUE(graph.constants.contains("live"));
  EXPECT_EQ(Story(graph),
            "drop_dead_branches: Add b: removed: no output of the model depends on it\n"
            "drop_dead_branches: Strange c: removed: no output of the model depends on it\n");
}

TEST(DropDeadBranches, ANodeStaysForAnyOfItsOutputs) {
  Graph graph = SmallGraph({{"Split", {"x"}, {"a", "b"}}, {"Relu", {"b"}, {"y"}}});
  DropDeadBranches(graph);
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(DropDeadBranches, InputsLeftOutLeadNowhere) {
  Graph graph = SmallGraph({{"Strange", {"x"}, {"a", ""}}, {"Clip", {"x", "", ""}, {"y"}}});
  DropDeadBranches(graph);
  EXPECT_EQ(Sketch(graph), "Clip(x,,)->y");
}

TEST(DropDeadBranches, AConstantThatIsAnOutputStays) {
  Graph graph = SmallGraph({});
  graph.constants["y"] = Floats({1}, {2});
  DropDeadBranches(graph);
  EXPECT_TRUE(graph.constants.contains("y"));
}

}  // namespace
}  // namespace halfwave
