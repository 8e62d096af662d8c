// How many threads a session has must not be told from what it computes and counts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "model/engine/session.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;

// Wide maps and narrow features by turns, so that memory of many sizes is used again and again; an input that is read
// again at the end, three outputs, one of them from the middle, and all families of activations.
std::shared_ptr<const Model> Branches(WeightFormat weights) {
  OnnxBuilder network(13);
  network.Input("x", {-1, 3, 16, 16})
      .Input("z", {-1, 20})
      .Weight("w1", {16, 3, 3, 3}, Noise(16 * 3 * 9, 1))
      .Weight("w2", {24, 16, 3, 3}, Noise(24 * 16 * 9, 2, -0.2f, 0.2f))
      .Weight("wide", {96, 24, 3, 3}, Noise(96 * 24 * 9, 6, -0.1f, 0.1f))
      .Weight("narrow", {24, 96, 1, 1}, Noise(24 * 96, 7, -0.2f, 0.2f))
      .Weight("w3", {24 * 64, 20}, Noise(24 * 64 * 20, 3, -0.1f, 0.1f))
      .Weight("w4", {20, 2000}, Noise(20 * 2000, 4))
      .Weight("w5", {2000, 10}, Noise(2000 * 10, 5, -0.1f, 0.1f))
      .Node("Conv", {"x", "w1"}, {"a"}, {{"pads", Ints{1, 1, 1, 1}}})
      .Node("Relu", {"a"}, {"b"})
      .Node("Conv", {"b", "w2"}, {"c"}, {{"pads", Ints{1, 1, 1, 1}}})
      .Node("Sigmoid", {"c"}, {"d"})
      .Node("MaxPool", {"d"}, {"e"}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}})
      .Node("Conv", {"e", "wide"}, {"e1"}, {{"pads", Ints{1, 1, 1, 1}}})
      .Node("Relu", {"e1"}, {"e2"})
      .Node("Conv", {"e2", "narrow"}, {"e3"})
      .Node("Relu", {"e3"}, {"e4"})
      .Node("Flatten", {"e4"}, {"f"})
      .Node("MatMul", {"f", "w3"}, {"g"})
      .Node("Elu", {"g"}, {"h"})
      .Node("MatMul", {"h", "w4"}, {"i"})
      .Node("Relu", {"i"}, {"j"})
      .Node("MatMul", {"j", "w5"}, {"k"})
      .Node("Softmax", {"k"}, {"y"})
      .Node("Add", {"h", "z"}, {"s"})
      .Output("y")
      .Output("s")
      .Output("h");
  auto model = LoadModel(network.Bytes(), {.weights = weights});
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

// A convolution of each kind before so many weights that threads go through a few rows together.
std::shared_ptr<const Model> ManyWeights(WeightFormat weights) {
  const OnnxBuilder::Attributes same = {{"pads", Ints{1, 1, 1, 1}}};
  OnnxBuilder network(13);
  network.Input("x", {-1, 3, 12, 12})
      .Weight("direct", {32, 3, 3, 3}, Noise(32 * 27, 1))
      .Weight("winograd", {32, 32, 3, 3}, Noise(32 * 32 * 9, 2, -0.1f, 0.1f))
      .Weight("depthwise", {32, 1, 3, 3}, Noise(32 * 9, 3))
      .Weight("point", {64, 32, 1, 1}, Noise(64 * 32, 4, -0.2f, 0.2f))
      .Weight("w1", {64 * 36, 600}, Noise(64 * 36 * 600, 5, -0.05f, 0.05f))
      .Weight("w2", {600, 10}, Noise(600 * 10, 6, -0.1f, 0.1f))
      .Node("Conv", {"x", "direct"}, {"a"}, same)
      .Node("Relu", {"a"}, {"b"})
      .Node("Conv", {"b", "winograd"}, {"c"}, same)
      .Node("Relu", {"c"}, {"d"})
      .Node("MaxPool", {"d"}, {"e"}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}})
      .Node("Conv", {"e", "depthwise"}, {"f"}, {{"group", int64_t{32}}, {"pads", Ints{1, 1, 1, 1}}})
      .Node("Relu", {"f"}, {"g"})
      .Node("Conv", {"g", "point"}, {"h"})
      .Node("Relu", {"h"}, {"i"})
      .Node("Flatten", {"i"}, {"j"})
      .Node("MatMul", {"j", "w1"}, {"k"})
      .Node("Relu", {"k"}, {"l"})
      .Node("MatMul", {"l", "w2"}, {"y"})
      .Output("y");
  auto model = LoadModel(network.Bytes(), {.weights = weights});
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

void Fill(Session& session, int64_t rows) {
  for (size_t i = 0; i < session.model().inputs().size(); ++i) {
    const int64_t row = RowElements(session.model().inputs()[i].shape);
    const std::vector<float> values = Noise(rows * row, 9 + i);
    std::copy(values.begin(), values.end(), session.input(i).begin());
  }
}

struct Case {
  const char* name;
  std::shared_ptr<const Model> (*model)(WeightFormat weights);
  WeightFormat weights;
};

class SessionThreads : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Models, SessionThreads,
                         testing::Values(Case{"Branches", Branches, WeightFormat::kFloat},
                                         Case{"BranchesOfHalves", Branches, WeightFormat::kHalf},
                                         Case{"ManyWeights", ManyWeights, WeightFormat::kFloat},
                                         Case{"ManyWeightsOfHalves", ManyWeights, WeightFormat::kHalf}),
                         [](const auto& info) { return info.param.name; });

TEST_P(SessionThreads, BitsAndCountsAreThoseOfOneThread) {
  constexpr int64_t kMaxRows = 41;
  const std::shared_ptr<const Model> model = GetParam().model(GetParam().weights);
  ASSERT_NE(model, nullptr);
  Session one(model, kMaxRows);
  EXPECT_EQ(one.threads(), 1);
  // The last is worth it for the largest batches only.
  for (const auto& [threads, worth_waking] : {std::pair{2, 1.0}, {3, 1.0}, {7, 1.0}, {3, 2e7}}) {
    Session several(model, kMaxRows, threads, worth_waking);
    EXPECT_EQ(several.threads(), threads);
    for (const int64_t rows : {41, 1, 2, 3, 40, 8, 41}) {
      SCOPED_TRACE(testing::Message() << threads << " threads for " << worth_waking << ", " << rows << " rows");
      std::vector<uint8_t> skip(rows, 0);
      if (rows > 1) skip[rows / 2] = skip[rows - 1] = 1;
      Fill(one, rows);
      one.Run(rows, skip);
      Fill(several, rows);
      several.Run(rows, skip);
      for (size_t i = 0; i < model->outputs().size(); ++i) {
        const auto expected = one.output(i, rows), got = several.output(i, rows);
        ASSERT_EQ(expected.size(), got.size());
        EXPECT_EQ(std::memcmp(expected.data(), got.data(), got.size_bytes()), 0) << "output " << i;
      }
      const BatchActivity &expected = one.activity(), &got = several.activity();
      EXPECT_EQ(got.samples, expected.samples);
      EXPECT_EQ(got.samples_not_counted, expected.samples_not_counted);
      ASSERT_EQ(got.layers.size(), expected.layers.size());
      for (size_t l = 0; l < got.layers.size(); ++l) {
        EXPECT_EQ(got.layers[l].active, expected.layers[l].active) << "layer " << l;
        EXPECT_EQ(got.layers[l].zeros, expected.layers[l].zeros) << "layer " << l;
        EXPECT_EQ(got.layers[l].saturated, expected.layers[l].saturated) << "layer " << l;
      }
    }
  }
}

TEST(Session, AnInputThatIsAnOutputComesOutAsItWentIn) {
  OnnxBuilder network(13);
  network.Input("x", {-1, 300}).Weight("w", {300, 300}, Noise(300 * 300, 1));
  network.Node("MatMul", {"x", "w"}, {"y"}).Node("Identity", {"x"}, {"same"}).Output("y").Output("same").Output("x");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  Session session(*model, 64, 2, /*worth_waking=*/1);
  const std::vector<float> x = Noise(64 * 300, 2);
  std::copy(x.begin(), x.end(), session.input(0).begin());
  session.Run(64);
  for (const size_t output : {1, 2}) {
    EXPECT_TRUE(std::equal(x.begin(), x.end(), session.output(output, 64).begin())) << "output " << output;
  }
}

}  // namespace
}  // namespace halfwave
