// Operators that pick elements by constant indices, against loops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Floats = std::vector<float>;
using Ints = std::vector<int64_t>;

void Indices(OnnxBuilder& network, const std::string& name, const Ints& shape, const Ints& values) {
  network.IntWeight(name, values);
  auto* weight = network.proto().mutable_graph()->mutable_initializer(network.proto().graph().initializer_size() - 1);
  weight->clear_dims();
  for (const int64_t dimension : shape) weight->add_dims(dimension);
}

Floats Counted(size_t count) {
  Floats values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i);
  return values;
}

absl::StatusOr<Floats> Compute(const OnnxBuilder& network, const Floats& x) {
  const auto model = LoadModel(network.Bytes());
  if (!model.ok()) return model.status();
  return RunModel(*model, {x})[0];
}

// A batch of `rows` of [3, 5] is turned to [3, 5, rows], so that the indices have nothing to do with it.
OnnxBuilder Turned() {
  OnnxBuilder network(13);
  network.Input("x", {-1, 3, 5}).Node("Transpose", {"x"}, {"t"}, {{"perm", Ints{1, 2, 0}}});
  return network;
}

TEST(GatherElements, TakesFromEachLineAtItsOwnIndices) {
  constexpr int64_t kRows = 2;
  const Ints indices = {0, -1, 2, 4, 1, -5, 3, 3};
  OnnxBuilder network(13);
  network.Input("x", {1, 4, 5});  // exported with a batch of one: the indices hold for every row
  Indices(network, "i", {1, 4, 2}, indices);
  network.Node("GatherElements", {"x", "i"}, {"y"}, {{"axis", int64_t{-1}}}).Output("y");
  const auto y = Compute(network, Counted(kRows * 20));
  ASSERT_TRUE(y.ok()) << y.status();
  Floats expected;
  for (int64_t row = 0; row < kRows; ++row) {
    for (int64_t i = 0; i < 8; ++i) expected.push_back(row * 20 + i / 2 * 5 + (indices[i] + 5) % 5);
  }
  EXPECT_EQ(*y, expected);
}

TEST(GatherElements, MayTakeFewerLinesThanThereAre) {
  OnnxBuilder network(13);
  network.Input("x", {1, 3, 5});
  Indices(network, "i", {1, 4, 2}, {0, 1, 2, 0, 1, 2, -1, -2});
  network.Node("GatherElements", {"x", "i"}, {"y"}, {{"axis", int64_t{1}}}).Output("y");
  const auto y = Compute(network, Counted(15));
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_THAT(*y, ElementsAre(0, 6, 10, 1, 5, 11, 10, 6));
}

TEST(GatherElements, OfAnOpenBatchIsDoneRowByRow) {
  OnnxBuilder network(13);
  network.Input("x", {-1, 5});
  Indices(network, "i", {1, 2}, {3, 1});
  network.Node("GatherElements", {"x", "i"}, {"y"}, {{"axis", int64_t{1}}}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "row by row");
  EXPECT_THAT(RunModel(*model, {Counted(10)})[0], ElementsAre(3, 1, 8, 6));
}

TEST(GatherElements, RefusesIndicesOutOfRangeOrForSeveralRowsOfAnOpenBatch) {
  for (const auto& [batch, shape, values] : {std::tuple<int64_t, Ints, Ints>{1, {1, 2}, {0, 5}},
                                             {1, {1, 2}, {-6, 0}},
                                             {1, {1, 2, 1}, {0, 0}},
                                             {-1, {2, 2}, {0, 1, 2, 3}}}) {
    OnnxBuilder network(13);
    network.Input("x", {batch, 5});
    Indices(network, "i", shape, values);
    network.Node("GatherElements", {"x", "i"}, {"y"}, {{"axis", int64_t{1}}}).Output("y");
    EXPECT_THAT(Compute(network, Counted(5)).status().ToString(), HasSubstr("GatherElements"));
  }
}

TEST(GatherNd, TakesBlocksAtTuplesOfIndices) {
  constexpr int64_t kRows = 3;
  OnnxBuilder network = Turned();
  Indices(network, "i", {2, 2}, {2, -1, 0, 3});
  network.Node("GatherND", {"t", "i"}, {"g"}).Node("Transpose", {"g"}, {"y"}).Output("y");
  const auto y = Compute(network, Counted(kRows * 15));
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_THAT(*y, ElementsAre(14, 3, 29, 18, 44, 33));
}

TEST(GatherNd, GoesAlongTheBatchWhereItsFileHadABatchOfOne) {
  OnnxBuilder network(13);
  network.Input("x", {1, 3, 2});
  Indices(network, "i", {1, 2, 1}, {2, 0});
  network.Node("GatherND", {"x", "i"}, {"y"}, {{"batch_dims", int64_t{1}}}).Output("y");
  const auto y = Compute(network, Counted(12));
  ASSERT_TRUE(y.ok()) << y.status();
  EXPECT_THAT(*y, ElementsAre(4, 5, 0, 1, 10, 11, 6, 7));
}

TEST(GatherNd, RefusesWhatDoesNotFit) {
  for (const auto& [along, shape, values] : {std::tuple<int64_t, Ints, Ints>{0, {1, 1}, {3}},
                                             {1, {1, 1}, {3}},
                                             {5, {1, 1}, {0}},
                                             {-1, {1, 1}, {0}},
                                             {0, {}, {0}},
                                             {0, {1, 4}, {0, 0, 0, 0}}}) {
    OnnxBuilder network(13);
    network.Input("x", {-1, 3, 5});
    Indices(network, "i", shape, values);
    network.Node("GatherND", {"x", "i"}, {"y"}, {{"batch_dims", along}}).Output("y");
    EXPECT_THAT(Compute(network, Counted(15)).status().ToString(), HasSubstr("GatherND"));
  }
}

TEST(Trilu, KeepsOneSideOfTheDiagonal) {
  constexpr int64_t kHeight = 4, kWidth = 5, kMatrices = 6;
  for (const int64_t upper : {0, 1}) {
    for (const int64_t k : {-100, -4, -1, 0, 2, 5}) {
      OnnxBuilder network(14);
      network.Input("x", {-1, 2, kHeight, kWidth});
      Indices(network, "k", {}, {k});
      network.Node("Trilu", {"x", "k"}, {"y"}, {{"upper", upper}}).Output("y");
      const Floats x = Noise(kMatrices * kHeight * kWidth, 3);
      const auto y = Compute(network, x);
      ASSERT_TRUE(y.ok()) << y.status();
      Floats expected = x;
      for (int64_t i = 0; i < kMatrices * kHeight * kWidth; ++i) {
        const int64_t above = i % kWidth - i / kWidth % kHeight;
        if (upper != 0 ? above < k : above > k) expected[i] = 0;
      }
      EXPECT_EQ(*y, expected) << "upper " << upper << ", k " << k;
    }
  }
}

TEST(Trilu, ThroughTheBatchIsDoneRowByRow) {
  OnnxBuilder network(14);
  network.Input("x", {-1, 4}).Node("Trilu", {"x"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "row by row");
}

TEST(OneHot, IsOnAtTheIndexAlone) {
  for (const int64_t axis : {-1, 1, 2, -2}) {
    OnnxBuilder network(13);
    network.Input("x", {-1, 3}).Weight("values", {2}, {-1, 2});
    Indices(network, "depth", {}, {4});
    network.Node("OneHot", {"x", "depth", "values"}, {"y"}, {{"axis", axis}}).Output("y");
    const Floats x = {0, 3, -1, 4, -4, -5};
    const auto y = Compute(network, x);
    ASSERT_TRUE(y.ok()) << y.status();
    const bool last = axis == -1 || axis == 2;
    Floats expected(24);
    for (int64_t i = 0; i < 24; ++i) {
      const int64_t row = i / 12, depth = last ? i % 4 : i % 12 / 3, place = last ? i % 12 / 4 : i % 3;
      const float index = x[row * 3 + place];
      expected[i] = index == depth || index + 4 == depth ? 2 : -1;
    }
    EXPECT_EQ(*y, expected) << "axis " << axis;
  }
}

TEST(OneHot, RefusesADepthThatIsNone) {
  for (const int64_t depth : {int64_t{0}, int64_t{-3}, int64_t{1} << 62}) {
    OnnxBuilder network(13);
    network.Input("x", {-1, 3}).Weight("values", {2}, {0, 1}).IntWeight("depth", {depth});
    network.Node("OneHot", {"x", "depth", "values"}, {"y"}).Output("y");
    EXPECT_THAT(Compute(network, Counted(3)).status().ToString(), HasSubstr("OneHot"));
  }
}

}  // namespace
}  // namespace halfwave
