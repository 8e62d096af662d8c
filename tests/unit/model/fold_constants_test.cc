#include "model/graph/fold_constants.h"

#include <gtest/gtest.h>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;

// x.view(x.size(0), -1), as PyTorch writes it since opset 13; the axis of Unsqueeze is an input there.
OnnxBuilder View(int64_t batch) {
  OnnxBuilder network(13);
  network.Input("x", {batch, 2, 3}).IntWeight("index", {0}).IntWeight("axes", {0}).IntWeight("rest", {-1});
  network.proto().mutable_graph()->mutable_initializer(0)->clear_dims();  // a scalar
  network.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "index"}, {"g"}).Node("Unsqueeze", {"g", "axes"}, {"u"});
  network.Node("Concat", {"u", "rest"}, {"t"}, {{"axis", int64_t{0}}}).Node("Reshape", {"x", "t"}, {"y"}).Output("y");
  return network;
}

TEST(FoldConstants, ShapeArithmeticBeforeAReshapeLeavesTheBatchOpen) {
  for (const int64_t batch : {-1, 1, 4}) {
    const auto model = LoadModel(View(batch).Bytes());
    ASSERT_TRUE(model.ok()) << batch << ": " << model.status();
    EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 6}));
    const auto x = Noise(5 * 6, 1);
    EXPECT_EQ(RunModel(*model, {x})[0], x);
  }
}

TEST(FoldConstants, ABatchThatIsMultipliedIntoAnOutputsShapeIsServedRowByRow) {
  OnnxBuilder network(13);
  network.Input("x", {-1, 2, 3}).IntWeight("first", {0}).IntWeight("second", {1}).IntWeight("rest", {-1});
  network.Node("Shape", {"x"}, {"s"}).Node("Gather", {"s", "first"}, {"n"}).Node("Gather", {"s", "second"}, {"c"});
  network.Node("Mul", {"n", "c"}, {"m"}).Node("Concat", {"m", "rest"}, {"t"}, {{"axis", int64_t{0}}});
  network.Node("Reshape", {"x", "t"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "row by row");
  EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 2, 3}));
  const auto x = Noise(5 * 6, 1);
  EXPECT_EQ(RunModel(*model, {x})[0], x);
}

TEST(FoldConstants, WeightsThatAreReshapedOrTransposedAreWeights) {
  OnnxBuilder network(13);
  network.Input("x", {1, 2}).Weight("w", {3, 2, 1}, {1, 2, 3, 4, 5, 6}).IntWeight("shape", {3, 2});
  network.Node("Reshape", {"w", "shape"}, {"v"}).Node("Transpose", {"v"}, {"t"}, {{"perm", Ints{1, 0}}});
  network.Node("MatMul", {"x", "t"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(RunModel(*model, {{1, 10, 2, 0}})[0], (std::vector<float>{21, 43, 65, 2, 6, 10}));
}

TEST(FoldConstants, AWeightReshapedToOneRowKeepsItWhenTheBatchIsMadeFree) {
  OnnxBuilder network(13);
  network.Input("x", {1, 3}).Weight("b", {3}, {1, 2, 3}).IntWeight("shape", {1, 3});
  network.Node("Reshape", {"b", "shape"}, {"row"}).Node("Add", {"x", "row"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(RunModel(*model, {{0, 0, 0, 1, 1, 1}})[0], (std::vector<float>{1, 2, 3, 2, 3, 4}));
}

TEST(FoldConstants, ASmallFileCannotAskForManyCopiesOfAWeight) {
  OnnxBuilder network(13);
  network.Input("x", {-1, 1024}).Weight("w", {1024, 1024}, std::vector<float>(1024 * 1024, 1.0f));
  std::vector<std::string> products;
  for (int i = 0; i < 500; ++i) {
    const std::string number = std::to_string(i);
    network.Node("Transpose", {"w"}, {"t" + number}, {{"perm", Ints{1, 0}}});
    network.Node("MatMul", {"x", "t" + number}, {"m" + number});
    products.push_back("m" + number);
  }
  network.Node("Sum", products, {"y"}).Output("y");
  EXPECT_EQ(LoadModel(network.Bytes()).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace halfwave
