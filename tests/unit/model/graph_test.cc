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
  return {name, op, std::move(inputs), std::move(outputs), {}};
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
  EXPECT_THAT(std::string(integers.message()), HasSubstr("holds integers, expected floats"));
  EXPECT_FALSE(ConstantInput(graph, node, 9, DataType::kFloat, "bias").ok());
}

Graph FixedBatch(int64_t batch, std::vector<int64_t> target) {
  Graph graph = GraphOf({MakeNode("flat", {"x", "target"}, {"y"}, "Reshape")});
  graph.inputs[0].shape = {batch, 2, 3};
  graph.outputs = {{"y", {batch, 6}}};
  graph.constants["target"] = {DataType::kInt64, {static_cast<int64_t>(target.size())}, {}, std::move(target), {}};
  return graph;
}

TEST(FreeBatch, OpensInputsOutputsAndLeadingBatchesOfReshapes) {
  Graph graph = FixedBatch(8, {8, 6});
  EXPECT_TRUE(*FreeBatch(graph));
  EXPECT_EQ(graph.inputs[0].shape, (Shape{kBatch, 2, 3}));
  EXPECT_EQ(graph.outputs[0].shape, (Shape{kBatch, 6}));
  EXPECT_EQ(graph.constants["target"].ints, (std::vector<int64_t>{0, 6}));
}

TEST(FreeBatch, LeavesOtherTargetsAlone) {
  for (const std::vector<int64_t>& target : {std::vector<int64_t>{-1, 8}, {0, 8}, {16, 3}}) {
    Graph graph = FixedBatch(8, target);
    EXPECT_TRUE(*FreeBatch(graph));
    EXPECT_EQ(graph.constants["target"].ints, target);
  }
}

TEST(FreeBatch, LeavesAnOpenBatchAlone) {
  Graph graph = FixedBatch(kBatch, {1, 6});
  EXPECT_FALSE(*FreeBatch(graph));
  EXPECT_EQ(graph.constants["target"].ints, (std::vector<int64_t>{1, 6}));
}

}  // namespace
}  // namespace halfwave
