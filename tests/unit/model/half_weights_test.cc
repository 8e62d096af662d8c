// Models whose dense layers and convolutions keep their weights in half precision: what they compute, and which are
// refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "model/engine/session.h"
#include "model/kernels/isa.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;

constexpr ModelOptions kHalf = {.weights = WeightFormat::kHalf};

std::string SelfTestOf(const std::string& inputs, const std::string& outputs) {
  return "{\"inputs\":{" + inputs + "},\"outputs\":{" + outputs + "}}";
}

// y = x W of two features to two outputs.
OnnxBuilder Linear(const std::vector<float>& weights) {
  OnnxBuilder network;
  return network.Input("x", {-1, 2}).Weight("w", {2, 2}, weights).Node("Gemm", {"x", "w"}, {"y"}).Output("y");
}

void ExpectRefused(OnnxBuilder& network, const std::vector<std::string>& words, const ModelOptions& options = kHalf) {
  const absl::Status status = LoadModel(network.Bytes(), options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  for (const std::string& word : words) EXPECT_THAT(std::string(status.message()), HasSubstr(word));
}

TEST(HalfWeights, AreRoundedInGemmAndMatMulAndBiasesAreNot) {
  OnnxBuilder network;
  network.Input("x", {-1, 1})
      .Weight("w", {1, 1}, {1 + 0x1p-11f + 0x1p-20f})
      .Weight("b", {1}, {0x1p-20f})
      .Node("Gemm", {"x", "w", "b"}, {"h"})
      .Weight("v", {1, 1}, {1 + 0x1p-12f})
      .Node("MatMul", {"h", "v"}, {"y"})
      .Output("y");
  const auto model = LoadModel(network.Bytes(), kHalf);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(RunModel(*model, {{1}})[0], (std::vector<float>{1 + 0x1p-10f + 0x1p-20f}));
}

// Each way to convolve but Winograd's, over one pixel.
TEST(HalfWeights, AreRoundedInConvolutionsButDepthwiseOnes) {
  constexpr float kWeight = 1 + 0x1p-11f + 0x1p-20f, kRounded = 1 + 0x1p-10f;
  struct Case {
    const char* op;
    Shape row, kernel;  // of ones
    int64_t group;
    float y;
  };
  const Case cases[] = {{"Conv", {1, 1, 1}, {1, 1, 1, 1}, 1, kRounded},           // direct
                        {"Conv", {1, 1, 1, 1}, {1, 1, 1, 1, 1}, 1, kRounded},     // volumes
                        {"Conv", {4, 1, 1}, {4, 2, 1, 1}, 2, 2 * kRounded},       // groups
                        {"ConvTranspose", {1, 1, 1}, {1, 1, 1, 1}, 1, kRounded},  //
                        {"Conv", {2, 1, 1}, {2, 1, 1, 1}, 2, kWeight}};           // depthwise
  for (const Case& c : cases) {
    OnnxBuilder network;
    Shape input = c.row;
    input.insert(input.begin(), -1);
    network.Input("x", input)
        .Weight("w", c.kernel, std::vector<float>(*NumElements(c.kernel), kWeight))
        .Node(c.op, {"x", "w"}, {"y"}, {{"group", c.group}})
        .Output("y");
    const auto model = LoadModel(network.Bytes(), kHalf);
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ(RunModel(*model, {std::vector<float>(*NumElements(c.row), 1)})[0][0], c.y) << c.op << " " << c.group;
  }
}

// A perceptron with a convolution in front, whose weights are whole numbers divided by `grid`: halves, if that is 1024.
std::string Network(float grid) {
  const auto weights = [grid](size_t count, uint32_t seed) {
    std::vector<float> values = Noise(count, seed);
    for (float& value : values) value = std::round(value * grid) / grid;
    return values;
  };
  OnnxBuilder network;
  network.Input("x", {-1, 2, 6, 6})
      .Weight("k", {3, 2, 3, 3}, weights(54, 1))
      .Node("Conv", {"x", "k"}, {"c"})
      .Node("Relu", {"c"}, {"r"})
      .Node("Flatten", {"r"}, {"f"})
      .Weight("w", {48, 150}, weights(48 * 150, 2))
      .Weight("b", {150}, Noise(150, 3))
      .Node("Gemm", {"f", "w", "b"}, {"g"})
      .Node("Relu", {"g"}, {"h"})
      .Weight("v", {150, 7}, weights(150 * 7, 4))
      .Node("MatMul", {"h", "v"}, {"y"})
      .Output("y");
  return network.Bytes();
}

TEST(HalfWeights, ThatLoseNothingGiveTheBitsOfFloatsInEveryBatch) {
  for (const kernels::Isa& isa : kernels::Isas()) {
    if (!isa.available) continue;
    ASSERT_TRUE(kernels::SelectIsa(isa.table->name).ok());
    const auto floats = LoadModel(Network(1024)), halves = LoadModel(Network(1024), kHalf);
    ASSERT_TRUE(floats.ok() && halves.ok()) << halves.status();
    const auto x = Noise(72 * 130, 5);
    const auto want = RunModel(*floats, {x})[0];
    for (const int64_t rows : {1, 2, 3, 5, 12, 64, 130}) {
      const auto got = RunModel(*halves, {{x.begin(), x.begin() + 72 * rows}})[0];
      EXPECT_EQ(got, std::vector<float>(want.begin(), want.begin() + 7 * rows)) << isa.table->name << ", " << rows;
    }
  }
  ASSERT_TRUE(kernels::SelectIsa().ok());
}

TEST(HalfWeights, ThatLoseSomethingAreKeptForEveryBatch) {
  const auto floats = LoadModel(Network(1e6f)), halves = LoadModel(Network(1e6f), kHalf);
  ASSERT_TRUE(floats.ok() && halves.ok()) << halves.status();
  const auto x = Noise(72 * 130, 5);
  const auto all = RunModel(*halves, {x})[0];
  EXPECT_NE(all, RunModel(*floats, {x})[0]);
  for (const int64_t rows : {1, 2, 3, 5, 12, 64}) {
    const auto got = RunModel(*halves, {{x.begin(), x.begin() + 72 * rows}})[0];
    EXPECT_EQ(got, std::vector<float>(all.begin(), all.begin() + 7 * rows)) << rows;
  }
}

TEST(HalfWeights, AModelThatTheyMoveTooFarIsRefusedWithOutputShareLimitAndAdvice) {
  // Two large numbers that cancel: the rest is what rounding makes of it.
  OnnxBuilder network = Linear({1000.3f, 1, -1000, 0});
  network.Metadata("halfwave.selftest", SelfTestOf(R"("x":{"shape":[2,2],"data":[0,1,1,1]})",
                                                   R"("y":{"shape":[2,2],"data":[-1000,0,0.2999878,1]})"));
  ASSERT_TRUE(LoadModel(network.Bytes()).ok());
  ExpectRefused(network, {"output 'y'", "by 20", " %", "row 1 of the self-test", "at most 1 %", "fp32"});
}

TEST(HalfWeights, TheSelfTestsOwnRowsDecide) {
  // The same, but its rows do not cancel.
  OnnxBuilder network = Linear({1000.3f, 1, -1000, 0});
  network.Metadata("halfwave.selftest", SelfTestOf(R"("x":{"shape":[2,2],"data":[0,1,1,0]})",
                                                   R"("y":{"shape":[2,2],"data":[-1000,0,1000.3,1]})"));
  EXPECT_TRUE(LoadModel(network.Bytes(), kHalf).ok());
}

TEST(HalfWeights, WithoutASelfTestNoiseDecides) {
  OnnxBuilder harmless = Linear({0.1f, 0.2f, 0.3f, 0.4f});
  EXPECT_TRUE(LoadModel(harmless.Bytes(), kHalf).ok());
  OnnxBuilder network;
  network.Input("x", {-1, 1})
      .Weight("w", {1, 2}, {1000.3f, 1000})
      .Node("MatMul", {"x", "w"}, {"h"})
      .Weight("v", {2, 1}, {1, -1})
      .Node("MatMul", {"h", "v"}, {"y"})
      .Output("y");
  EXPECT_TRUE(LoadModel(network.Bytes()).ok());
  ExpectRefused(network, {"output 'y'", "noise", "at most 1 %"});
}

TEST(HalfWeights, DoNotExcuseAFileThatDoesNotComeOut) {
  OnnxBuilder network = Linear({1, 2, 3, 4});
  network.Metadata("halfwave.selftest",
                   SelfTestOf(R"("x":{"shape":[1,2],"data":[1,0]})", R"("y":{"shape":[1,2],"data":[1.001,2]})"));
  ExpectRefused(network, {"expected 1.001", "computed 1"});
}

TEST(HalfWeights, AWeightThatHalfPrecisionCannotHoldIsNamed) {
  OnnxBuilder network = Linear({1, 2, 65520, 4});
  ASSERT_TRUE(LoadModel(network.Bytes()).ok());
  ExpectRefused(network, {"Gemm_0", "weight 'w'", "65520", "element 2", "65504", "fp32"});
  OnnxBuilder picture;
  picture.Input("x", {-1, 1, 4, 4}).Weight("k", {1, 1, 1, 2}, {1, -7e4f}).Node("Conv", {"x", "k"}, {"y"}).Output("y");
  ExpectRefused(picture, {"Conv_0", "weight 'k'", "-70000", "element 1", "65504", "fp32"});
  OnnxBuilder largest = Linear({1, 2, -65519, 4});
  EXPECT_TRUE(LoadModel(largest.Bytes(), kHalf).ok());
}

TEST(HalfWeights, WhatIsNotFiniteEitherWayHasNotMoved) {
  OnnxBuilder network;
  network.Input("x", {-1, 1})
      .Weight("w", {1, 2}, {-1, 0})
      .Node("MatMul", {"x", "w"}, {"h"})
      .Node("Log", {"h"}, {"y"})
      .Output("y");
  EXPECT_TRUE(LoadModel(network.Bytes(), kHalf).ok());
}

}  // namespace
}  // namespace halfwave
