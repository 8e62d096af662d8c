#include "model/graph/shape_inference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

#include "model/engine/lowering.h"
#include "model/graph/window.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
using Ints = std::vector<int64_t>;

Constant Floats(const Shape& shape) {
  return {DataType::kFloat, shape, std::vector<float>(NumElements(shape).value_or(0), 0.5f), {}, {}};
}

// One node "n" over an input "x" of the given shape, with constants "c1", "c2", ... as its other inputs.
Graph OneNode(const std::string& op, const Shape& input, const std::vector<Constant>& constants = {},
              std::map<std::string, Attribute> attributes = {}) {
  Graph graph;
  graph.opset = 13;
  graph.inputs = {{"x", input}};
  graph.outputs = {{"y", {}}};
  Node node{"n", op, "", {"x"}, {"y"}, std::move(attributes)};
  for (size_t i = 0; i < constants.size(); ++i) {
    node.inputs.push_back("c" + std::to_string(i + 1));
    graph.constants[node.inputs.back()] = constants[i];
  }
  graph.nodes = {node};
  return graph;
}

Constant Target(const Ints& values) {
  return {DataType::kInt64, {static_cast<int64_t>(values.size())}, {}, values, {}};
}

Shape OutputOf(const Graph& graph) {
  const auto shapes = InferShapes(graph);
  EXPECT_TRUE(shapes.ok()) << shapes.status();
  return shapes.ok() ? shapes->at("y").shape : Shape{};
}

void ExpectRefused(const Graph& graph, const std::string& what,
                   absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
  const auto status = InferShapes(graph).status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("node 'n' (" + graph.nodes[0].op + ", opset 13): "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(what));
}

TEST(Operators, AreTheSameForShapesAndForTheEngine) {
  std::set<std::string_view> known;
  for (const OperatorRule& rule : Operators()) known.insert(rule.op);
  for (const char* at_load : {"ConstantOfShape", "Range", "Shape", "Size"}) EXPECT_EQ(known.erase(at_load), 1u);
  const auto lowered = LoweredOperators();
  EXPECT_EQ(known, std::set<std::string_view>(lowered.begin(), lowered.end()));
}

TEST(InferShapes, AnUnknownOperatorIsNamedWithWhatIsSupported) {
  ExpectRefused(OneNode("LSTM", {kBatch, 4}), "this operator is not supported", absl::StatusCode::kUnimplemented);
  ExpectRefused(OneNode("LSTM", {kBatch, 4}), "Relu", absl::StatusCode::kUnimplemented);
}

TEST(InferShapes, TooManyOrTooFewInputsAreRefused) {
  ExpectRefused(OneNode("Relu", {kBatch, 4}, {Floats({4})}), "has 2 inputs, expected 1 to 1");
  ExpectRefused(OneNode("Gemm", {kBatch, 4}), "has 1 inputs, expected 2 to 3");
  Graph none = OneNode("Relu", {kBatch, 4});
  none.nodes[0].inputs.clear();
  ExpectRefused(none, "has 0 inputs");
  Graph left_out = OneNode("Relu", {kBatch, 4});
  left_out.nodes[0].inputs = {""};
  ExpectRefused(left_out, "input 0 is missing");
}

TEST(InferShapes, ANodeWithoutAnOutputIsRefused) {
  Graph graph = OneNode("Relu", {kBatch, 4});
  graph.nodes[0].outputs.clear();
  ExpectRefused(graph, "has no output");
}

TEST(InferShapes, AnOutputOfTheModelThatNoNodeProducesIsNamed) {
  Graph graph = OneNode("Relu", {kBatch, 4});
  graph.outputs.push_back({"elsewhere", {}});
  EXPECT_THAT(std::string(InferShapes(graph).status().message()), HasSubstr("output 'elsewhere'"));
}

TEST(Gemm, WeightsMustFitTheFeatures) {
  EXPECT_EQ(OutputOf(OneNode("Gemm", {kBatch, 4}, {Floats({4, 7})})), (Shape{kBatch, 7}));
  EXPECT_EQ(OutputOf(OneNode("Gemm", {kBatch, 4}, {Floats({7, 4})}, {{"transB", int64_t{1}}})), (Shape{kBatch, 7}));
  ExpectRefused(OneNode("Gemm", {kBatch, 4}, {Floats({5, 7})}), "weights take 5 features, but the input has 4");
  ExpectRefused(OneNode("Gemm", {kBatch, 4}, {Floats({4})}), "multiplies matrices");
  ExpectRefused(OneNode("Gemm", {kBatch, 4}, {Floats({4, 0})}), "empty or too large");
  ExpectRefused(OneNode("Gemm", {kBatch, 4, 1}, {Floats({4, 7})}), "multiplies matrices");
  ExpectRefused(OneNode("Gemm", {kBatch, 4}, {Floats({4, 7}), Floats({6})}), "cannot be broadcast");
  ExpectRefused(OneNode("Gemm", {kBatch, 4}, {Floats({4, 7}), Floats({3, 7})}), "cannot be broadcast");
  ExpectRefused(OneNode("Gemm", {kBatch, 4}, {Floats({4, 7}), Floats({1, 1, 7})}), "cannot be broadcast");
  ExpectRefused(OneNode("Gemm", {kBatch, 4}, {Floats({4, 7})}, {{"transA", int64_t{1}}}), "would mix the rows",
                absl::StatusCode::kUnimplemented);
  ExpectRefused(OneNode("Gemm", {kBatch, 4}, {Floats({4, 7})}, {{"transB", 1.0f}}),
                "attribute 'transB' has the wrong type");
}

TEST(Reshape, MayRearrangeARowButNeverMoveAnythingBetweenRows) {
  const Shape input = {kBatch, 2, 6};
  EXPECT_EQ(OutputOf(OneNode("Reshape", input, {Target({-1, 12})})), (Shape{kBatch, 12}));
  EXPECT_EQ(OutputOf(OneNode("Reshape", input, {Target({0, -1})})), (Shape{kBatch, 12}));
  EXPECT_EQ(OutputOf(OneNode("Reshape", input, {Target({0, 2, 0})})), (Shape{kBatch, 2, 6}));
  EXPECT_EQ(OutputOf(OneNode("Reshape", input, {Target({0, 3, -1, 2})})), (Shape{kBatch, 3, 2, 2}));
  EXPECT_EQ(OutputOf(OneNode("Reshape", input, {Target({-1, 6})})), (Shape{-2, 6})) << "two of them for each row";
  EXPECT_EQ(OutputOf(OneNode("Reshape", input, {Target({-1})})), (Shape{-12}));
  EXPECT_EQ(OutputOf(OneNode("Reshape", input, {Target({1, -1, 6})})), (Shape{1, -2, 6}));
  EXPECT_EQ(OutputOf(OneNode("Reshape", {-2, 6}, {Target({-1, 12})})), (Shape{kBatch, 12}));
  EXPECT_EQ(OutputOf(OneNode("Reshape", {-2, 6}, {Target({0, 3, 2})})), (Shape{-2, 3, 2}));
  EXPECT_EQ(OutputOf(OneNode("Reshape", {1, kBatch, 6}, {Target({-1, 6})})), (Shape{kBatch, 6}));
  for (const Ints& target : {Ints{-1, 24}, {0, 5, -1}, {0, -1, -1}, {0, 12, 0, 0}, {0, -2}, {}}) {
    ExpectRefused(OneNode("Reshape", input, {Target(target)}), "target shape");
  }
  for (const Ints& target : {Ints{12}, {1, 12}, {2, -1}, {6, -1}, {2, -1, 6}}) {
    ExpectRefused(OneNode("Reshape", input, {Target(target)}), "does not keep the rows of a batch apart",
                  absl::StatusCode::kUnimplemented);
  }
  ExpectRefused(OneNode("Reshape", {3, kBatch, 4}, {Target({-1, 12})}), "does not keep the rows",
                absl::StatusCode::kUnimplemented);
}

TEST(Reshape, HostileTargetsDoNotOverflow) {
  const Shape input = {kBatch, 2, 6};
  for (const Ints& target : {Ints{0, kHuge},
                             {0, kHuge, kHuge},
                             {0, int64_t{1} << 31, int64_t{1} << 31, int64_t{1} << 31},
                             {0, -1, kHuge},
                             {kHuge, 12},
                             {std::numeric_limits<int64_t>::min(), 12},
                             {0, int64_t{1} << 32, int64_t{1} << 32, 12}}) {
    ExpectRefused(OneNode("Reshape", input, {Target(target)}), "target shape");
  }
}

TEST(Reshape, ATargetOfFloatsIsRefused) {
  ExpectRefused(OneNode("Reshape", {kBatch, 4}, {Floats({2})}), "holds FP32, expected integers");
}

TEST(Flatten, CountsTheBatchTogetherWithWhatFollowsIt) {
  EXPECT_EQ(OutputOf(OneNode("Flatten", {kBatch, 3, 4, 5})), (Shape{kBatch, 60}));
  EXPECT_EQ(OutputOf(OneNode("Flatten", {kBatch, 3, 4, 5}, {}, {{"axis", int64_t{-3}}})), (Shape{kBatch, 60}));
  EXPECT_EQ(OutputOf(OneNode("Flatten", {kBatch, 3, 4, 5}, {}, {{"axis", int64_t{2}}})), (Shape{-3, 20}));
  EXPECT_EQ(OutputOf(OneNode("Flatten", {kBatch, 3, 4, 5}, {}, {{"axis", int64_t{4}}})), (Shape{-60, 1}));
  EXPECT_EQ(OutputOf(OneNode("Flatten", {kBatch, 3, 4, 5}, {}, {{"axis", int64_t{0}}})), (Shape{1, -60}));
  EXPECT_EQ(OutputOf(OneNode("Flatten", {3, kBatch}, {}, {{"axis", int64_t{1}}})), (Shape{3, kBatch}));
  ExpectRefused(OneNode("Flatten", {3, kBatch}, {}, {{"axis", int64_t{2}}}), "does not keep the rows",
                absl::StatusCode::kUnimplemented);
  for (const int64_t axis : {int64_t{5}, int64_t{-5}, kHuge, -kHuge}) {
    ExpectRefused(OneNode("Flatten", {kBatch, 3, 4, 5}, {}, {{"axis", axis}}), "'axis'");
  }
}

TEST(Softmax, TheAxisMustNotBeTheBatch) {
  for (const int64_t axis : {0, -2}) {
    ExpectRefused(OneNode("Softmax", {kBatch, 4}, {}, {{"axis", axis}}), "would mix the rows",
                  absl::StatusCode::kUnimplemented);
  }
  for (const int64_t axis : {int64_t{2}, int64_t{-3}, kHuge}) {
    ExpectRefused(OneNode("Softmax", {kBatch, 4}, {}, {{"axis", axis}}), "'axis' is");
  }
}

TEST(Add, ConstantsMustBroadcastToTheRow) {
  for (const Shape& shape : {Shape{}, {1}, {5}, {4, 1}, {3, 1, 1}, {1, 3, 4, 5}, {1, 1, 1, 1}}) {
    EXPECT_EQ(OutputOf(OneNode("Add", {kBatch, 3, 4, 5}, {Floats(shape)})), (Shape{kBatch, 3, 4, 5}));
  }
  EXPECT_EQ(OutputOf(OneNode("Add", {kBatch, 3, 1, 5}, {Floats({4, 1})})), (Shape{kBatch, 3, 4, 5}));
  EXPECT_EQ(OutputOf(OneNode("Add", {kBatch, 3}, {Floats({2, 1, 3})})), (Shape{2, kBatch, 3}));
  for (const Shape& shape : {Shape{3}, {2, 3, 4, 5}, {0}}) {
    ExpectRefused(OneNode("Add", {kBatch, 3, 4, 5}, {Floats(shape)}), "cannot combine");
  }
}

TEST(Operators, StandInTheOrderOfTheirNames) {
  const auto rules = Operators();
  EXPECT_TRUE(std::is_sorted(rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.op < b.op; }));
}

TEST(Arithmetic, TwoComputedOperandsAreBroadcastButNeverTwoBatches) {
  for (const char* op : {"Add", "Div", "Mul", "Sub", "Pow", "Max", "Greater", "And"}) {
    Graph graph = OneNode(op, {kBatch, 3});
    graph.nodes[0].inputs = {"x", "x"};
    EXPECT_EQ(OutputOf(graph), (Shape{kBatch, 3}));
    graph.inputs.push_back({"z", {kBatch, 1}});
    graph.nodes[0].inputs = {"x", "z"};
    EXPECT_EQ(OutputOf(graph), (Shape{kBatch, 3}));
    for (const Shape& shape : {Shape{kBatch, 2}, {kBatch}, {-2, 3}, {4, 3}}) {
      graph.inputs[1].shape = shape;
      ExpectRefused(graph, "cannot combine");
    }
    graph.inputs[1].shape = {kBatch, 1, 1};
    ExpectRefused(graph, "its output [-1,-1,3]");
  }
}

TEST(Gelu, TheApproximationMustBeKnown) {
  Graph graph = OneNode("Gelu", {kBatch, 3}, {}, {{"approximate", std::string("tanh")}});
  graph.opset = 20;
  EXPECT_EQ(OutputOf(graph), (Shape{kBatch, 3}));
  graph.nodes[0].attributes["approximate"] = std::string("erf");
  EXPECT_THAT(std::string(InferShapes(graph).status().message()), HasSubstr("'approximate'"));
}

TEST(Concat, EveryInputMustFitBesideTheOthersAndTheBatchStays) {
  Graph graph = OneNode("Concat", {kBatch, 3, 4}, {}, {{"axis", int64_t{-1}}});
  graph.inputs.push_back({"z", {kBatch, 3, 5}});
  graph.nodes[0].inputs = {"x", "z", "x"};
  EXPECT_EQ(OutputOf(graph), (Shape{kBatch, 3, 13}));
  graph.nodes[0].attributes["axis"] = int64_t{1};
  ExpectRefused(graph, "cannot put input 1 beside");
  for (const int64_t axis : {0, -3}) {
    graph.nodes[0].attributes["axis"] = axis;
    ExpectRefused(graph, "would mix the rows", absl::StatusCode::kUnimplemented);
  }
  for (const int64_t axis : {int64_t{3}, kHuge, -kHuge}) {
    graph.nodes[0].attributes["axis"] = axis;
    ExpectRefused(graph, "'axis' is");
  }
  graph.nodes[0].attributes["axis"] = int64_t{2};
  graph.inputs[1].shape = {kBatch, 3};
  ExpectRefused(graph, "cannot put input 1 beside");
  graph = OneNode("Concat", {kBatch, 3}, {Floats({1, 3})}, {{"axis", int64_t{1}}});
  ExpectRefused(graph, "cannot put input 1 beside");  // one row of it would have to stand beside every row
  graph.inputs[0].shape = {1, 3};
  EXPECT_EQ(OutputOf(graph), (Shape{1, 6}));
}

TEST(Concat, HostileSizesDoNotOverflow) {
  Graph graph = OneNode("Concat", {kBatch, int64_t{1} << 26});
  graph.nodes[0].inputs = std::vector<std::string>(64, "x");
  ExpectRefused(graph, "cannot put input 32 beside");
}

TEST(Transpose, PermutesTheRowAndTakesTheBatchAlong) {
  const Shape input = {kBatch, 2, 3, 4};
  EXPECT_EQ(OutputOf(OneNode("Transpose", input, {}, {{"perm", Ints{0, 3, 1, 2}}})), (Shape{kBatch, 4, 2, 3}));
  for (const Ints& perm : {Ints{0, 1, 2}, {0, 1, 2, 2}, {0, 1, 2, 4}, {0, 1, 2, -2}, {0, 1, 2, kHuge}, {}}) {
    ExpectRefused(OneNode("Transpose", input, {}, {{"perm", perm}}), "'perm'");
  }
  EXPECT_EQ(OutputOf(OneNode("Transpose", input, {}, {{"perm", Ints{1, 0, 2, 3}}})), (Shape{2, kBatch, 3, 4}));
  EXPECT_EQ(OutputOf(OneNode("Transpose", input)), (Shape{4, 3, 2, kBatch}));
}

TEST(Slice, KeepsWhatOnnxSays) {
  const Shape input = {kBatch, 6, 5};
  const int64_t most_negative = std::numeric_limits<int64_t>::min();
  struct Case {
    Ints starts, ends, axes, steps;
    Shape output;
  };
  const std::vector<Case> cases = {{{1}, {4}, {1}, {1}, {kBatch, 3, 5}},
                                   {{0, 1}, {kHuge, -1}, {0, 2}, {1, 2}, {kBatch, 6, 2}},
                                   {{-2}, {kHuge}, {-1}, {1}, {kBatch, 6, 2}},
                                   {{most_negative}, {kHuge}, {1}, {kHuge}, {kBatch, 1, 5}},
                                   {{kHuge}, {most_negative}, {1}, {-1}, {kBatch, 6, 5}},
                                   {{-1}, {most_negative}, {1}, {-4}, {kBatch, 2, 5}}};
  for (const Case& c : cases) {
    EXPECT_EQ(OutputOf(OneNode("Slice", input, {Target(c.starts), Target(c.ends), Target(c.axes), Target(c.steps)})),
              c.output);
  }
}

TEST(Slice, WhatIsEmptyCutsTheBatchOrIsNotOfOneLengthIsRefused) {
  const Shape input = {kBatch, 6, 5};
  const auto slice = [&](const Ints& starts, const Ints& ends, const Ints& axes, const Ints& steps) {
    return OneNode("Slice", input, {Target(starts), Target(ends), Target(axes), Target(steps)});
  };
  ExpectRefused(slice({3}, {3}, {1}, {1}), "leaves nothing");
  ExpectRefused(slice({kHuge}, {kHuge}, {1}, {1}), "leaves nothing");
  ExpectRefused(slice({0}, {3}, {1}, {0}), "leads nowhere");
  ExpectRefused(slice({0}, {3}, {1}, {std::numeric_limits<int64_t>::min()}), "leads nowhere");
  ExpectRefused(slice({0}, {3}, {3}, {1}), "'axes' is 3, but its input has");
  ExpectRefused(slice({0, 0}, {3, 3}, {1, -2}, {1, 1}), " twice");
  ExpectRefused(slice({0, 0}, {3}, {1, 2}, {1, 1}), "not of one length");
  ExpectRefused(slice({}, {}, {}, {}), "not of one length");
  ExpectRefused(slice({0}, {3}, {0}, {1}), "cuts the batch", absl::StatusCode::kUnimplemented);
  ExpectRefused(slice({0}, {kHuge}, {0}, {2}), "cuts the batch", absl::StatusCode::kUnimplemented);
}

TEST(Squeeze, DropsDimensionsOfOneButNeverTheBatch) {
  const Shape input = {kBatch, 1, 3, 1};
  EXPECT_EQ(OutputOf(OneNode("Squeeze", input, {Target({1})})), (Shape{kBatch, 3, 1}));
  EXPECT_EQ(OutputOf(OneNode("Squeeze", input, {Target({-1, 1})})), (Shape{kBatch, 3}));
  EXPECT_EQ(OutputOf(OneNode("Squeeze", input)), (Shape{kBatch, 3}));
  ExpectRefused(OneNode("Squeeze", input, {Target({2})}), "is not 1");
  ExpectRefused(OneNode("Squeeze", input, {Target({1, -3})}), " twice");
  ExpectRefused(OneNode("Squeeze", input, {Target({4})}), "'axes' is 4, but its input has");
  ExpectRefused(OneNode("Squeeze", input, {Target({0})}), "is not 1");
  ExpectRefused(OneNode("Squeeze", input, {Target({-4})}), "is not 1");
  Graph old = OneNode("Squeeze", input, {}, {{"axes", Ints{1, 3}}});
  old.opset = 11;
  EXPECT_EQ(OutputOf(old), (Shape{kBatch, 3}));
}

TEST(Unsqueeze, InsertsDimensionsAnywhere) {
  const Shape input = {kBatch, 3};
  EXPECT_EQ(OutputOf(OneNode("Unsqueeze", input, {Target({3, 1})})), (Shape{kBatch, 1, 3, 1}));
  EXPECT_EQ(OutputOf(OneNode("Unsqueeze", input, {Target({-1})})), (Shape{kBatch, 3, 1}));
  EXPECT_EQ(OutputOf(OneNode("Unsqueeze", input, {Target({0})})), (Shape{1, kBatch, 3}));
  EXPECT_EQ(OutputOf(OneNode("Unsqueeze", input, {Target({-3})})), (Shape{1, kBatch, 3}));
  ExpectRefused(OneNode("Unsqueeze", input, {Target({3})}), "'axes' is 3, but its input has");
  ExpectRefused(OneNode("Unsqueeze", input, {Target({1, 1})}), " twice");
  ExpectRefused(OneNode("Unsqueeze", input, {Target({})}), "which dimensions to insert");
  Graph old = OneNode("Unsqueeze", input, {}, {{"axes", Ints{1}}});
  old.opset = 12;
  EXPECT_EQ(OutputOf(old), (Shape{kBatch, 1, 3}));
}

TEST(BatchNormalization, EveryStatisticMustHaveOneValuePerChannel) {
  const std::vector<Constant> fine(4, Floats({3}));
  EXPECT_EQ(OutputOf(OneNode("BatchNormalization", {kBatch, 3, 2, 2}, fine)), (Shape{kBatch, 3, 2, 2}));
  const char* roles[] = {"scale", "bias", "mean", "variance"};
  for (size_t i = 0; i < 4; ++i) {
    std::vector<Constant> wrong = fine;
    wrong[i] = Floats({4});
    ExpectRefused(OneNode("BatchNormalization", {kBatch, 3, 2, 2}, wrong), roles[i]);
  }
  ExpectRefused(OneNode("BatchNormalization", {kBatch, 3}, fine, {{"training_mode", int64_t{1}}}), "training mode",
                absl::StatusCode::kUnimplemented);
}

TEST(Conv, WeightsGroupAndBiasMustFit) {
  const Shape input = {kBatch, 4, 6, 6};
  EXPECT_EQ(OutputOf(OneNode("Conv", input, {Floats({8, 4, 3, 3})})), (Shape{kBatch, 8, 4, 4}));
  EXPECT_EQ(OutputOf(OneNode("Conv", input, {Floats({8, 2, 3, 3})}, {{"group", int64_t{2}}})),
            (Shape{kBatch, 8, 4, 4}));
  for (const int64_t group : {int64_t{0}, int64_t{-1}, int64_t{3}, int64_t{5}, kHuge, -kHuge}) {
    ExpectRefused(OneNode("Conv", input, {Floats({8, 4, 3, 3})}, {{"group", group}}), "group");
  }
  ExpectRefused(OneNode("Conv", input, {Floats({8, 3, 3, 3})}), "do not fit");
  ExpectRefused(OneNode("Conv", input, {Floats({8, 4, 3})}), "do not fit");
  ExpectRefused(OneNode("Conv", input, {Floats({0, 4, 3, 3})}), "do not fit");
  ExpectRefused(OneNode("Conv", input, {Floats({8, 4, 0, 3})}), "'kernel_shape'");
  ExpectRefused(OneNode("Conv", input, {Floats({8, 4, 7, 7})}), "a window of 7 does not fit into an input of 6");
  ExpectRefused(OneNode("Conv", input, {Floats({8, 4, 3, 3}), Floats({7})}), "bias is of shape [7]");
  EXPECT_EQ(OutputOf(OneNode("Conv", {kBatch, 4, 6}, {Floats({8, 4, 3})})), (Shape{kBatch, 8, 4}));
  ExpectRefused(OneNode("Conv", {kBatch, 4}, {Floats({8, 4})}), "expects an input of rank 3");
  ExpectRefused(OneNode("Conv", {kBatch, 4, 2, 2, 2, 2}, {Floats({8, 4, 1, 1, 1, 1})}), "more than three dimensions",
                absl::StatusCode::kUnimplemented);
  ExpectRefused(OneNode("Conv", {4, kBatch, 6}, {Floats({8, 4, 3})}), "would mix the rows",
                absl::StatusCode::kUnimplemented);
}

TEST(Window, BadAttributesNameNodeAndAttribute) {
  const Shape input = {kBatch, 1, 6, 6};
  const std::vector<Constant> weights = {Floats({1, 1, 3, 3})};
  const std::map<std::string, std::vector<Attribute>> bad = {
      {"strides",
       {Ints{0, 1}, Ints{1, -1}, Ints{1}, Ints{1, 1, 1}, Ints{kHuge, 1}, Ints{1, int64_t{1} << 25}, int64_t{1}}},
      {"dilations", {Ints{0, 1}, Ints{-5, 1}, Ints{}, Ints{kHuge, kHuge}, std::string("1,1")}},
      {"pads", {Ints{0, 0}, Ints{-1, 0, 0, 0}, Ints{0, 0, 0, kHuge}, Ints{0, 0, 0, 0, 0}, 1.0f}},
      {"kernel_shape", {Ints{3}, Ints{3, 2}, Ints{0, 3}, Ints{3, kHuge}}},
      {"auto_pad", {std::string("SAME"), std::string(""), int64_t{1}}}};
  for (const auto& [name, values] : bad) {
    for (const Attribute& value : values) {
      ExpectRefused(OneNode("Conv", input, weights, {{name, value}}), "attribute '" + name + "'");
    }
  }
}

TEST(Window, APoolWithoutItsKernelSaysThatItIsMissing) {
  ExpectRefused(OneNode("MaxPool", {kBatch, 1, 6, 6}), "attribute 'kernel_shape' is missing");
}

TEST(Window, PoolPaddingAsLargeAsTheWindowIsRefused) {
  ExpectRefused(OneNode("MaxPool", {kBatch, 1, 6, 6}, {}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{2, 0, 0, 0}}}),
                "padding 2+0 is not smaller than the window of 2");
}

TEST(Window, TheLargestAttributesDoNotOverflow) {
  const int64_t most = int64_t{1} << 24;
  const std::map<std::string, Attribute> attributes = {{"kernel_shape", Ints{most, most}},
                                                       {"dilations", Ints{most, most}},
                                                       {"strides", Ints{most, most}},
                                                       {"pads", Ints{most, most, most, most}}};
  EXPECT_FALSE(InferShapes(OneNode("MaxPool", {kBatch, 1, 6, 6}, {}, attributes)).ok());
  for (const char* auto_pad : {"SAME_UPPER", "SAME_LOWER", "VALID"}) {
    auto with = attributes;
    with["auto_pad"] = std::string(auto_pad);
    InferShapes(OneNode("MaxPool", {kBatch, 1, 6, 6}, {}, with)).IgnoreError();
    InferShapes(OneNode("MaxPool", {kBatch, 1, int64_t{1} << 30, 1}, {}, with)).IgnoreError();
  }
}

TEST(Window, OutputsAreAsOnnxCountsThem) {
  struct Case {
    int64_t input;
    std::map<std::string, Attribute> attributes;
    int64_t output;
  };
  const auto both = [](int64_t v) { return Ints{v, v}; };
  const std::vector<Case> cases = {
      {5, {{"kernel_shape", both(2)}, {"strides", both(2)}}, 2},
      {5, {{"kernel_shape", both(2)}, {"strides", both(2)}, {"ceil_mode", int64_t{1}}}, 3},
      {4, {{"kernel_shape", both(1)}, {"strides", both(3)}, {"ceil_mode", int64_t{1}}}, 2},
      // The third window would start behind the data.
      {2, {{"kernel_shape", both(2)}, {"strides", both(2)}, {"pads", Ints{0, 0, 1, 1}}, {"ceil_mode", int64_t{1}}}, 1},
      {7, {{"kernel_shape", both(3)}, {"dilations", both(3)}}, 1},
      {7, {{"kernel_shape", both(3)}, {"strides", both(2)}, {"auto_pad", std::string("SAME_UPPER")}}, 4},
      {7, {{"kernel_shape", both(3)}, {"strides", both(2)}, {"auto_pad", std::string("VALID")}}, 3},
      {6, {{"kernel_shape", both(2)}, {"auto_pad", std::string("SAME_LOWER")}}, 6}};
  for (const Case& c : cases) {
    EXPECT_EQ(OutputOf(OneNode("MaxPool", {kBatch, 2, c.input, c.input}, {}, c.attributes)),
              (Shape{kBatch, 2, c.output, c.output}));
  }
}

TEST(Window, SamePaddingPutsTheOddOneBehindOrBefore) {
  for (const bool upper : {true, false}) {
    Graph graph =
        OneNode("MaxPool", {kBatch, 1, 6, 6}, {},
                {{"kernel_shape", Ints{2, 2}}, {"auto_pad", std::string(upper ? "SAME_UPPER" : "SAME_LOWER")}});
    const Shape spatial = {6, 6};
    const TypeMap types;
    const auto window = ResolveWindow(NodeContext(graph, graph.nodes[0], types), spatial, {});
    ASSERT_TRUE(window.ok());
    EXPECT_EQ(window->pads_begin, (Ints{upper ? 0 : 1, upper ? 0 : 1}));
    EXPECT_EQ(window->pads_end, (Ints{upper ? 1 : 0, upper ? 1 : 0}));
  }
}

TEST(InferShapes, AWindowThatWouldTakeDaysIsRefused) {
  ExpectRefused(OneNode("MaxPool", {kBatch, 1, 1, 1}, {},
                        {{"kernel_shape", Ints{3000, 3000}}, {"pads", Ints{2999, 2999, 2999, 2999}}}),
                "steps for one row", absl::StatusCode::kResourceExhausted);
}

TEST(InferShapes, ARowTooLargeToHoldIsRefusedWhereverItComesFrom) {
  const Shape huge = {kBatch, 1, int64_t{1} << 40, 1};
  EXPECT_THAT(std::string(InferShapes(OneNode("Relu", huge)).status().message()), HasSubstr("input 'x'"));
  EXPECT_FALSE(InferShapes(OneNode("GlobalAveragePool", huge)).ok()) << "the input is as large as before the pool";
}

}  // namespace
}  // namespace halfwave
