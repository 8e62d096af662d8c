// The engine against a plain interpreter in double precision, on networks nobody would think of.
#include "tests/unit/model/random_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "model/engine/proof.h"
#include "model/engine/session.h"
#include "model/graph/shape_inference.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/reference.h"

namespace halfwave {
namespace {

constexpr uint32_t kFirstSeed = 7000;
constexpr uint32_t kNetworks = 600;

std::string Describe(const OnnxBuilder& network) {
  std::string text = "opset " + std::to_string(const_cast<OnnxBuilder&>(network).proto().opset_import(0).version());
  for (const auto& node : const_cast<OnnxBuilder&>(network).proto().graph().node()) {
    text += "\n  " + node.op_type() + "(";
    for (const auto& input : node.input()) text += input + " ";
    text += ") -> " + node.output(0);
  }
  return text;
}

TEST(RandomNetwork, ComputesWhatAPlainInterpreterComputes) {
  std::cout << "seeds " << kFirstSeed << " to " << kFirstSeed + kNetworks - 1 << "\n";
  std::set<std::string> seen;
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    OnnxBuilder network = RandomNetwork(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + Describe(network));
    ExpectComputes(network, 1 + seed % 5, seed);
    for (const auto& node : network.proto().graph().node()) seen.insert(node.op_type());
  }
  // What jumps (a rounding decides), is undefined nearly everywhere, or stands at the end of a network only: tested
  // alone.
  const std::set<std::string_view> elsewhere = {"Acos",
                                                "Acosh",
                                                "And",
                                                "ArgMax",
                                                "ArgMin",
                                                "Asin",
                                                "Asinh",
                                                "Atanh",
                                                "Cast",
                                                "CastLike",
                                                "Ceil",
                                                "ConstantOfShape",
                                                "Cosh",
                                                "CumSum",
                                                "DepthToSpace",
                                                "Einsum",
                                                "Equal",
                                                "Floor",
                                                "GatherElements",
                                                "GatherND",
                                                "GlobalLpPool",
                                                "GreaterOrEqual",
                                                "GroupNormalization",
                                                "Hardmax",
                                                "IsInf",
                                                "IsNaN",
                                                "LessOrEqual",
                                                "MeanVarianceNormalization",
                                                "Mod",
                                                "Not",
                                                "OneHot",
                                                "Or",
                                                "RMSNormalization",
                                                "Range",
                                                "ReduceLogSum",
                                                "ReduceProd",
                                                "Resize",
                                                "Round",
                                                "Shape",
                                                "Shrink",
                                                "Sign",
                                                "Sinh",
                                                "Size",
                                                "SpaceToDepth",
                                                "Swish",
                                                "Tan",
                                                "TopK",
                                                "Trilu",
                                                "Upsample",
                                                "Xor"};
  for (const OperatorRule& rule : Operators()) {
    if (rule.op.find("halfwave.") == 0 || rule.op.find("ai.onnx.ml") == 0 || elsewhere.contains(rule.op)) continue;
    EXPECT_TRUE(seen.contains(std::string(rule.op))) << rule.op << " never came up";
  }
}

TEST(RandomNetwork, RewritingChangesNothingThatCanBeSeen) {
  int dense = 0;
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    OnnxBuilder network = RandomNetwork(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + Describe(network));
    const auto rewritten = LoadModel(network.Bytes()), plain = LoadModel(network.Bytes(), {.rewrite = false});
    ASSERT_TRUE(rewritten.ok()) << rewritten.status();
    ASSERT_TRUE(plain.ok()) << plain.status();
    dense += (*rewritten)->plan().steps.size() < (*plain)->plan().steps.size() ? 1 : 0;
    const auto inputs = NoiseFor(**plain, 3, seed);
    const auto expected = RunModel(*plain, inputs), actual = RunModel(*rewritten, inputs);
    ASSERT_EQ(expected.size(), actual.size());
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(WithinTolerance(expected[i], actual[i])) << "output " << i;
  }
  EXPECT_GT(dense, 10) << "rewriting finds less to do than it did";
}

TEST(RandomNetwork, AFixedBatchIsMadeFreeAndComputesWhatAnOpenOneDoes) {
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    OnnxBuilder network = RandomNetwork(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + Describe(network));
    const auto open = LoadModel(network.Bytes());
    ASSERT_TRUE(open.ok()) << open.status();
    EXPECT_EQ((*open)->batch(), "free");
    for (auto& input : *network.proto().mutable_graph()->mutable_input()) {
      auto* batch = input.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0);
      batch->set_dim_value(seed % 2 == 0 ? 1 : 37);
    }
    const auto fixed = LoadModel(network.Bytes());
    ASSERT_TRUE(fixed.ok()) << fixed.status();
    EXPECT_EQ((*fixed)->batch(), "made free");
    const auto inputs = NoiseFor(**open, 3, seed);
    EXPECT_EQ(RunModel(*open, inputs), RunModel(*fixed, inputs));
  }
}

TEST(RandomNetwork, ABatchGivesTheRowsThatComeOutAlone) {
  std::cout << "seeds " << kFirstSeed << " to " << kFirstSeed + kNetworks - 1 << "\n";
  constexpr int64_t kRows = 17;
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    OnnxBuilder network = RandomNetwork(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + Describe(network));
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    const auto inputs = NoiseFor(**model, kRows, seed);
    const auto together = RunModel(*model, inputs);
    for (int64_t row = 0; row < kRows; ++row) {
      std::vector<std::vector<float>> one;
      for (const auto& input : inputs) {
        const size_t elements = input.size() / kRows;
        one.emplace_back(input.begin() + row * elements, input.begin() + (row + 1) * elements);
      }
      const auto alone = RunModel(*model, one);
      for (size_t i = 0; i < alone.size(); ++i) {
        const auto in_batch = std::span(together[i]).subspan(row * alone[i].size(), alone[i].size());
        EXPECT_TRUE(WithinTolerance(alone[i], in_batch)) << "output " << i << ", row " << row;
      }
    }
  }
}

TEST(RandomNetwork, TheOrderOfItsNodesInTheFileDoesNotMatter) {
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    OnnxBuilder network = RandomNetwork(seed);
    const auto model = LoadModel(network.Bytes());
    const auto reversed = LoadModel(BytesWithNodesReversed(network));
    ASSERT_TRUE(model.ok()) << model.status();
    ASSERT_TRUE(reversed.ok()) << reversed.status();
    const auto inputs = NoiseFor(**model, 2, seed);
    EXPECT_EQ(RunModel(*model, inputs), RunModel(*reversed, inputs));
  }
}

TEST(RandomNetwork, ASessionKeepsNothingOfTheBatchBefore) {
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    OnnxBuilder network = RandomNetwork(seed);
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    const auto inputs = NoiseFor(**model, 2, seed);
    const auto fresh = RunModel(*model, inputs);
    Session used(*model, 9);
    const auto other = NoiseFor(**model, 9, seed + 1, -100, 100);
    for (size_t i = 0; i < other.size(); ++i) std::copy(other[i].begin(), other[i].end(), used.input(i).begin());
    used.Run(9);
    for (size_t i = 0; i < inputs.size(); ++i) std::copy(inputs[i].begin(), inputs[i].end(), used.input(i).begin());
    used.Run(2);
    for (size_t i = 0; i < fresh.size(); ++i) {
      const auto again = used.output(i, 2);
      EXPECT_TRUE(WithinTolerance(fresh[i], again)) << "output " << i;
    }
  }
}

// How many rows make a unit active, by the interpreter: at least, and at most where rounding may decide.
struct Expected {
  int64_t least = 0, most = 0;
};

// Whether the units of a value are its last dimension: a dense layer at several positions made it, and what came since
// has not changed its shape.
bool UnitsAreLast(const onnx::GraphProto& graph, const Tensors& values, const std::string& name) {
  if (values.at(name).shape.size() < 3) return false;
  for (const auto& node : graph.node()) {
    if (node.output(0) != name) continue;
    if (node.op_type() == "MatMul") return true;
    if (node.op_type().find("Pool") != std::string::npos || node.op_type().find("Conv") == 0) return false;
    if (node.op_type() == "Transpose" &&
        !std::is_sorted(node.attribute(0).ints().begin(), node.attribute(0).ints().end())) {
      return false;
    }
    for (const auto& input : node.input()) {
      const bool is_weight = std::any_of(graph.initializer().begin(), graph.initializer().end(),
                                         [&](const auto& weight) { return weight.name() == input; });
      if (is_weight) continue;
      return values.at(input).shape == values.at(name).shape && UnitsAreLast(graph, values, input);
    }
  }
  return false;
}

std::vector<Expected> CountUnits(const Tensor& value, int64_t rows, bool units_last) {
  const int64_t images = value.shape[0] / rows, units = units_last ? value.shape.back() : value.shape[1];
  const int64_t positions = static_cast<int64_t>(value.data.size()) / (value.shape[0] * units);
  std::vector<Expected> counts(units);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t unit = 0; unit < units; ++unit) {
      bool surely = false, perhaps = false;
      for (int64_t p = 0; p < images * positions; ++p) {
        const int64_t image = row * images + p / positions, at = p % positions;
        const int64_t in_image = units_last ? at * units + unit : unit * positions + at;
        const double v = value.data[image * units * positions + in_image];
        surely |= v > 1e-5;
        perhaps |= v > -1e-5 && v != 0;
      }
      counts[unit].least += surely ? 1 : 0;
      counts[unit].most += perhaps ? 1 : 0;
    }
  }
  return counts;
}

TEST(RandomNetwork, TheSessionCountsTheUnitsThatWerePositive) {
  constexpr int64_t kRows = 6;
  int layers = 0;
  for (uint32_t seed = kFirstSeed; seed < kFirstSeed + kNetworks && !HasFailure(); ++seed) {
    OnnxBuilder network = RandomNetwork(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + Describe(network));
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    const auto inputs = NoiseFor(**model, kRows, seed);
    const Tensors values = Interpret(network.proto(), ToTensors(**model, kRows, inputs));
    Session session(*model, kRows);
    for (size_t i = 0; i < inputs.size(); ++i) std::copy(inputs[i].begin(), inputs[i].end(), session.input(i).begin());
    session.Run(kRows);
    EXPECT_EQ(session.activity().samples, kRows);
    for (size_t i = 0; i < (*model)->activations().size(); ++i, ++layers) {
      const ActivationLayer& layer = (*model)->activations()[i];
      for (const auto& node : network.proto().graph().node()) {
        if (node.name() != layer.name) continue;
        const Tensor& before = values.at(node.input(0));
        const Tensor& after = values.at(node.output(0));
        const std::vector<Expected> expected =
            CountUnits(before, kRows, UnitsAreLast(network.proto().graph(), values, node.input(0)));
        ASSERT_EQ(layer.units, static_cast<int64_t>(expected.size()));
        EXPECT_EQ(layer.elements, static_cast<int64_t>(before.data.size()) / kRows);
        for (size_t unit = 0; unit < expected.size(); ++unit) {
          const int64_t counted = session.activity().layers[i].active[unit];
          EXPECT_GE(counted, expected[unit].least) << layer.name << " unit " << unit;
          EXPECT_LE(counted, expected[unit].most) << layer.name << " unit " << unit;
        }
        if (node.op_type() == "Relu") {
          const auto zeros = std::count(after.data.begin(), after.data.end(), 0.0);
          EXPECT_NEAR(static_cast<double>(session.activity().layers[i].zeros), static_cast<double>(zeros), 2)
              << layer.name;
        }
      }
    }
  }
  EXPECT_GT(layers, 100);
}

}  // namespace
}  // namespace halfwave
