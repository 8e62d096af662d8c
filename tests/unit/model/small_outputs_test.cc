// Outputs and types that few models use, of operators that many do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Floats = std::vector<float>;
using Outputs = std::vector<Floats>;

void SetInputType(OnnxBuilder& network, int input, onnx::TensorProto::DataType type) {
  auto* value = network.proto().mutable_graph()->mutable_input(input);
  value->mutable_type()->mutable_tensor_type()->set_elem_type(type);
}

absl::StatusOr<Outputs> Compute(const OnnxBuilder& network, const Outputs& inputs) {
  const auto model = LoadModel(network.Bytes());
  if (!model.ok()) return model.status();
  return RunModel(*model, inputs);
}

TEST(Dropout, ItsMaskIsAllOnesAndItsOutputTheInput) {
  for (const int64_t opset : {7, 13}) {
    OnnxBuilder network(opset);
    network.Input("x", {-1, 3}).Node("Dropout", {"x"}, {"y", "mask"}).Output("y").Output("mask");
    const Floats x = Noise(6, 1);
    const auto outputs = Compute(network, {x});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_EQ((*outputs)[0], x);
    EXPECT_THAT((*outputs)[1], Each(1.0f));
    EXPECT_EQ((*outputs)[1].size(), 6u);
  }
}

TEST(Dropout, ThatTrainsIsRefusedInOldFilesToo) {
  for (const int64_t is_test : {0, 1}) {
    OnnxBuilder network(6);
    network.Input("x", {-1, 3}).Node("Dropout", {"x"}, {"y"}, {{"is_test", is_test}}).Output("y");
    EXPECT_EQ(Compute(network, {Floats(3)}).ok(), is_test == 1);
  }
}

TEST(LayerNormalization, GivesMeanAndInverseDeviation) {
  for (const auto& [axis, length] : {std::pair<int64_t, int64_t>{-1, 5}, {1, 15}, {2, 5}}) {
    OnnxBuilder network(17);
    network.Input("x", {-1, 3, 5}).Weight("w", {1}, {1}).Node("Tanh", {"x"}, {"t"});
    network.Node("LayerNormalization", {"t", "w"}, {"y", "mean", "inverse"}, {{"axis", axis}, {"epsilon", 0.01f}});
    network.Output("y").Output("mean").Output("inverse");
    const Floats x = Noise(30, 2, -2, 2);
    const auto outputs = Compute(network, {x});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_EQ((*outputs)[1].size(), 30u / length);
    for (int64_t group = 0; group < 30 / length; ++group) {
      double mean = 0, variance = 0;
      for (int64_t i = 0; i < length; ++i) mean += std::tanh(static_cast<double>(x[group * length + i])) / length;
      for (int64_t i = 0; i < length; ++i) {
        variance += std::pow(std::tanh(static_cast<double>(x[group * length + i])) - mean, 2) / length;
      }
      const double inverse = 1 / std::sqrt(variance + 0.01);
      EXPECT_NEAR((*outputs)[1][group], mean, 1e-6);
      EXPECT_NEAR((*outputs)[2][group], inverse, 1e-5 * inverse);
      for (int64_t i = 0; i < length; ++i) {
        const double value = std::tanh(static_cast<double>(x[group * length + i]));
        EXPECT_NEAR((*outputs)[0][group * length + i], (value - mean) * inverse, 1e-5);
      }
    }
  }
}

TEST(Clip, OfIntegersHasIntegerBounds) {
  OnnxBuilder network(13);
  network.Input("x", {-1, 4}).IntWeight("low", {-1}).IntWeight("high", {3});
  SetInputType(network, 0, onnx::TensorProto::INT64);
  for (const char* bound : {"low", "high"}) {
    for (auto& weight : *network.proto().mutable_graph()->mutable_initializer()) {
      if (weight.name() == bound) weight.clear_dims();
    }
  }
  network.Node("Clip", {"x", "low", "high"}, {"both"}).Node("Clip", {"x", "", "high"}, {"above"});
  network.Output("both").Output("above");
  const auto outputs = Compute(network, {{-16777216, -1, 2, 16777216}});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT((*outputs)[0], ElementsAre(-1, -1, 2, 3));
  EXPECT_THAT((*outputs)[1], ElementsAre(-16777216, -1, 2, 3));
}

TEST(SmallIntegers, AreComparedButNotAdded) {
  for (const char* op : {"Max", "Min", "Add"}) {
    OnnxBuilder network(13);
    network.Input("x", {-1, 2}).Input("z", {-1, 2}).Node(op, {"x", "z"}, {"y"}).Output("y");
    SetInputType(network, 0, onnx::TensorProto::UINT8);
    SetInputType(network, 1, onnx::TensorProto::UINT8);
    const auto outputs = Compute(network, {{255, 0}, {1, 2}});
    if (std::string(op) == "Add") {
      EXPECT_THAT(outputs.status().ToString(), HasSubstr("wraps around"));
    } else {
      ASSERT_TRUE(outputs.ok()) << outputs.status();
      EXPECT_EQ((*outputs)[0], std::string(op) == "Max" ? (Floats{255, 2}) : (Floats{1, 0}));
    }
  }
}

TEST(Mod, TakesTheSignOfTheDivisorOrWithFmodOfTheDividend) {
  const Floats x = {7, -7, 7, -7}, z = {3, 3, -3, -3};
  OnnxBuilder network(13);
  network.Input("x", {-1, 4}).Input("z", {-1, 4});
  for (const int input : {0, 1}) SetInputType(network, input, onnx::TensorProto::INT32);
  network.Node("Mod", {"x", "z"}, {"floor"}).Node("Mod", {"x", "z"}, {"fmod"}, {{"fmod", int64_t{1}}});
  network.Output("floor").Output("fmod");
  const auto outputs = Compute(network, {x, z});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_THAT((*outputs)[0], ElementsAre(1, 2, -2, -1));
  EXPECT_THAT((*outputs)[1], ElementsAre(1, -1, 1, -1));
}

TEST(Mod, RefusesToDivideByAConstantZero) {
  OnnxBuilder network(13);
  network.Input("x", {-1, 2}).Weight("zero", {2}, {1, 0});
  network.Node("Mod", {"x", "zero"}, {"y"}, {{"fmod", int64_t{1}}}).Output("y");
  EXPECT_THAT(Compute(network, {{1, 2}}).status().ToString(), HasSubstr("divides by zero"));
}

TEST(IsInf, DetectsTheSignsItIsAskedFor) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const Floats x = {kInf, -kInf, std::numeric_limits<float>::quiet_NaN(), 3};
  for (const auto& [negative, positive] : {std::pair<int64_t, int64_t>{1, 1}, {0, 1}, {1, 0}, {0, 0}}) {
    OnnxBuilder network(13);
    network.Input("x", {-1, 4});
    network.Node("IsInf", {"x"}, {"y"}, {{"detect_negative", negative}, {"detect_positive", positive}}).Output("y");
    const auto outputs = Compute(network, {x});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    EXPECT_THAT((*outputs)[0], ElementsAre(static_cast<float>(positive), static_cast<float>(negative), 0, 0));
  }
}

}  // namespace
}  // namespace halfwave
