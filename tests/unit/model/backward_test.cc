// Derivatives against central differences of a plain interpreter in double precision.
#include "model/analysis/backward.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "model/engine/evaluate.h"
#include "model/onnx/reader.h"
#include "tests/support/noise.h"
#include "tests/support/onnx_builder.h"
#include "tests/unit/model/random_network.h"
#include "tests/unit/model/reference.h"

namespace halfwave {
namespace {

constexpr double kStep = 1e-6;

// The sum of a value's elements, each times another number.
double Scalar(const std::vector<double>& values) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[i] * std::sin(1.0 + static_cast<double>(i));
  return sum;
}

// For one row of noise: what `Scalar` of `output` changes by each element of the only input, by both ways.
struct Compared {
  absl::Status status;
  std::vector<double> backward;
  std::vector<double> differences;
};

Compared Compare(OnnxBuilder& network, const std::string& output, uint32_t seed) {
  Compared result;
  const auto file = ParseOnnx(network.Bytes());
  const Graph& graph = file->graph;
  const Known known = *FindConstants(graph);
  const GraphView view(graph, known);
  const GraphValue& input = graph.inputs[0];
  const std::vector<float> noise = Noise(RowElements(input.shape), seed);
  const Tensor x = {RowShape(input.shape), std::vector<double>(noise.begin(), noise.end())};
  std::map<std::string, std::vector<float>> values;
  Tensors all = Interpret(network.proto(), {{input.name, x}});
  all[input.name] = x;
  for (const auto& [name, tensor] : all) values[name].assign(tensor.data.begin(), tensor.data.end());

  DerivativesByValue derivatives;
  for (size_t i = 0; i < all.at(output).data.size(); ++i) {
    derivatives[output].push_back(std::sin(1.0 + static_cast<double>(i)));
  }
  const ValueOf value_of = [&](const std::string& value) { return std::span<const float>(values.at(value)); };
  for (auto node = view.nodes().rbegin(); node != view.nodes().rend() && result.status.ok(); ++node) {
    result.status = PropagateBack(view, **node, value_of, derivatives);
  }
  if (!result.status.ok()) return result;
  result.backward = derivatives[input.name];
  result.backward.resize(x.data.size());
  for (size_t i = 0; i < x.data.size(); ++i) {
    Tensor moved = x;
    moved.data[i] = x.data[i] + kStep;
    const double above = Scalar(Interpret(network.proto(), {{input.name, moved}}).at(output).data);
    moved.data[i] = x.data[i] - kStep;
    const double below = Scalar(Interpret(network.proto(), {{input.name, moved}}).at(output).data);
    result.differences.push_back((above - below) / (2 * kStep));
  }
  return result;
}

void ExpectEqual(const Compared& compared) {
  ASSERT_TRUE(compared.status.ok()) << compared.status;
  double largest = 1e-3;
  for (const double difference : compared.differences) largest = std::max(largest, std::abs(difference));
  for (size_t i = 0; i < compared.backward.size(); ++i) {
    EXPECT_NEAR(compared.backward[i], compared.differences[i], 1e-4 * largest) << "element " << i;
  }
}

TEST(Backward, AgreesWithDifferencesForEveryActivation) {
  const std::vector<std::pair<std::string, OnnxBuilder::Attributes>> activations = {
      {"Relu", {}},
      {"LeakyRelu", {{"alpha", 0.2f}}},
      {"Elu", {{"alpha", 0.7f}}},
      {"Selu", {}},
      {"Celu", {{"alpha", 0.5f}}},
      {"ThresholdedRelu", {{"alpha", 0.1f}}},
      {"Sigmoid", {}},
      {"Tanh", {}},
      {"Softplus", {}},
      {"Softsign", {}},
      {"HardSigmoid", {}},
      {"HardSwish", {}},
      {"Mish", {}},
      {"Gelu", {}}};
  for (const auto& [op, attributes] : activations) {
    SCOPED_TRACE(op);
    OnnxBuilder network(op == "Gelu" ? 20 : op == "Mish" ? 18 : 14);
    network.Input("x", {-1, 24})
        .Weight("w", {24, 24}, Noise(24 * 24, 3))
        .Node("MatMul", {"x", "w"}, {"z"})
        .Node(op, {"z"}, {"a"}, attributes)
        .Weight("v", {24, 3}, Noise(72, 4))
        .Node("MatMul", {"a", "v"}, {"y"})
        .Output("y");
    ExpectEqual(Compare(network, "y", 5));
  }
}

TEST(Backward, PassesConvolutionsPoolsSumsAndOrders) {
  OnnxBuilder network;
  network.Input("x", {-1, 2, 7, 6})
      .Weight("w1", {4, 2, 3, 3}, Noise(72, 1))
      .Weight("b1", {4}, Noise(4, 2))
      .Node("Conv", {"x", "w1", "b1"}, {"c1"},
            {{"pads", std::vector<int64_t>{1, 0, 1, 1}}, {"strides", std::vector<int64_t>{1, 2}}})
      .Weight("scale", {4}, Noise(4, 6))
      .Weight("shift", {4}, Noise(4, 7))
      .Weight("mean", {4}, Noise(4, 8))
      .Weight("var", {4}, {0.5f, 1, 2, 3})
      .Node("BatchNormalization", {"c1", "scale", "shift", "mean", "var"}, {"n1"})
      .Weight("slope", {4, 1, 1}, {0.1f, 0.2f, 0.3f, -0.4f})
      .Node("PRelu", {"n1", "slope"}, {"r1"})
      .Weight("w2", {4, 1, 3, 3}, Noise(36, 9))
      .Node("Conv", {"r1", "w2"}, {"c2"}, {{"group", int64_t{4}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}})
      .Node("Add", {"c2", "r1"}, {"s"})
      .Node("MaxPool", {"s"}, {"m"}, {{"kernel_shape", std::vector<int64_t>{2, 2}}})
      .Node("AveragePool", {"s"}, {"a"}, {{"kernel_shape", std::vector<int64_t>{2, 2}}})
      .Node("Concat", {"m", "a"}, {"c"}, {{"axis", int64_t{1}}})
      .Node("Transpose", {"c"}, {"t"}, {{"perm", std::vector<int64_t>{0, 2, 3, 1}}})
      .Weight("factor", {8}, Noise(8, 10))
      .Node("Mul", {"t", "factor"}, {"f"})
      .Node("Mul", {"f", "t"}, {"q"})
      .Node("Flatten", {"q"}, {"flat"})
      .Output("flat");
  ExpectEqual(Compare(network, "flat", 11));
}

TEST(Backward, AgreesOnNetworksDrawnAtRandom) {
  int known = 0;
  for (uint32_t seed = 100; seed < 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    OnnxBuilder network = RandomNetwork(seed);
    if (network.proto().graph().input_size() != 1 || !ParseOnnx(network.Bytes()).ok()) continue;
    const Compared compared = Compare(network, network.proto().graph().output(0).name(), seed);
    if (!compared.status.ok()) {
      EXPECT_EQ(compared.status.code(), absl::StatusCode::kUnimplemented);
      continue;
    }
    ++known;
    ExpectEqual(compared);
  }
  EXPECT_GE(known, 10) << "most hold rare operators, of which it knows no derivative";
}

TEST(Backward, NamesTheNodeThatItDoesNotKnow) {
  OnnxBuilder network;
  network.Input("x", {-1, 8}).Node("Softmax", {"x"}, {"y"}, {{"name", "middle"}}).Output("y");
  EXPECT_THAT(std::string(Compare(network, "y", 1).status.message()), ::testing::HasSubstr("'middle'"));
}

}  // namespace
}  // namespace halfwave
