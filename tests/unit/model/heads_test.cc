// What a model's outputs are taken for, and the labels it brings along; what is computed from weights at load.
#include "model/engine/heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;
using Ints = std::vector<int64_t>;
using Labels = std::vector<std::string>;

// Logits "z" of three classes.
OnnxBuilder Logits() {
  OnnxBuilder network;
  network.Input("x", {-1, 2}).Weight("w", {2, 3}, {1, 0, 2, 0, 3, 1}).Node("MatMul", {"x", "w"}, {"z"});
  return network;
}

OnnxBuilder& MlNode(OnnxBuilder& network, const std::string& op, const std::vector<std::string>& inputs,
                    const std::string& output) {
  network.Node(op, inputs, {output});
  network.proto().mutable_graph()->mutable_node(network.proto().graph().node_size() - 1)->set_domain("ai.onnx.ml");
  return network;
}

void StringWeight(OnnxBuilder& network, const std::string& name, const Labels& values) {
  auto* tensor = network.proto().mutable_graph()->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(onnx::TensorProto::STRING);
  tensor->add_dims(static_cast<int64_t>(values.size()));
  for (const std::string& value : values) tensor->add_string_data(value);
}

std::shared_ptr<const Model> Load(const OnnxBuilder& network) {
  const auto model = LoadModel(network.Bytes());
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

TEST(Heads, AreSeenThroughWhatOnlyPassesThemOn) {
  const std::map<std::string, std::string> heads = {
      {"Softmax", "softmax"}, {"LogSoftmax", "log-softmax"}, {"Sigmoid", "sigmoid"}, {"Relu", "logits"}};
  for (const auto& [op, head] : heads) {
    OnnxBuilder network = Logits();
    network.IntWeight("t", {0, 3})
        .Node(op, {"z"}, {"p"})
        .Node("Reshape", {"p", "t"}, {"r"})
        .Node("Flatten", {"r"}, {"y"});
    const auto model = Load(network.Output("y"));
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->head(), head);
    EXPECT_EQ(model->scores_output(), 0u);
  }
}

TEST(Heads, AClassBesideItsScores) {
  OnnxBuilder network = Logits();
  network.Node("Softmax", {"z"}, {"p"}).Node("ArgMax", {"p"}, {"c"}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
  const auto model = Load(network.Output("c").Output("p"));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->head(), "label + softmax");
  EXPECT_EQ(model->scores_output(), 1u);
  EXPECT_EQ(model->outputs()[0].type, DataType::kInt64);
  EXPECT_EQ(model->outputs()[0].shape, (Shape{kBatch}));
  EXPECT_EQ(RunModel(model, {{0, 1, 1, 0}})[0], (std::vector<float>{1, 2}));
}

TEST(Heads, AClassAloneIsALabel) {
  OnnxBuilder network = Logits();
  network.Node("ArgMax", {"z"}, {"c"}, {{"axis", int64_t{1}}}).Output("c");
  const auto model = Load(network);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->head(), "label");
}

// scikit-learn's way: the place of the maximum, looked up in a table of the classes.
OnnxBuilder LookedUp() {
  OnnxBuilder network = Logits();
  network.Node("Softmax", {"z"}, {"p"}).Node("ArgMax", {"p"}, {"c"}, {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}});
  MlNode(network, "ArrayFeatureExtractor", {"classes", "c"}, "looked_up");
  network.IntWeight("t", {-1}).Node("Reshape", {"looked_up", "t"}, {"label"}).Output("label").Output("p");
  return network;
}

TEST(Labels, ATableOfNumbersGivesNumbersAndNamesTheClasses) {
  OnnxBuilder network = LookedUp();
  network.IntWeight("classes", {7, -2, 40});
  const auto model = Load(network);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->head(), "label + softmax");
  EXPECT_EQ(model->batch(), "free");
  EXPECT_EQ(model->metadata().labels, (Labels{"7", "-2", "40"}));
  EXPECT_EQ(model->properties().at("halfwave.labels"), R"(["7","-2","40"])");
  EXPECT_EQ(model->outputs()[0].type, DataType::kInt64);
  EXPECT_EQ(RunModel(model, {{0, 1, 1, 0}})[0], (std::vector<float>{-2, 40}));
}

TEST(Labels, ATableOfStringsLeavesThemToWhoeverAnswers) {
  OnnxBuilder network = LookedUp();
  StringWeight(network, "classes", {"ant", "bee", "cat"});
  const auto model = Load(network);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->metadata().labels, (Labels{"ant", "bee", "cat"}));
  EXPECT_EQ(model->outputs()[0].type, DataType::kString);
  EXPECT_EQ(model->outputs()[0].labels, (Labels{"ant", "bee", "cat"}));
  EXPECT_EQ(RunModel(model, {{0, 1, 1, 0}})[0], (std::vector<float>{1, 2}));
}

TEST(Labels, AZipMapIsServedAsItsNumbersAndNamesTheClasses) {
  for (const bool strings : {false, true}) {
    OnnxBuilder network = Logits();
    network.Node("Softmax", {"z"}, {"p"});
    MlNode(network, "ZipMap", {"p"}, "map").Output("map");
    auto* attribute = network.proto().mutable_graph()->mutable_node(2)->add_attribute();
    attribute->set_name(strings ? "classlabels_strings" : "classlabels_int64s");
    attribute->set_type(strings ? onnx::AttributeProto::STRINGS : onnx::AttributeProto::INTS);
    for (const int label : {5, 6, 9}) {
      if (strings) attribute->add_strings("class " + std::to_string(label));
      if (!strings) attribute->add_ints(label);
    }
    const auto model = Load(network);
    ASSERT_NE(model, nullptr);
    EXPECT_EQ(model->head(), "softmax");
    EXPECT_EQ(model->metadata().labels, strings ? (Labels{"class 5", "class 6", "class 9"}) : (Labels{"5", "6", "9"}));
    EXPECT_EQ(model->outputs()[0].shape, (Shape{kBatch, 3}));
  }
}

TEST(Labels, ThoseOfTheMetadataGoFirstAndATableOfAnotherLengthIsNotTaken) {
  OnnxBuilder named = LookedUp();
  named.IntWeight("classes", {7, -2, 40}).Metadata("halfwave.labels", R"(["a","b","c"])");
  EXPECT_EQ(Load(named)->metadata().labels, (Labels{"a", "b", "c"}));
  OnnxBuilder longer = LookedUp();
  EXPECT_TRUE(Load(longer.IntWeight("classes", {1, 2, 3, 4}))->metadata().labels.empty());
}

// --- computed at load ------------------------------------------------------------------------------------------------

TEST(Evaluate, WeightsComputedFromWeightsAreWeights) {
  OnnxBuilder network;
  network.Input("x", {-1, 2})
      .Weight("w", {3, 2}, {1, 4, 9, 16, 25, 36})
      .Weight("two", {1}, {2})
      .IntWeight("i", {1, 2, 3});
  network.IntWeight("t", {2, 3}).Node("Sqrt", {"w"}, {"roots"}).Node("Mul", {"roots", "two"}, {"doubled"});
  network.Node("Transpose", {"doubled"}, {"turned"}, {{"perm", Ints{1, 0}}})
      .Node("Reshape", {"turned", "t"}, {"weights"});
  network.Node("Cast", {"i"}, {"bias"}, {{"to", int64_t{1}}}).Node("Gemm", {"x", "weights", "bias"}, {"y"}).Output("y");
  for (const bool rewrite : {false, true}) {
    const auto model = LoadModel(network.Bytes(), {.rewrite = rewrite});
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->plan().steps.size(), 1u) << "only the layer itself is left";
    EXPECT_EQ(RunModel(*model, {{1, 0, 0, 1}})[0], (std::vector<float>{3, 8, 13, 5, 10, 15}));
  }
}

TEST(Evaluate, EveryOutputOfANodeIsComputed) {
  OnnxBuilder network;
  network.Input("x", {-1, 2}).Weight("w", {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  network.Node("Split", {"w"}, {"left", "right"}, {{"axis", int64_t{1}}}).Node("MatMul", {"x", "right"}, {"a"});
  network.Node("MatMul", {"a", "left"}, {"y"}).Output("y");
  const auto model = Load(network);
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(RunModel(model, {{1, 0}})[0], (std::vector<float>{23, 30}));
}

TEST(Evaluate, WhatIsNotFiniteOrNotExactIsRefused) {
  OnnxBuilder root;
  root.Input("x", {-1, 2})
      .Weight("w", {2}, {1, -1})
      .Node("Sqrt", {"w"}, {"r"})
      .Node("Add", {"x", "r"}, {"y"})
      .Output("y");
  EXPECT_THAT(std::string(LoadModel(root.Bytes()).status().message()), HasSubstr("not finite"));
  OnnxBuilder large;
  large.Input("x", {-1, 2}).IntWeight("i", {int64_t{1} << 40, 1}).IntWeight("j", {3, 5}).Node("Pow", {"i", "j"}, {"k"});
  large.Node("Cast", {"k"}, {"f"}, {{"to", int64_t{1}}}).Node("Add", {"x", "f"}, {"y"}).Output("y");
  EXPECT_THAT(std::string(LoadModel(large.Bytes()).status().message()), HasSubstr("above 2^24"));
}

}  // namespace
}  // namespace halfwave
