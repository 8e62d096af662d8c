// Pruning that rounds anew: units that always give one number, and layers that are always on. And a million inputs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "model/analysis/fold_always_on.h"
#include "model/analysis/prune_model.h"
#include "model/engine/session.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using ::testing::HasSubstr;

const std::vector<int64_t> kPadByOne = {1, 1, 1, 1};

PruneReport Prune(const OnnxBuilder& network, std::optional<InputDomain> domain = InputDomain{{0}, {1}}) {
  const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string path = ::testing::TempDir() + "/halfwave_maps_" + test + ".onnx";
  std::ofstream(path, std::ios::binary) << network.Bytes();
  PruneOptions options;
  options.domain = std::move(domain);
  options.seconds = 0.001;
  return PruneModel(path, options).value();
}

// [units, stride], with nothing but zeros for some units.
std::vector<float> WithZeros(int64_t units, int64_t stride, const std::vector<int64_t>& zero, uint32_t seed) {
  std::vector<float> weights = Noise(units * stride, seed);
  for (const int64_t unit : zero) std::fill_n(weights.begin() + unit * stride, stride, 0.0f);
  return weights;
}

// Six maps of which 1 and 4 give 0.7 everywhere, and whatever comes behind "r".
OnnxBuilder Maps() {
  OnnxBuilder network;
  network.Input("x", {-1, 2, 8, 8})
      .Weight("w1", {6, 2, 3, 3}, WithZeros(6, 18, {1, 4}, 1))
      .Weight("b1", {6}, std::vector<float>(6, 0.7f))
      .Node("Conv", {"x", "w1", "b1"}, {"c"}, {{"pads", kPadByOne}})
      .Node("Relu", {"c"}, {"r"}, {{"name", "relu"}});
  return network;
}

OnnxBuilder& ThenConv(OnnxBuilder& network, const std::string& value, const OnnxBuilder::Attributes& attributes) {
  return network.Weight("w2", {3, 6, 3, 3}, Noise(162, 2)).Node("Conv", {value, "w2"}, {"y"}, attributes).Output("y");
}

TEST(ConstantUnits, GoIntoTheBiasOfAConvolution) {
  OnnxBuilder network = Maps();
  network.Node("MaxPool", {"r"}, {"p"}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
  const PruneReport report = Prune(ThenConv(network, "p", {}));
  EXPECT_EQ(report.layers[0].proven, 0);
  EXPECT_EQ(report.layers[0].constant, 2);
  EXPECT_EQ(report.layers[0].removed, 2);
  EXPECT_EQ(report.layers[0].moved, 2);
  EXPECT_TRUE(report.within_tolerance) << report.largest_change;
  EXPECT_LT(report.after.multiply_adds, report.before.multiply_adds);
}

// The trap: at the border a padded convolution reads zeros where the unit would have given its number.
TEST(ConstantUnits, StayWhereAConvolutionIsPadded) {
  for (const OnnxBuilder::Attributes& padding :
       {OnnxBuilder::Attributes{{"pads", kPadByOne}}, OnnxBuilder::Attributes{{"auto_pad", "SAME_UPPER"}}}) {
    OnnxBuilder network = Maps();
    const PruneReport report = Prune(ThenConv(network, "r", padding));
    EXPECT_EQ(report.layers[0].constant, 2);
    EXPECT_EQ(report.layers[0].removed, 0);
    EXPECT_THAT(report.layers[0].reason, HasSubstr("padded with zeros"));
    EXPECT_EQ(report.bytes, "");
  }
}

TEST(ConstantUnits, StayWhereAnAverageCountsItsPadding) {
  const OnnxBuilder::Attributes pool = {{"kernel_shape", std::vector<int64_t>{3, 3}}, {"pads", kPadByOne}};
  for (const bool counts : {false, true}) {
    OnnxBuilder network = Maps();
    OnnxBuilder::Attributes attributes = pool;
    attributes["count_include_pad"] = int64_t{counts};
    network.Node("AveragePool", {"r"}, {"p"}, attributes);
    const PruneReport report = Prune(ThenConv(network, "p", {}));
    EXPECT_EQ(report.layers[0].removed, counts ? 0 : 2);
    EXPECT_THAT(report.layers[0].reason, counts ? HasSubstr("counts its padding") : HasSubstr(""));
    EXPECT_TRUE(counts || report.within_tolerance) << report.largest_change;
  }
}

TEST(ConstantUnits, StayBehindAnotherActivationButZerosGo) {
  OnnxBuilder network = Maps();
  network.proto().mutable_graph()->mutable_initializer(1)->set_float_data(1, -1);  // this one is always zero
  network.Node("Tanh", {"r"}, {"t"}, {{"name", "tanh"}});
  const PruneReport report = Prune(ThenConv(network, "t", {{"pads", kPadByOne}}));
  EXPECT_EQ(report.layers[0].proven, 1);
  EXPECT_EQ(report.layers[0].constant, 1);
  EXPECT_EQ(report.layers[0].removed, 1);
  EXPECT_THAT(report.layers[0].reason, HasSubstr("'tanh' is another activation"));
  EXPECT_TRUE(report.equal_bits);
}

// Through BatchNormalization and constants, whose own zeros count too, into a Gemm with alpha and beta and a MatMul.
TEST(ConstantUnits, GoIntoTheBiasesOfDenseLayers) {
  OnnxBuilder network;
  network.Input("x", {-1, 5})
      .Weight("w", {6, 5}, WithZeros(6, 5, {0, 3}, 1))
      .Weight("b", {6}, Noise(6, 2))
      .Node("Gemm", {"x", "w", "b"}, {"g"}, {{"transB", int64_t{1}}})
      .Weight("scale", {6}, {1, 1, 0, 1, -1, 1})
      .Weight("shift", {6}, {1, 2, 3, 4, 5, 6})
      .Weight("mean", {6}, Noise(6, 3))
      .Weight("var", {6}, std::vector<float>(6, 0.5f))
      .Node("BatchNormalization", {"g", "scale", "shift", "mean", "var"}, {"n"})
      .Weight("more", {1, 6}, Noise(6, 4))
      .Node("Add", {"more", "n"}, {"m"})
      .Node("Relu", {"m"}, {"r"})
      .Weight("v", {6, 4}, Noise(24, 5))
      .Weight("c", {1, 4}, Noise(4, 6))
      .Node("Gemm", {"r", "v", "c"}, {"y"}, {{"alpha", 0.5f}, {"beta", 3.0f}})
      .Weight("u", {6, 2}, Noise(12, 7))
      .Node("MatMul", {"r", "u"}, {"z"})
      .Output("y")
      .Output("z");
  const PruneReport report = Prune(network, std::nullopt);
  EXPECT_EQ(report.layers[0].removed, 3) << "0 and 3 by their weights, 2 by the scale";
  EXPECT_EQ(report.layers[0].moved, 3);
  EXPECT_FALSE(report.equal_bits) << "three products fewer, rounded otherwise";
  EXPECT_TRUE(report.within_tolerance) << report.largest_change;
}

// 8 -> 40 -> 4, with biases that make the hidden units positive or not over 0 to 1.
OnnxBuilder Dense(float bias, const std::vector<int64_t>& but = {}, float but_bias = 0) {
  std::vector<float> biases(40, bias);
  for (const int64_t unit : but) biases[unit] = but_bias;
  OnnxBuilder network;
  network.Input("x", {-1, 8})
      .Weight("w", {40, 8}, Noise(320, 1))
      .Weight("b", {40}, biases)
      .Node("Gemm", {"x", "w", "b"}, {"g"}, {{"transB", int64_t{1}}, {"name", "one"}})
      .Node("Relu", {"g"}, {"r"}, {{"name", "relu"}})
      .Weight("v", {40, 4}, Noise(160, 2))
      .Node("MatMul", {"r", "v"}, {"y"}, {{"name", "two"}})
      .Output("y");
  return network;
}

TEST(AlwaysOn, MakesOneLayerOfTwo) {
  const PruneReport report = Prune(Dense(9));
  ASSERT_EQ(report.folded.size(), 1u);
  EXPECT_EQ(report.folded[0].layer, "relu");
  EXPECT_EQ(report.folded[0].merged, "'one' and 'two'");
  EXPECT_EQ(report.after.multiply_adds, 8 * 4);
  EXPECT_EQ(report.after.parameters, 8 * 4 + 4);
  EXPECT_TRUE(report.within_tolerance) << report.largest_change;
}

TEST(AlwaysOn, NeedsAllUnitsAndTheDomain) {
  float least = 0;  // of the sum of unit 3, without its bias
  const std::vector<float> weights = Noise(320, 1);
  for (int64_t i = 3 * 8; i < 4 * 8; ++i) least += std::min(weights[i], 0.0f);
  EXPECT_TRUE(Prune(Dense(9, {3}, -least - 0.1f)).folded.empty()) << "one unit can be a little below zero";
  EXPECT_EQ(Prune(Dense(9, {3}, -least + 0.1f)).folded.size(), 1u);
  EXPECT_TRUE(Prune(Dense(9), std::nullopt).folded.empty()) << "anything may come in";
  const PruneReport report = Prune(Dense(9, {3}, -9));
  EXPECT_EQ(report.layers[0].removed, 1) << "that one is dead";
  EXPECT_EQ(report.folded.size(), 1u) << "and those that are left are always on";
  EXPECT_TRUE(report.within_tolerance) << report.largest_change;
}

// Many in, few between, many out: merged it would be more work.
TEST(AlwaysOn, KeepsTwoLayersWhereOneWouldBeMoreWork) {
  OnnxBuilder network;
  network.Input("x", {-1, 16})
      .Weight("w", {16, 2}, Noise(32, 1))
      .Weight("b", {2}, {20, 20})
      .Node("Gemm", {"x", "w", "b"}, {"g"})
      .Node("Relu", {"g"}, {"r"})
      .Weight("v", {2, 16}, Noise(32, 2))
      .Node("MatMul", {"r", "v"}, {"y"})
      .Output("y");
  const PruneReport report = Prune(network);
  ASSERT_EQ(report.folded.size(), 1u);
  EXPECT_EQ(report.folded[0].merged, "");
  EXPECT_EQ(report.after.multiply_adds, report.before.multiply_adds);
  EXPECT_TRUE(report.equal_bits);
}

TEST(AlwaysOn, MergesAWholeChain) {
  OnnxBuilder network = Dense(9);
  network.proto().mutable_graph()->clear_output();
  network.Weight("far", {4}, std::vector<float>(4, 1e4f))
      .Node("Gemm", {"y", "square", "far"}, {"g2"}, {{"name", "three"}})
      .Weight("square", {4, 4}, Noise(16, 3))
      .Node("Relu", {"g2"}, {"r2"}, {{"name", "relu2"}})
      .Weight("last", {4, 2}, Noise(8, 4))
      .Node("MatMul", {"r2", "last"}, {"out"}, {{"name", "four"}})
      .Output("out");
  const PruneReport report = Prune(network);
  ASSERT_EQ(report.folded.size(), 2u);
  EXPECT_NE(report.folded[0].merged, "");
  EXPECT_NE(report.folded[1].merged, "");
  EXPECT_TRUE(report.within_tolerance) << report.largest_change;
}

TEST(Prune, TakesTheDomainThatTheMetadataDeclare) {
  OnnxBuilder network = Dense(9);
  network.Metadata("halfwave.domain", R"({"x": [0, 1]})");
  const PruneReport declared = Prune(network, std::nullopt);
  EXPECT_TRUE(declared.domain_is_declared);
  EXPECT_EQ(declared.folded.size(), 1u);
  const PruneReport given = Prune(network, InputDomain{{-100}, {1}});
  EXPECT_FALSE(given.domain_is_declared);
  EXPECT_TRUE(given.folded.empty()) << "what is said by hand comes first";
}

// With fewer channels the engine would take another algorithm for these convolutions, with other bits.
TEST(Prune, LeavesAConvolutionItsAlgorithm) {
  std::vector<float> weights = Noise(16 * 16 * 9, 1), bias(16, 0.1f);
  for (int64_t unit = 0; unit < 7; ++unit) {
    for (int64_t i = 0; i < 144; ++i) weights[unit * 144 + i] = -std::abs(weights[unit * 144 + i]);
    bias[unit] = -0.5f;
  }
  OnnxBuilder network;
  network.Input("x", {-1, 16, 16, 16})
      .Weight("w1", {16, 16, 3, 3}, weights)
      .Weight("b1", {16}, bias)
      .Node("Conv", {"x", "w1", "b1"}, {"c1"}, {{"pads", kPadByOne}})
      .Node("Relu", {"c1"}, {"r1"})
      .Weight("w2", {16, 16, 3, 3}, Noise(16 * 16 * 9, 2))
      .Node("Conv", {"r1", "w2"}, {"y"}, {{"pads", kPadByOne}})
      .Output("y");
  const PruneReport report = Prune(network);
  EXPECT_EQ(report.layers[0].proven, 7);
  EXPECT_EQ(report.layers[0].removed, 4);
  EXPECT_THAT(report.layers[0].reason, HasSubstr("12 stay"));
  EXPECT_TRUE(report.equal_bits) << report.largest_change;
}

TEST(Prune, TakesNothingFromLayersOfOneName) {
  OnnxBuilder network;
  network.Input("x", {-1, 3})
      .Weight("w", {3, 3}, {1, 0, 0, 0, -1, 0, 0, 0, 1})
      .Node("MatMul", {"x", "w"}, {"a"})
      .Node("Relu", {"a"}, {"ra"}, {{"name", "same"}})
      .Weight("v", {3, 3}, Noise(9, 1))
      .Node("MatMul", {"ra", "v"}, {"b"})
      .Node("Relu", {"b"}, {"rb"}, {{"name", "same"}})
      .Weight("u", {3, 3}, Noise(9, 2))
      .Node("MatMul", {"rb", "u"}, {"y"})
      .Output("y");
  const PruneReport report = Prune(network);
  EXPECT_EQ(report.bytes, "");
}

// Random inputs of the domain from 0 to 1, with ever more of their elements at its ends.
struct Difference {
  int64_t rows = 0, differ = 0, beyond_tolerance = 0;
};
Difference OverAMillionInputs(const std::string& before, const std::string& after) {
  constexpr int64_t kRows = 1000, kElements = 8;
  const auto a = *LoadModel(before), b = *LoadModel(after);
  Session of_a(a, kRows), of_b(b, kRows);
  const int64_t classes = RowElements(a->outputs()[0].shape);
  Difference difference;
  for (uint32_t seed = 1; seed <= 1000; ++seed) {
    const float spread = 0.5f + static_cast<float>(seed - 1) / 20;  // at the end 99 % of the elements are 0 or 1
    std::vector<float> rows = Noise(kRows * kElements, seed, 0.5f - spread, 0.5f + spread);
    for (float& value : rows) value = std::min(std::max(value, 0.0f), 1.0f);
    std::copy(rows.begin(), rows.end(), of_a.input(0).begin());
    std::copy(rows.begin(), rows.end(), of_b.input(0).begin());
    of_a.Run(kRows);
    of_b.Run(kRows);
    const auto x = of_a.output(0, kRows), y = of_b.output(0, kRows);
    for (int64_t row = 0; row < kRows; ++row) {
      float largest = 0, change = 0;
      for (int64_t i = row * classes; i < (row + 1) * classes; ++i) {
        largest = std::max(largest, std::abs(x[i]));
        change = std::max(change, std::abs(x[i] - y[i]));
      }
      difference.rows += 1;
      difference.differ += change != 0;
      difference.beyond_tolerance += !(change <= 1e-5f * largest + 1e-6f);
    }
  }
  return difference;
}

TEST(AMillionInputs, KeepEveryBitWhereUnitsAreOnlyRemoved) {
  const OnnxBuilder network = Dense(0, {2, 7, 20, 39}, -9);
  const PruneReport report = Prune(network);
  ASSERT_EQ(report.layers[0].removed, 4);
  ASSERT_EQ(report.layers[0].moved, 0);
  const Difference difference = OverAMillionInputs(network.Bytes(), report.bytes);
  EXPECT_EQ(difference.rows, 1'000'000);
  EXPECT_EQ(difference.differ, 0);
}

TEST(AMillionInputs, StayWithinTheToleranceWhereMapsAreFolded) {
  for (const bool constants : {false, true}) {
    OnnxBuilder network = Dense(constants ? 0.5f : 9, {2, 7, 20, 39}, constants ? 0.5f : -9);
    if (constants) {  // of the same units
      const std::vector<float> weights = WithZeros(40, 8, {2, 7, 20, 39}, 1);
      auto* values = network.proto().mutable_graph()->mutable_initializer(0)->mutable_float_data();
      std::copy(weights.begin(), weights.end(), values->begin());
    }
    const PruneReport report = Prune(network);
    ASSERT_EQ(report.layers[0].moved, constants ? 4 : 0);
    ASSERT_EQ(report.folded.size(), constants ? 0u : 1u);
    const Difference difference = OverAMillionInputs(network.Bytes(), report.bytes);
    EXPECT_GT(difference.differ, 0);
    EXPECT_EQ(difference.beyond_tolerance, 0);
  }
}

}  // namespace
}  // namespace halfwave
