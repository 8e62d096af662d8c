// Large rows go through the network a few at a time: nobody must be able to tell.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "model/engine/session.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;

// Two convolutions over large maps, one over small ones, and a dense layer over what is flattened.
std::shared_ptr<const Model> LargeRows() {
  const OnnxBuilder::Attributes same = {{"pads", Ints{1, 1, 1, 1}}};
  const OnnxBuilder::Attributes half = {{"kernel_shape", Ints{4, 4}}, {"strides", Ints{4, 4}}};
  OnnxBuilder network(13);
  network.Input("x", {-1, 2, 64, 64})
      .Weight("w1", {16, 2, 3, 3}, Noise(16 * 2 * 9, 1))
      .Weight("w2", {24, 16, 3, 3}, Noise(24 * 16 * 9, 2, -0.1f, 0.1f))
      .Weight("w3", {32, 24, 3, 3}, Noise(32 * 24 * 9, 3, -0.1f, 0.1f))
      .Weight("w4", {32 * 16, 10}, Noise(32 * 16 * 10, 4, -0.1f, 0.1f))
      .Node("Conv", {"x", "w1"}, {"a"}, same)
      .Node("Relu", {"a"}, {"b"})
      .Node("Conv", {"b", "w2"}, {"c"}, same)
      .Node("Relu", {"c"}, {"d"})
      .Node("MaxPool", {"d"}, {"e"}, half)
      .Node("Conv", {"e", "w3"}, {"f"}, same)
      .Node("Sigmoid", {"f"}, {"g"})
      .Node("MaxPool", {"g"}, {"h"}, half)
      .Node("Flatten", {"h"}, {"i"})
      .Node("MatMul", {"i", "w4"}, {"y"})
      .Output("y");
  auto model = LoadModel(network.Bytes());
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *model : nullptr;
}

TEST(Blocks, RowsAndCountsAreWhatEachRowAloneGives) {
  constexpr int64_t kRows = 37;
  const std::shared_ptr<const Model> model = LargeRows();
  ASSERT_NE(model, nullptr);
  ASSERT_GT(model->plan().blocks.size(), 1u);
  ASSERT_LT(model->plan().blocks[0].rows, kRows / 2) << "nothing is cut";

  const std::vector<float> x = Noise(kRows * 2 * 64 * 64, 9);
  std::vector<uint8_t> skip(kRows, 0);
  skip[3] = skip[20] = skip[36] = 1;
  Session batch(model, kRows + 5), single(model, 1);
  std::copy(x.begin(), x.end(), batch.input(0).begin());
  batch.Run(kRows, skip);

  BatchActivity sum;
  for (int64_t row = 0; row < kRows; ++row) {
    std::copy_n(x.begin() + row * 2 * 64 * 64, 2 * 64 * 64, single.input(0).begin());
    single.Run(1, std::span(&skip[row], 1));
    for (size_t i = 0; i < 10; ++i) {
      ASSERT_EQ(std::bit_cast<uint32_t>(single.output(0, 1)[i]),
                std::bit_cast<uint32_t>(batch.output(0, kRows)[row * 10 + i]))
          << "row " << row << ", output " << i;
    }
    const BatchActivity& activity = single.activity();
    sum.samples += activity.samples;
    sum.layers.resize(activity.layers.size());
    for (size_t l = 0; l < activity.layers.size(); ++l) {
      sum.layers[l].active.resize(activity.layers[l].active.size());
      for (size_t u = 0; u < activity.layers[l].active.size(); ++u) {
        sum.layers[l].active[u] += activity.layers[l].active[u];
      }
      sum.layers[l].zeros += activity.layers[l].zeros;
      sum.layers[l].saturated += activity.layers[l].saturated;
    }
  }
  EXPECT_EQ(batch.activity().samples, sum.samples);
  ASSERT_EQ(batch.activity().layers.size(), 3u);
  for (size_t l = 0; l < sum.layers.size(); ++l) {
    EXPECT_EQ(batch.activity().layers[l].active, sum.layers[l].active) << "layer " << l;
    EXPECT_EQ(batch.activity().layers[l].zeros, sum.layers[l].zeros) << "layer " << l;
    EXPECT_EQ(batch.activity().layers[l].saturated, sum.layers[l].saturated) << "layer " << l;
  }
}

TEST(Blocks, EveryStepIsInOneAndTheyAreInOrder) {
  const std::shared_ptr<const Model> model = LargeRows();
  ASSERT_NE(model, nullptr);
  size_t next = 0;
  for (const Block& block : model->plan().blocks) {
    EXPECT_EQ(block.begin, next);
    EXPECT_GT(block.end, block.begin);
    EXPECT_GE(block.rows, 1);
    next = block.end;
  }
  EXPECT_EQ(next, model->plan().steps.size());
}

}  // namespace
}  // namespace halfwave
