#include "model/engine/proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/run_model.h"
#include "tests/unit/model/reference.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;

// y = x W of two features to two logits.
OnnxBuilder Logits(const std::string& self_test = "") {
  OnnxBuilder network;
  network.Input("x", {-1, 2}).Weight("w", {2, 2}, {1, 2, 3, 4}).Node("Gemm", {"x", "w"}, {"logits"}).Output("logits");
  if (!self_test.empty()) network.Metadata("halfwave.selftest", self_test);
  return network;
}

std::string SelfTestOf(const std::string& inputs, const std::string& outputs) {
  return "{\"inputs\":{" + inputs + "},\"outputs\":{" + outputs + "}}";
}

constexpr const char* kInput = R"("x":{"shape":[2,2],"data":[1,0,0,1]})";
constexpr const char* kRight = R"("logits":{"shape":[2,2],"data":[1,2,3,4]})";

void ExpectRefused(OnnxBuilder network, const std::vector<std::string>& words,
                   absl::StatusCode code = absl::StatusCode::kFailedPrecondition, const ModelOptions& options = {}) {
  const absl::Status status = LoadModel(network.Bytes(), options).status();
  EXPECT_EQ(status.code(), code) << status;
  for (const std::string& word : words) EXPECT_THAT(std::string(status.message()), HasSubstr(word));
}

TEST(SelfTest, AModelThatComesOutServes) { EXPECT_TRUE(LoadModel(Logits(SelfTestOf(kInput, kRight)).Bytes()).ok()); }

TEST(SelfTest, AWrongValueIsRefusedWithRowElementExpectedAndComputed) {
  ExpectRefused(Logits(SelfTestOf(kInput, R"("logits":{"shape":[2,2],"data":[1,2,3.5,4]})")),
                {"output 'logits'", "row 1", "element 0", "expected 3.5", "computed 3"});
}

TEST(SelfTest, AComputedNanIsTheElementThatIsNamed) {
  OnnxBuilder network;
  network.Input("x", {-1, 2})
      .Weight("w", {2, 2}, {3e30f, 0, 3e30f, 0})
      .Node("Gemm", {"x", "w"}, {"infinite"})
      .Node("Sub", {"infinite", "infinite"}, {"logits"})
      .Output("logits");
  network.Metadata("halfwave.selftest",
                   SelfTestOf(R"("x":{"shape":[1,2],"data":[1e20,1e20]})", R"("logits":{"shape":[1,2],"data":[1,0]})"));
  ExpectRefused(network, {"element 0", "expected 1", "nan"});
}

TEST(SelfTest, AnExpectedValueBeyondFloatsDoesNotExcuseEveryOther) {
  OnnxBuilder network = Logits(SelfTestOf(kInput, R"("logits":{"shape":[2,2],"data":[1e300,2,3,4]})"));
  EXPECT_FALSE(LoadModel(network.Bytes()).ok());
}

TEST(SelfTest, TensorsThatDoNotFitTheModelAreRefused) {
  ExpectRefused(Logits(SelfTestOf(R"("z":{"shape":[2,2],"data":[1,0,0,1]})", kRight)), {"input 'x'"});
  ExpectRefused(Logits(SelfTestOf(R"("x":{"shape":[2,3],"data":[1,0,0,1,0,0]})", kRight)), {"'x'", "[2,3]", "[2,2]"});
  ExpectRefused(Logits(SelfTestOf(kInput, R"("logits":{"shape":[1,2],"data":[1,2]})")), {"'logits'", "[1,2]", "[2,2]"});
  ExpectRefused(Logits(SelfTestOf(kInput, R"("other":{"shape":[2,2],"data":[1,2,3,4]})")), {"output"});
  ExpectRefused(Logits(SelfTestOf(kInput, "")), {"empty"});
  ExpectRefused(Logits(SelfTestOf("", kRight)), {"empty"});
}

TEST(SelfTest, HoldsForAFixedBatchAndForAnAddedSoftmax) {
  OnnxBuilder network = Logits(SelfTestOf(kInput, kRight));
  network.proto()
      .mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(1);
  EXPECT_TRUE(LoadModel(network.Bytes(), {.add_softmax = true}).ok());
}

TEST(WithinTolerance, IsRelativeToTheLargestOfTheRow) {
  const std::vector<float> expected = {100, 0};
  EXPECT_TRUE(WithinTolerance(expected, std::vector<float>{100, 0.0009f}));
  EXPECT_FALSE(WithinTolerance(expected, std::vector<float>{100, 0.0011f}));
  EXPECT_TRUE(WithinTolerance(std::vector<float>{0}, std::vector<float>{0.9e-6f}));
  EXPECT_FALSE(WithinTolerance(std::vector<float>{0}, std::vector<float>{1.1e-6f}));
  EXPECT_FALSE(WithinTolerance(expected, std::vector<float>{100, std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_FALSE(WithinTolerance(expected, std::vector<float>{std::numeric_limits<float>::infinity(), 0}));
}

TEST(Labels, MustBeAsManyAsTheClasses) {
  OnnxBuilder right = Logits();
  EXPECT_TRUE(LoadModel(right.Metadata("halfwave.labels", R"(["a","b"])").Bytes()).ok());
  OnnxBuilder wrong = Logits();
  wrong.Metadata("halfwave.labels", R"(["a","b","c"])");
  ExpectRefused(wrong, {"halfwave.labels", "3", "'logits' has 2"}, absl::StatusCode::kInvalidArgument);
}

TEST(AddedSoftmax, StandsInFrontAndKeepsTheLogits) {
  OnnxBuilder network = Logits();
  const auto model = LoadModel(network.Bytes(), {.add_softmax = true});
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->head(), "softmax (added)");
  EXPECT_EQ((*model)->properties().at("halfwave.head"), "softmax (added)");
  ASSERT_EQ((*model)->outputs().size(), 2u);
  EXPECT_EQ((*model)->outputs()[0].name, "probabilities");
  EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 2}));
  EXPECT_EQ((*model)->outputs()[1].name, "logits");
  const auto outputs = RunModel(*model, {{1, 0, 0, 1}});
  EXPECT_EQ(outputs[1], (std::vector<float>{1, 2, 3, 4}));
  for (const size_t row : {0, 1}) {
    EXPECT_NEAR(outputs[0][2 * row], 1 / (1 + std::exp(1.0)), 1e-6);
    EXPECT_NEAR(outputs[0][2 * row] + outputs[0][2 * row + 1], 1, 1e-6);
  }
}

TEST(AddedSoftmax, RunsOverTheClassesOfMapsWithOnePosition) {
  OnnxBuilder network;
  network.Input("x", {-1, 3, 4, 4}).Node("GlobalAveragePool", {"x"}, {"logits"}).Output("logits");
  const auto model = LoadModel(network.Bytes(), {.add_softmax = true});
  ASSERT_TRUE(model.ok()) << model.status();
  const auto outputs = RunModel(*model, {Noise(48, 1)});
  EXPECT_NEAR(outputs[0][0] + outputs[0][1] + outputs[0][2], 1, 1e-6) << "each class alone is not a distribution";
}

TEST(AddedSoftmax, IsLeftOutWhereTheModelHasAHeadAlready) {
  const std::map<std::string, std::string> heads = {
      {"LogSoftmax", "log-softmax"}, {"Sigmoid", "sigmoid"}, {"Softmax", "softmax"}};
  for (const auto& [op, head] : heads) {
    OnnxBuilder network;
    network.Input("x", {-1, 2}).Node(op, {"x"}, {"p"}).Node("Identity", {"p"}, {"y"}).Output("y");
    const auto model = LoadModel(network.Bytes(), {.add_softmax = true});
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->head(), head);
    EXPECT_EQ((*model)->outputs().size(), 1u);
  }
}

TEST(AddedSoftmax, IsOnlyAddedWhereAskedFor) {
  const auto model = LoadModel(Logits().Bytes());
  ASSERT_TRUE(model.ok());
  EXPECT_EQ((*model)->head(), "logits");
  EXPECT_EQ((*model)->outputs().size(), 1u);
}

TEST(AddedSoftmax, AModelThatUsesItsNameIsRefused) {
  OnnxBuilder network;
  network.Input("probabilities", {-1, 2}).Node("Relu", {"probabilities"}, {"y"}).Output("y");
  ExpectRefused(network, {"'probabilities'"}, absl::StatusCode::kInvalidArgument, {.add_softmax = true});
}

}  // namespace
}  // namespace halfwave
