// No value of any network leaves the bounds that its weights give it.
#include "model/analysis/bounds.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "model/engine/evaluate.h"
#include "model/onnx/reader.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/random_network.h"
#include "tests/unit/model/reference.h"

namespace halfwave {
namespace {

struct Told {
  int64_t values = 0;
  int64_t bounded = 0;     // with a limit
  int64_t by_channel = 0;  // with limits that differ by channel
};

void ExpectWithin(const Bounds& bounds, const Tensor& tensor, const std::string& where) {
  int64_t behind = 1;
  for (size_t i = bounds.axis < 0 ? tensor.shape.size() : static_cast<size_t>(bounds.axis) + 1; i < tensor.shape.size();
       ++i) {
    behind *= tensor.shape[i];
  }
  if (bounds.axis >= 0) {
    ASSERT_LT(bounds.axis, static_cast<int64_t>(tensor.shape.size())) << where;
    ASSERT_TRUE(bounds.size() == 1 || static_cast<int64_t>(bounds.size()) == tensor.shape[bounds.axis]) << where;
  }
  for (size_t i = 0; i < tensor.data.size(); ++i) {
    const size_t unit = bounds.size() == 1 ? 0 : i / behind % bounds.size();
    ASSERT_GE(tensor.data[i], bounds.low[unit]) << where << " element " << i;
    ASSERT_LE(tensor.data[i], bounds.high[unit]) << where << " element " << i;
  }
}

// Checks all values of the network for rows of noise between -range and range.
void Check(OnnxBuilder& network, float range, Told& told) {
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  const auto file = ParseOnnx(network.Bytes());
  ASSERT_TRUE(file.ok());
  const auto known = FindConstants(file->graph, EvaluateNode, int64_t{1} << 20);
  ASSERT_TRUE(known.ok()) << known.status();
  const GraphView view(file->graph, *known);
  const BoundsMap bounds(view);
  const Tensors values = Interpret(network.proto(), ToTensors(**model, 3, NoiseFor(**model, 3, 7, -range, range)));
  for (const Node* node : view.nodes()) {
    const auto value = values.find(node->outputs[0]);
    if (value == values.end()) continue;
    // Behind an overflow nothing is promised; the nodes come in order.
    const auto& data = value->second.data;
    if (!std::all_of(data.begin(), data.end(), [](double x) { return std::isfinite(x); })) break;
    const Bounds& limits = bounds.Of(node->outputs[0]);
    ExpectWithin(limits, value->second, node->op + " " + node->name);
    if (testing::Test::HasFatalFailure()) return;
    ++told.values;
    told.bounded += std::isfinite(limits.low[0]) || std::isfinite(limits.high[0]);
    told.by_channel += limits.size() > 1;
  }
}

TEST(Bounds, HoldForEveryValueOfRandomNetworks) {
  Told told;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    OnnxBuilder network = RandomNetwork(seed);
    Check(network, seed % 2 == 0 ? 1.0f : 50.0f, told);
    if (HasFatalFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(told.values, 2000);
  EXPECT_GT(told.bounded, told.values / 10);
  EXPECT_GT(told.by_channel, 50);
}

// Layers behind a sigmoid, whose limits are finite, in every form in which weights come.
TEST(Bounds, HoldForEveryFormOfALayer) {
  using Attributes = OnnxBuilder::Attributes;
  Told told;
  const auto dense = [&](const std::string& op, const Shape& weights, const Attributes& attributes) {
    OnnxBuilder network;
    network.Input("x", {-1, 5}).Node("Sigmoid", {"x"}, {"s"});
    network.Weight("w", weights, Noise(35, 3)).Weight("b", {1, 7}, Noise(7, 4)).Weight("m", {7}, Noise(7, 5));
    network.Node(op, op == "Gemm" ? std::vector<std::string>{"s", "w", "b"} : std::vector<std::string>{"s", "w"}, {"a"},
                 attributes);
    network.Node("Mul", {"m", "a"}, {"p"}).Node("Sub", {"b", "p"}, {"q"}).Node("Relu", {"q"}, {"y"}).Output("y");
    Check(network, 30, told);
  };
  dense("MatMul", {5, 7}, {});
  dense("Gemm", {7, 5}, {{"transB", int64_t{1}}, {"alpha", -0.5f}, {"beta", 2.0f}});
  for (const int64_t group : {1, 2, 4}) {
    OnnxBuilder network;
    network.Input("x", {-1, 4, 5, 3}).Node("Sigmoid", {"x"}, {"s"});
    network.Weight("w", {8, 4 / group, 3, 2}, Noise(8 * 4 / group * 6, 3, 0.1f, 1)).Weight("b", {8}, Noise(8, 4));
    network.Node("Conv", {"s", "w", "b"}, {"a"}, {{"group", group}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
    network.Node("AveragePool", {"a"}, {"p"}, {{"kernel_shape", std::vector<int64_t>{2, 2}}});
    network.Node("Flatten", {"p"}, {"y"}).Output("y");
    Check(network, 30, told);
  }
  EXPECT_EQ(told.bounded, told.values);
}

}  // namespace
}  // namespace halfwave
