#include "model/graph/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <random>
#include <set>

#include "model/graph/free_batch.h"

namespace halfwave {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

Node MakeNode(const std::string& name, std::vector<std::string> inputs, std::vector<std::string> outputs,
              const std::string& op = "Relu") {
  return {name, op, "", std::move(inputs), std::move(outputs), {}};
}

Graph GraphOf(std::vector<Node> nodes) {
  Graph graph;
  graph.opset = 13;
  graph.inputs = {{"x", {kBatch, 4}}};
  graph.constants["w"] = {DataType::kFloat, {4}, {1, 2, 3, 4}, {}, {}};
  graph.nodes = std::move(nodes);
  return graph;
}

void ExpectSorted(const Graph& graph) {
  std::set<std::string> known = {"x", "w", ""};
  for (const Node& node : graph.nodes) {
    for (const std::string& input : node.inputs) EXPECT_TRUE(known.contains(input)) << node.name << " reads " << input;
    for (const std::string& output : node.outputs) known.insert(output);
  }
}

TEST(SortNodes, AnyOrderComesOutSorted) {
  std::cout << "seeds 1 to 50\n";
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    std::vector<Node> nodes;
    std::vector<std::string> values = {"x", "w", ""};
    for (int i = 0; i < 30; ++i) {
      const std::string name = "n" + std::to_string(i);
      nodes.push_back(MakeNode(name, {values[random() % values.size()], values[random() % values.size()]},
                               {name + "a", name + "b"}));
      values.push_back(name + "a");
      values.push_back(name + "b");
    }
    std::shuffle(nodes.begin(), nodes.end(), random);
    Graph graph = GraphOf(nodes);
    ASSERT_TRUE(SortNodes(graph).ok()) << "seed " << seed;
    EXPECT_EQ(graph.nodes.size(), nodes.size());
    ExpectSorted(graph);
  }
}

TEST(SortNodes, ANodeMayReadTheSameValueTwice) {
  Graph graph = GraphOf({MakeNode("sum", {"a", "a"}, {"b"}), MakeNode("first", {"x"}, {"a"})});
  ASSERT_TRUE(SortNodes(graph).ok());
  ExpectSorted(graph);
}

TEST(SortNodes, ACycleIsRefused) {
  Graph graph =
      GraphOf({MakeNode("fine", {"x"}, {"a"}), MakeNode("one", {"a", "c"}, {"b"}), MakeNode("two", {"b"}, {"c"})});
  const absl::Status status = SortNodes(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cycle"));
  EXPECT_THAT(std::string(status.message()),
              AnyOf(HasSubstr("node 'one' (Relu, opset 13)"), HasSubstr("node 'two' (Relu, opset 13)")));
}

TEST(SortNodes, ANodeThatReadsItselfIsRefused) {
  Graph graph = GraphOf({MakeNode("self", {"a"}, {"a"})});
  EXPECT_THAT(std::string(SortNodes(graph).message()), HasSubstr("node 'self'"));
}

TEST(SortNodes, ANodeBehindACycleIsNotBlamedForIt) {
  Graph graph =
      GraphOf({MakeNode("behind", {"c"}, {"d"}), MakeNode("one", {"c"}, {"b"}), MakeNode("two", {"b"}, {"c"})});
  EXPECT_THAT(std::string(SortNodes(graph).message()), Not(HasSubstr("'behind'")));
}

TEST(SortNodes, AValueWithTwoSourcesIsRefusedNamingTheSecond) {
  for (const std::string taken : {"a", "x", "w"}) {
    Graph graph = GraphOf({MakeNode("first", {"x"}, {"a"}), MakeNode("second", {"x"}, {taken})});
    const absl::Status status = SortNodes(graph);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << taken;
    EXPECT_THAT(std::string(status.message()), HasSubstr("node 'second'"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("'" + taken + "'"));
  }
  Graph graph = GraphOf({MakeNode("twice", {"x"}, {"a", "a"})});
  EXPECT_THAT(std::string(SortNodes(graph).message()), HasSubstr("node 'twice'"));
}

TEST(SortNodes, AnInputFromNowhereIsRefusedNamingItsReader) {
  Graph graph = GraphOf({MakeNode("reader", {"x", "lost"}, {"a"})});
  const absl::Status status = SortNodes(graph);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("node 'reader'"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("'lost'"));
}

TEST(ConstantInput, ErrorsSayWhatIsMissingAndWhere) {
  Graph graph = GraphOf({MakeNode("n", {"x", "w", "", "x", "i"}, {"y"}, "Gemm")});
  graph.constants["i"] = {DataType::kInt64, {1}, {}, {5}, {}};
  const Node& node = graph.nodes[0];
  EXPECT_TRUE(ConstantInput(graph, node, 1, DataType::kFloat, "weights").ok());
  const auto left_out = ConstantInput(graph, node, 2, DataType::kFloat, "bias").status();
  EXPECT_EQ(left_out.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(left_out.message()), HasSubstr("has no bias (input 2)"));
  const auto computed = ConstantInput(graph, node, 3, DataType::kFloat, "bias").status();
  EXPECT_EQ(computed.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(computed.message()), HasSubstr("its bias 'x' is computed at run time"));
  const auto integers = ConstantInput(graph, node, 4, DataType::kFloat, "bias").status();
  EXPECT_EQ(integers.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(integers.message()), HasSubstr("holds INT64, expected floats"));
  EXPECT_FALSE(ConstantInput(graph, node, 9, DataType::kFloat, "bias").ok());
}

Graph FixedBatch(int64_t batch, std::vector<int64_t> target) {
  Graph graph = GraphOf({MakeNode("flat", {"x", "target"}, {"y"}, "Reshape")});
  graph.inputs[0].shape = {batch, 2, 3};
  graph.outputs = {{"y", {batch, 6}}};
  graph.constants["target"] = {DataType::kInt64, {static_cast<int64_t>(target.size())}, {}, std::move(target), {}};
  return graph;
}

TEST(OpenBatch, OpensTheInputsAndRemembersTheSize) {
  Graph graph = FixedBatch(8, {8, 6});
  graph.inputs.push_back({"z", {8}});
  EXPECT_TRUE(OpenBatch(graph));
  EXPECT_EQ(graph.inputs[0].shape, (Shape{kBatch, 2, 3}));
  EXPECT_EQ(graph.inputs[1].shape, (Shape{kBatch}));
  EXPECT_EQ(graph.fixed_batch, 8);
  EXPECT_EQ(graph.constants["target"].ints, (std::vector<int64_t>{8, 6})) << "shape inference reads it";
}

TEST(OpenBatch, LeavesWhatIsOpenDifferentOrAScalarAlone) {
  for (const Shape& other : {Shape{4, 2}, {kBatch, 2}, {}}) {
    Graph graph = FixedBatch(8, {8, 6});
    graph.inputs.push_back({"z", other});
    EXPECT_FALSE(OpenBatch(graph));
    EXPECT_EQ(graph.inputs[0].shape, (Shape{8, 2, 3}));
    EXPECT_EQ(graph.fixed_batch, 0);
  }
  Graph open = FixedBatch(kBatch, {1, 6});
  EXPECT_FALSE(OpenBatch(open));
  Graph none = FixedBatch(8, {8, 6});
  none.inputs.clear();
  EXPECT_FALSE(OpenBatch(none));
}

TEST(CloseBatch, GivesTheFilesSizeBackOrOne) {
  Graph fixed = FixedBatch(8, {8, 6});
  ASSERT_TRUE(OpenBatch(fixed));
  CloseBatch(fixed);
  EXPECT_EQ(fixed.inputs[0].shape, (Shape{8, 2, 3}));
  EXPECT_EQ(fixed.fixed_batch, 0);
  Graph open = FixedBatch(kBatch, {1, 6});
  CloseBatch(open);
  EXPECT_EQ(open.inputs[0].shape, (Shape{1, 2, 3}));
}

TEST(ShapeWithBatch, PutsABatchInFrontOfWhatIsNotARow) {
  EXPECT_EQ(ShapeWithBatch({kBatch, 3}), (Shape{kBatch, 3}));
  EXPECT_EQ(ShapeWithBatch({1, 3}), (Shape{kBatch, 3}));
  EXPECT_EQ(ShapeWithBatch({4, 3}), (Shape{kBatch, 4, 3}));
  EXPECT_EQ(ShapeWithBatch({}), (Shape{kBatch}));
}

}  // namespace
}  // namespace halfwave
