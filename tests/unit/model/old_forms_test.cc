// Operators as older opsets wrote them, and as they are written today: the same answers; and what the newest added.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/graph/shape_inference.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/reference.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;
using Ints = std::vector<int64_t>;
using Attributes = OnnxBuilder::Attributes;

struct List {
  std::string name;
  Ints values;
};

// One operator over "x" of shape [-1,4,3,5], its lists given as attributes up to opset `since`, as inputs from then on.
std::vector<std::vector<float>> RunForm(int64_t opset, int64_t since, const std::string& op,
                                        const std::vector<List>& lists, const Attributes& others = {},
                                        const std::vector<std::string>& outputs = {"y"}) {
  OnnxBuilder network(opset);
  network.Input("x", {-1, 4, 3, 5});
  std::vector<std::string> inputs = {"x"};
  Attributes attributes = others;
  for (const List& list : lists) {
    if (opset < since) {
      attributes[list.name] = list.values;
    } else {
      network.IntWeight(list.name, list.values);
      inputs.push_back(list.name);
    }
  }
  network.Node(op, inputs, outputs, attributes);
  for (const std::string& output : outputs) network.Output(output);
  const auto model = LoadModel(network.Bytes());
  EXPECT_TRUE(model.ok()) << "opset " << opset << ": " << model.status();
  return model.ok() ? RunModel(*model, {Noise(3 * 60, 5)}) : std::vector<std::vector<float>>{};
}

TEST(OldForms, ListsThatWereAttributesMeanWhatTheInputsMean) {
  EXPECT_EQ(RunForm(9, 10, "Slice", {{"starts", {1, -3}}, {"ends", {3, 5}}, {"axes", {1, 3}}}),
            RunForm(13, 10, "Slice", {{"starts", {1, -3}}, {"ends", {3, 5}}, {"axes", {1, 3}}}));
  EXPECT_EQ(RunForm(10, 11, "Pad", {{"pads", {0, 1, 0, 2, 0, 0, 1, 0}}}, {{"mode", std::string("edge")}}),
            RunForm(13, 11, "Pad", {{"pads", {0, 1, 0, 2, 0, 0, 1, 0}}}, {{"mode", std::string("edge")}}));
  EXPECT_EQ(RunForm(11, 13, "Unsqueeze", {{"axes", {1, 4}}}), RunForm(13, 13, "Unsqueeze", {{"axes", {1, 4}}}));
  const std::vector<std::string> two = {"y", "z"};
  EXPECT_EQ(RunForm(11, 13, "Split", {{"split", {1, 3}}}, {{"axis", int64_t{1}}}, two),
            RunForm(13, 13, "Split", {{"split", {1, 3}}}, {{"axis", int64_t{1}}}, two));
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare"}) {
    const auto old = RunForm(11, 13, op, {{"axes", {-1, 1}}}, {{"keepdims", int64_t{0}}});
    ASSERT_FALSE(old.empty());
    EXPECT_EQ(old[0].size(), 9u) << op;
    EXPECT_EQ(old, RunForm(18, 13, op, {{"axes", {-1, 1}}}, {{"keepdims", int64_t{0}}})) << op;
  }
}

TEST(OldForms, ASqueezeOfEitherFormDropsTheSameDimension) {
  for (const int64_t opset : {11, 13}) {
    OnnxBuilder network(opset);
    network.Input("x", {-1, 1, 3}).IntWeight("axes", {1});
    if (opset < 13) network.Node("Squeeze", {"x"}, {"y"}, {{"axes", Ints{1}}});
    if (opset >= 13) network.Node("Squeeze", {"x", "axes"}, {"y"});
    const auto model = LoadModel(network.Output("y").Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 3}));
  }
}

TEST(OldForms, TopKTakesItsNumberFromEitherPlace) {
  for (const int64_t opset : {9, 10, 11}) {
    OnnxBuilder network(opset);
    network.Input("x", {-1, 4}).IntWeight("k", {2});
    if (opset < 10) network.Node("TopK", {"x"}, {"v", "i"}, {{"k", int64_t{2}}});
    if (opset >= 10) network.Node("TopK", {"x", "k"}, {"v", "i"});
    const auto model = LoadModel(network.Output("v").Output("i").Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(RunModel(*model, {{3, 9, -1, 5}}), (std::vector<std::vector<float>>{{9, 5}, {1, 3}}));
  }
}

TEST(OldForms, ClipTakesItsLimitsFromEitherPlace) {
  for (const int64_t opset : {6, 10, 11, 13}) {
    OnnxBuilder network(opset);
    network.Input("x", {-1, 4}).Weight("low", {}, {-1}).Weight("high", {}, {2});
    if (opset < 11) network.Node("Clip", {"x"}, {"y"}, {{"min", -1.0f}, {"max", 2.0f}});
    if (opset >= 11) network.Node("Clip", {"x", "low", "high"}, {"y"});
    const auto model = LoadModel(network.Output("y").Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(RunModel(*model, {{3, -9, 0.5f, 2}})[0], (std::vector<float>{2, -1, 0.5f, 2}));
  }
}

TEST(OldForms, BroadcastingOfOpset6AlignsAtItsAxis) {
  for (const bool constant : {true, false}) {
    for (const char* op : {"Add", "Mul", "Sub", "Div"}) {
      OnnxBuilder network(6);
      network.Input("x", {-1, 3, 2, 2}).Weight("w", {3}, {1, 2, 4}).Weight("one", {1}, {1});
      network.Node("Mul", {"w", "one"}, {"v"}, {{"broadcast", int64_t{1}}});
      network.Node(op, {"x", constant ? "w" : "v"}, {"y"}, {{"broadcast", int64_t{1}}, {"axis", int64_t{1}}});
      network.Output("y");
      SCOPED_TRACE(op);
      ExpectComputes(network);
    }
  }
  OnnxBuilder two(6);
  two.Input("x", {-1, 3, 2}).Input("z", {-1, 3});
  two.Node("Add", {"x", "z"}, {"y"}, {{"broadcast", int64_t{1}}, {"axis", int64_t{0}}}).Output("y");
  ExpectComputes(two);
}

TEST(OldForms, ASlopePerChannelOfOpset6) {
  OnnxBuilder network(6);
  network.Input("x", {-1, 2, 2, 2})
      .Weight("slope", {2}, {0.5f, 0.25f})
      .Node("PRelu", {"x", "slope"}, {"y"})
      .Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(RunModel(*model, {std::vector<float>(8, -4.0f)})[0], (std::vector<float>{-2, -2, -2, -2, -1, -1, -1, -1}));
}

TEST(Opsets, AnOperatorIsRefusedBeforeTheOpsetThatIntroducedIt) {
  for (const OperatorRule& rule : Operators()) {
    if (rule.since == 1 || rule.op.find(':') != std::string_view::npos) continue;
    Graph graph;
    graph.opset = rule.since - 1;
    graph.inputs = {{"x", {kBatch, 2, 4, 4}}};
    const std::vector<std::string> inputs(rule.min_inputs, "x");
    graph.nodes = {{"n", std::string(rule.op), "", inputs, {"y"}, {}}};
    const absl::Status status = InferShapes(graph).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << rule.op;
    EXPECT_THAT(std::string(status.message()), HasSubstr("exists since opset " + std::to_string(rule.since)));
  }
}

TEST(Limits, RanksAboveSixteenAndRowsOfTooManyStepsAreRefused) {
  OnnxBuilder flat;
  flat.Input("x", {-1, 3}).IntWeight("t", {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3});
  EXPECT_TRUE(LoadModel(flat.Node("Reshape", {"x", "t"}, {"y"}).Output("y").Bytes()).ok()) << "rank 16";
  OnnxBuilder network;
  network.Input("x", {-1, 3}).IntWeight("t", {0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3});
  const auto status = LoadModel(network.Node("Reshape", {"x", "t"}, {"y"}).Output("y").Bytes()).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("empty or too large"));
  OnnxBuilder costly;
  costly.Input("x", {-1, 100}).Weight("w", {100, 100}, Noise(10000, 1)).Node("MatMul", {"x", "w"}, {"y"}).Output("y");
  EXPECT_TRUE(LoadModel(costly.Bytes(), {.max_steps_per_row = 30000}).ok());
  const auto refused = LoadModel(costly.Bytes(), {.max_steps_per_row = 9000}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("steps for one row"));
}

// Moving blocks to the depth and back, in either order, changes nothing; the two orders differ.
TEST(NewForms, SpaceToDepthHasAnOrderSinceOpset28) {
  std::vector<float> moved[2];
  for (const bool last : {false, true}) {
    const Attributes order = {{"blocksize", int64_t{2}}, {"mode", std::string(last ? "CRD" : "DCR")}};
    OnnxBuilder network(28);
    network.Input("x", {-1, 3, 4, 6}).Output("y").Output("back");
    network.Node("SpaceToDepth", {"x"}, {"y"}, order).Node("DepthToSpace", {"y"}, {"back"}, order);
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    const auto x = Noise(2 * 72, 6);
    const auto outputs = RunModel(*model, {x});
    moved[last] = outputs[0];
    EXPECT_EQ(outputs[1], x);
  }
  EXPECT_NE(moved[0], moved[1]);
  OnnxBuilder unknown(28);
  unknown.Input("x", {-1, 3, 4, 6}).Output("y");
  unknown.Node("SpaceToDepth", {"x"}, {"y"}, {{"blocksize", int64_t{2}}, {"mode", std::string("RDC")}});
  EXPECT_THAT(std::string(LoadModel(unknown.Bytes()).status().message()), HasSubstr("mode is 'RDC'"));
}

TEST(NewForms, ModOfFloatsHasTheSignOfTheDivisorSinceOpset28) {
  const float infinity = std::numeric_limits<float>::infinity();
  OnnxBuilder network(28);
  network.Input("x", {-1, 6}).Weight("w", {6}, {3, -3, 3, -3, 2, 2}).Node("Mod", {"x", "w"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  const auto y = RunModel(*model, {{-7.5f, 7.5f, 7.5f, 3, -0.0f, infinity}})[0];
  EXPECT_EQ(std::vector<float>(y.begin(), y.begin() + 5), std::vector<float>({1.5f, -1.5f, 1.5f, 0, 0}));
  EXPECT_TRUE(std::signbit(y[3]));
  EXPECT_FALSE(std::signbit(y[4]));
  EXPECT_TRUE(std::isnan(y[5]));
}

TEST(NewForms, RangeOfFloatsIsKnownAtLoad) {
  for (const int64_t opset : {11, 27}) {
    OnnxBuilder network(opset);
    network.Input("x", {-1, 4}).Weight("a", {}, {1}).Weight("b", {}, {2.9f}).Weight("d", {}, {0.5f}).Output("y");
    network.Node("Range", {"a", "b", "d"}, {"r"}).Node("Mul", {"x", "r"}, {"y"});
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(RunModel(*model, {{1, 1, 1, 1}})[0], std::vector<float>({1, 1.5f, 2, 2.5f}));
  }
}

}  // namespace
}  // namespace halfwave
