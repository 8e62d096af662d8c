#include "model/graph/drop_no_ops.h"

#include <gtest/gtest.h>

#include "tests/unit/model/small_graph.h"

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;

// What is left of a node between two others.
std::string Between(const NodeSpec& node, int64_t opset = 13) {
  Graph graph = SmallGraph({{"Relu", {"x"}, {"a"}}, node, {"Tanh", {"b"}, {"y"}}}, opset);
  graph.constants = {
      {"yes", Integers({1})}, {"no", Integers({0})}, {"zeros", Integers({0, 0})}, {"pads", Integers({0, 1})}};
  DropNoOps(graph);
  EXPECT_EQ(graph.rewrites.size(), graph.nodes.size() == 2 ? 1u : 0u);
  return Sketch(graph);
}

TEST(DropNoOps, WhatDoesNothingIsGone) {
  const std::string gone = "Relu(x)->a Tanh(a)->y";
  EXPECT_EQ(Between({"Identity", {"a"}, {"b"}}), gone);
  EXPECT_EQ(Between({"Dropout", {"a"}, {"b"}}), gone);
  EXPECT_EQ(Between({"Dropout", {"a"}, {"b", "mask"}, {{"ratio", 0.5f}}}, 10), gone);
  EXPECT_EQ(Between({"Dropout", {"a", "", "no"}, {"b"}}), gone);
  EXPECT_EQ(Between({"Pad", {"a", "zeros"}, {"b"}}), gone);
  EXPECT_EQ(Between({"Pad", {"a"}, {"b"}, {{"pads", Ints{0, 0}}}}, 10), gone);
  EXPECT_EQ(Between({"Transpose", {"a"}, {"b"}, {{"perm", Ints{0, 1, 2, 3}}}}), gone);
  EXPECT_EQ(Between({"Concat", {"a"}, {"b"}, {{"axis", int64_t{1}}}}), gone);
  EXPECT_EQ(Between({"Cast", {"a"}, {"b"}, {{"to", int64_t{1}}}}), gone);
}

TEST(DropNoOps, WhatDoesSomethingStays) {
  for (const NodeSpec& node : std::vector<NodeSpec>{{"Dropout", {"a", "", "yes"}, {"b"}},
                                                    {"Dropout", {"a", "", "x"}, {"b"}},
                                                    {"Pad", {"a", "pads"}, {"b"}},
                                                    {"Pad", {"a", "x"}, {"b"}},
                                                    {"Transpose", {"a"}, {"b"}, {{"perm", Ints{0, 2, 1, 3}}}},
                                                    {"Transpose", {"a"}, {"b"}},
                                                    {"Concat", {"a", "a"}, {"b"}},
                                                    {"Cast", {"a"}, {"b"}, {{"to", int64_t{7}}}},
                                                    {"Reshape", {"a", "zeros"}, {"b"}}}) {
    SCOPED_TRACE(node.op);
    EXPECT_NE(Between(node).find(node.op), std::string::npos);
  }
}

TEST(DropNoOps, ADropoutWhoseMaskIsReadStays) {
  Graph graph = SmallGraph({{"Dropout", {"x"}, {"a", "mask"}}, {"Where", {"mask", "a", "a"}, {"y"}}});
  DropNoOps(graph);
  EXPECT_EQ(graph.nodes.size(), 2u);
}

TEST(DropNoOps, ACastOfWhatMayBeIntegersStays) {
  Graph graph = SmallGraph({{"ArgMax", {"x"}, {"a"}},
                            {"Relu", {"a"}, {"b"}},
                            {"Cast", {"b"}, {"c"}, {{"to", int64_t{1}}}},
                            {"Cast", {"c"}, {"y"}, {{"to", int64_t{1}}}}});
  DropNoOps(graph);
  EXPECT_EQ(Sketch(graph), "ArgMax(x)->a Relu(a)->b Cast(b)->y") << "only the second has floats for an input";
}

TEST(DropNoOps, AnIntegerInputIsCast) {
  Graph graph = SmallGraph({{"Cast", {"x"}, {"y"}, {{"to", int64_t{1}}}}});
  graph.inputs[0].type = DataType::kInt64;
  DropNoOps(graph);
  EXPECT_EQ(graph.nodes.size(), 1u);
}

TEST(DropNoOps, TheNodeBeforeTakesOverTheNameOfAnOutput) {
  Graph graph = SmallGraph({{"Relu", {"x"}, {"a"}},
                            {"Tanh", {"a"}, {"before"}},
                            {"Identity", {"a"}, {"b"}},
                            {"Dropout", {"b"}, {"y"}},
                            {"Tanh", {"a"}, {"after"}},
                            {"Tanh", {"y"}, {"behind"}}});
  DropNoOps(graph);
  EXPECT_EQ(Sketch(graph), "Relu(x)->y Tanh(y)->before Tanh(y)->after Tanh(y)->behind");
}

TEST(DropNoOps, ANameThatCannotBeTakenOverKeepsItsNode) {
  Graph of_input = SmallGraph({{"Identity", {"x"}, {"y"}}});
  DropNoOps(of_input);
  EXPECT_EQ(Sketch(of_input), "Identity(x)->y");

  Graph of_constant = SmallGraph({{"Identity", {"c"}, {"y"}}});
  of_constant.constants["c"] = Floats({1}, {1});
  DropNoOps(of_constant);
  EXPECT_EQ(Sketch(of_constant), "Identity(c)->y");

  Graph of_output = SmallGraph({{"Relu", {"x"}, {"z"}}, {"Identity", {"z"}, {"y"}}});
  of_output.outputs.push_back({"z", {}});
  DropNoOps(of_output);
  EXPECT_EQ(Sketch(of_output), "Relu(x)->z Identity(z)->y");

  Graph of_two = SmallGraph({{"Relu", {"x"}, {"a"}}, {"Identity", {"a"}, {"y"}}, {"Identity", {"a"}, {"z"}}});
  of_two.outputs.push_back({"z", {}});
  DropNoOps(of_two);
  EXPECT_EQ(Sketch(of_two), "Relu(x)->y Identity(y)->z");
}

}  // namespace
}  // namespace halfwave
