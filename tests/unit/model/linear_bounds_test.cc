// No input may contradict a bound: not random ones, not those that the engine itself was searched for.
#include "model/analysis/linear_bounds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <random>

#include "model/analysis/prove_model.h"
#include "model/engine/evaluate.h"
#include "model/engine/session.h"
#include "model/onnx/reader.h"
#include "model/tools/prove.h"
#include "nlohmann/json.hpp"
#include "tests/support/run_model.h"
#include "tests/unit/model/random_network.h"
#include "tests/unit/model/reference.h"
#include "tests/unit/model/tool_output.h"

namespace halfwave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Attributes = OnnxBuilder::Attributes;
using Ints = std::vector<int64_t>;

// A network with its graph looked at; it stays where it is.
struct Network {
  explicit Network(OnnxBuilder& builder)
      : bytes(builder.Bytes()), graph(ParseOnnx(bytes)->graph), known(*FindConstants(graph)), view(graph, known) {}

  LinearBounds Over(const InputRegion& region) const {
    LinearBounds bounds(view);
    bounds.Compute(region);
    return bounds;
  }
  int64_t elements() const { return RowElements(graph.inputs[0].shape); }
  InputRegion Box(double low, double high) const { return {ForEachElement({{low}, {high}}, elements())}; }

  std::string bytes;
  Graph graph;
  Known known;
  GraphView view;
};

TEST(LinearBounds, BeatIntervalsWhereTheSameInputComesTwoWays) {
  // relu(x) - x is max(0, -x): from 0 to 1. The lines say 0 <= relu(x), x <= relu(x) <= (x + 1) / 2.
  OnnxBuilder builder;
  builder.Input("x", {-1, 1}).Node("Relu", {"x"}, {"a"}).Node("Sub", {"a", "x"}, {"z"});
  builder.Weight("w", {1, 1}, {1}).Weight("b", {1}, {0.5f}).Node("Gemm", {"z", "w", "b"}, {"g"});
  builder.Node("Relu", {"g"}, {"y"}).Output("y");
  const Network network(builder);
  const LinearBounds bounds = network.Over(network.Box(-1, 1));
  EXPECT_NEAR(bounds.Of("g")->low[0], 0.5, 1e-5);
  EXPECT_NEAR(bounds.Of("g")->high[0], 1.5, 1e-5);
  EXPECT_NEAR(bounds.Of("z")->low[0], -1, 1e-2) << "nothing asks for more than the interval here";
  const InputDomain domain = {{-1}, {1}};
  EXPECT_LT(BoundsMap(network.view, &domain).Of("g").low[0], 0) << "intervals cannot tell that it is always on";
}

TEST(LinearBounds, HoldForEveryValueOfRandomNetworks) {
  int64_t values = 0, bounded = 0, closer = 0;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    OnnxBuilder builder = RandomNetwork(seed);
    const auto model = LoadModel(builder.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    const Network network(builder);
    const bool one_input = (*model)->inputs().size() == 1;
    const float range = seed % 2 == 0 ? 1.0f : 20.0f;
    const InputRegion region = one_input ? network.Box(-range, range) : InputRegion();
    const LinearBounds bounds = network.Over(region);
    const InputDomain domain = {{-range}, {range}};
    const BoundsMap intervals(network.view, one_input ? &domain : nullptr);
    const Tensors tensors =
        Interpret(builder.proto(), ToTensors(**model, 1, NoiseFor(**model, 1, seed + 1, -range, range)));
    for (const Node* node : network.view.nodes()) {
      const auto value = tensors.find(node->outputs[0]);
      const ElementBounds* limits = bounds.Of(node->outputs[0]);
      if (value == tensors.end() || limits == nullptr) continue;
      const std::vector<double>& data = value->second.data;
      if (!std::all_of(data.begin(), data.end(), [](double x) { return std::isfinite(x); })) break;
      if (data.size() != limits->low.size()) continue;  // of a fixed batch
      for (size_t i = 0; i < data.size(); ++i) {
        ASSERT_GE(data[i], limits->low[i]) << "seed " << seed << " " << node->op << " " << node->name << " " << i;
        ASSERT_LE(data[i], limits->high[i]) << "seed " << seed << " " << node->op << " " << node->name << " " << i;
      }
      ++values;
      bounded += std::isfinite(limits->low[0]) && std::isfinite(limits->high[0]);
      const Bounds& interval = intervals.Of(node->outputs[0]);
      const double widest = *std::max_element(interval.high.begin(), interval.high.end());
      closer += *std::max_element(limits->high.begin(), limits->high.end()) < widest;
    }
  }
  EXPECT_GT(values, 2000);
  EXPECT_GT(bounded, values / 4);
  EXPECT_GT(closer, values / 10);
}

std::vector<float> Small(int64_t count, uint32_t seed) { return Noise(count, seed, 0, 0.4f); }

OnnxBuilder DenseNetwork() {
  OnnxBuilder b;
  b.Input("x", {-1, 12}).Weight("w1", {16, 12}, Small(192, 1)).Weight("b1", {16}, Noise(16, 2));
  b.Node("Gemm", {"x", "w1", "b1"}, {"g1"}, {{"transB", int64_t{1}}});
  // A large offset behind the sum: folded into its start, every addition rounds at its size.
  b.Weight("s", {16}, Noise(16, 3)).Weight("o", {16}, std::vector<float>(16, 300.0f));
  b.Weight("m", {16}, std::vector<float>(16, 0.0f)).Weight("v", {16}, std::vector<float>(16, 1.0f));
  b.Node("BatchNormalization", {"g1", "s", "o", "m", "v"}, {"n1"})
      .Weight("back", {16}, std::vector<float>(16, -300.0f));
  b.Node("Add", {"n1", "back"}, {"z1"}).Node("LeakyRelu", {"z1"}, {"a1"}, {{"alpha", 0.2f}});
  b.Weight("w2", {16, 16}, Small(256, 4)).Node("MatMul", {"a1", "w2"}, {"z2"});
  b.Weight("low", {}, {0.0f}).Weight("high", {}, {0.5f}).Node("Clip", {"z2", "low", "high"}, {"a2"});
  b.Node("Add", {"a1", "a2"}, {"sum"}).Weight("w3", {16, 16}, Small(256, 5));
  b.Node("MatMul", {"sum", "w3"}, {"z3"}).Weight("slope", {16}, Noise(16, 6)).Node("PRelu", {"z3", "slope"}, {"a3"});
  b.Weight("w4", {16, 8}, Small(128, 7)).Node("MatMul", {"a3", "w4"}, {"z4"}).Node("Tanh", {"z4"}, {"a4"});
  b.Weight("w5", {8, 8}, Small(64, 8)).Node("MatMul", {"a4", "w5"}, {"z5"}).Node("Relu", {"z5"}, {"y"});
  b.Output("y");
  return b;
}

// Wide 3x3 convolutions, which Winograd's transforms compute, poolings, a residual sum.
OnnxBuilder ImageNetwork() {
  OnnxBuilder b;
  const Attributes same = {{"pads", Ints{1, 1, 1, 1}}};
  b.Input("x", {-1, 2, 12, 12}).Weight("w1", {16, 2, 3, 3}, Small(288, 1)).Weight("b1", {16}, Small(16, 2));
  b.Node("Conv", {"x", "w1", "b1"}, {"z1"}, same).Node("Relu", {"z1"}, {"a1"});
  b.Weight("w2", {16, 16, 3, 3}, Small(2304, 3)).Node("Conv", {"a1", "w2"}, {"z2"}, same);
  b.Node("Relu", {"z2"}, {"a2"}).Node("Add", {"a1", "a2"}, {"sum"});
  b.Node("MaxPool", {"sum"}, {"p"}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}});
  b.Weight("w3", {8, 16, 3, 3}, Small(1152, 4)).Node("Conv", {"p", "w3"}, {"z3"}, {{"strides", Ints{2, 2}}});
  b.Node("Elu", {"z3"}, {"a3"}).Node("Transpose", {"a3"}, {"t"}, {{"perm", Ints{0, 2, 3, 1}}});
  b.Node("AveragePool", {"a3"}, {"q"}, {{"kernel_shape", Ints{2, 2}}}).Node("Flatten", {"t"}, {"f"});
  b.Weight("w4", {32, 6}, Small(192, 5)).Node("MatMul", {"f", "w4"}, {"z4"}).Node("Relu", {"z4"}, {"y"});
  b.Output("y").Output("q");
  return b;
}

// Runs rows in the engine and holds every pre-activation against its bounds.
class Engine {
 public:
  Engine(const Network& network, const LinearBounds& bounds, int64_t max_rows) : network_(network), bounds_(bounds) {
    ModelOptions options;
    options.keep_pre_activations = true;
    session_ = std::make_unique<Session>(*LoadModel(network.bytes, options), max_rows);
    for (const ActivationLayer& layer : session_->model().activations()) {
      for (const Node* node : network.view.nodes()) {
        if (node->name == layer.name) inputs_.push_back(node->inputs[0]);
      }
    }
    session_->set_before_activation([this](const PreActivations& z) { Look(z); });
  }

  size_t layers() const { return inputs_.size(); }
  const std::string& input_of(size_t layer) const { return inputs_[layer]; }

  // The pre-activation [layer][row][element], in the file's order.
  const std::vector<std::vector<std::vector<double>>>& Run(const std::vector<float>& rows) {
    seen_.assign(inputs_.size(), {});
    std::copy(rows.begin(), rows.end(), session_->input(0).begin());
    session_->Run(static_cast<int64_t>(rows.size()) / network_.elements());
    return seen_;
  }

 private:
  void Look(const PreActivations& z) {
    const ElementBounds& limits = *bounds_.Of(inputs_[z.layer]);
    const int64_t elements = z.layout.elements();
    ASSERT_EQ(elements, static_cast<int64_t>(limits.low.size()));
    for (int64_t row = 0; row < z.rows; ++row) {
      std::vector<double>& values = seen_[z.layer].emplace_back(elements);
      for (int64_t i = 0; i < elements; ++i) {
        const int64_t of_image = z.layout.channels * z.layout.positions, at = i % of_image;
        const int64_t element =
            z.layout.channels_last ? i - at + at % z.layout.channels * z.layout.positions + at / z.layout.channels : i;
        const double value = z.values[row * elements + i];
        values[element] = value;
        ASSERT_GE(value, limits.low[element]) << inputs_[z.layer] << " element " << element;
        ASSERT_LE(value, limits.high[element]) << inputs_[z.layer] << " element " << element;
      }
    }
  }

  const Network& network_;
  const LinearBounds& bounds_;
  std::unique_ptr<Session> session_;
  std::vector<std::string> inputs_;
  std::vector<std::vector<std::vector<double>>> seen_;
};

// Random rows, nothing but corners, images that are almost all zero; then a search that drives one pre-activation up
// or down, by the coordinates whose step to the other end helps (the sign of the gradient, and greedily at the end).
void Attack(const Network& network, const InputRegion& region, uint32_t seed, double* share_reached) {
  const LinearBounds bounds = network.Over(region);
  const int64_t n = network.elements();
  Engine engine(network, bounds, n + 1);
  std::minstd_rand random(seed);
  std::uniform_real_distribution<double> unit(0, 1);
  const auto end = [&](int64_t i, bool high) {
    // A float in the domain.
    float x = static_cast<float>(high ? region.box.high[i] : region.box.low[i]);
    if (x > region.box.high[i]) x = std::nextafter(x, -1e30f);
    if (x < region.box.low[i]) x = std::nextafter(x, 1e30f);
    return x;
  };
  for (int batch = 0; batch < 40; ++batch) {
    std::vector<float> rows;
    for (int64_t i = 0; i < n * 8; ++i) {
      const double mixed = region.box.low[i % n] + (region.box.high[i % n] - region.box.low[i % n]) * unit(random);
      const bool in_between = batch % 4 == 0;
      const double ones = batch % 4 == 3 ? 0.03 : 0.5;
      rows.push_back(in_between ? std::clamp(static_cast<float>(mixed), end(i % n, false), end(i % n, true))
                                : end(i % n, unit(random) < ones));
    }
    engine.Run(rows);
    if (testing::Test::HasFatalFailure()) return;
  }
  double reached = 0, searches = 0;
  for (size_t layer = 0; layer < engine.layers(); ++layer) {
    for (int search = 0; search < 4; ++search) {
      const bool up = search % 2 == 0;
      const ElementBounds& limits = *bounds.Of(engine.input_of(layer));
      const size_t target = static_cast<size_t>(unit(random) * static_cast<double>(limits.low.size() - 1));
      std::vector<bool> high(n);
      for (int64_t i = 0; i < n; ++i) high[i] = unit(random) < 0.5;
      double best = 0;
      for (int round = 0; round < 5; ++round) {
        std::vector<float> rows;
        for (int64_t row = 0; row <= n; ++row) {
          for (int64_t i = 0; i < n; ++i) rows.push_back(end(i, high[i] != (row == i)));
        }
        const auto values = engine.Run(rows)[layer];
        if (testing::Test::HasFatalFailure()) return;
        best = values[n][target];
        const auto gain = [&](int64_t i) { return up ? values[i][target] - best : best - values[i][target]; };
        int64_t most = 0;
        for (int64_t i = 0; i < n; ++i) {
          if (gain(i) > gain(most)) most = i;
          if (round < 3 && gain(i) > 0) high[i] = !high[i];
        }
        if (round >= 3 && gain(most) > 0) high[most] = !high[most];
      }
      const double width = limits.high[target] - limits.low[target];
      reached += width > 0 ? (up ? best - limits.low[target] : limits.high[target] - best) / width : 1;
      ++searches;
    }
  }
  *share_reached = reached / searches;
}

TEST(LinearBounds, HoldInTheEngineAgainstASearchForTheContrary) {
  OnnxBuilder dense = DenseNetwork(), image = ImageNetwork();
  int seed = 0;
  for (OnnxBuilder* builder : {&dense, &image}) {
    const Network network(*builder);
    const std::vector<float> centre = Noise(network.elements(), 9);
    for (const double radius : {2.0, 0.1, 0.001}) {
      InputRegion region;
      for (const float x : centre) {
        region.box.low.push_back(x - radius);
        region.box.high.push_back(x + radius);
      }
      double share = 0;
      Attack(network, region, ++seed, &share);
      if (HasFatalFailure()) FAIL() << "radius " << radius;
      // The search comes near the bounds: they are not idle, and a small error in them would show.
      EXPECT_GT(share, 0.6) << "radius " << radius;
    }
  }
}

// Images of which a single pixel is not zero: where the others' sums are exactly zero, Winograd's transforms leave what
// rounding makes of the pixel beside them.
TEST(LinearBounds, KnowWhatWinogradMakesOfANeighbour) {
  OnnxBuilder builder;
  std::vector<float> weights = Noise(16 * 16 * 9, 1);
  for (float& weight : weights) weight = -std::abs(weight);
  builder.Input("x", {-1, 16, 12, 12}).Weight("w", {16, 16, 3, 3}, weights);
  builder.Node("Conv", {"x", "w"}, {"z"}, {{"pads", Ints{1, 1, 1, 1}}}).Node("Relu", {"z"}, {"y"}).Output("y");
  const Network network(builder);
  const LinearBounds bounds = network.Over(network.Box(0, 1));
  Engine engine(network, bounds, 1);
  double largest = 0;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    std::vector<float> row(network.elements());
    for (int64_t c = 0; c < 16; ++c) row[c * 144 + seed % 144] = std::abs(Noise(16, seed)[c]) / 4;
    for (const double z : engine.Run(row)[0][0]) largest = std::max(largest, z);
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(largest, 0) << "if this is zero now, the signs of a sum can be trusted here as well";
}

TEST(LinearBounds, KnowThatFlattenedImagesAreAddedUpPositionByPosition) {
  // Next to a partial sum of 2^24 a term of 0.98 is lost. In the file's order all small ones come first and are kept;
  // position by position every other 39 of them meet a large partial sum.
  constexpr int64_t kChannels = 40, kPositions = 50;
  std::vector<float> same(kChannels * kChannels), weights;
  for (int64_t c = 0; c < kChannels; ++c) same[c * kChannels + c] = 1;
  for (int64_t i = 0; i < kChannels * kPositions; ++i) {
    const bool large = i / kPositions == kChannels - 1;
    weights.push_back(large ? i % 2 == 0 ? 0x1p24f : -0x1p24f : 0.98f);
  }
  OnnxBuilder builder;
  builder.Input("x", {-1, kChannels, 5, 10}).Weight("k", {kChannels, kChannels, 1, 1}, same);
  builder.Node("Conv", {"x", "k"}, {"maps"}).Node("Flatten", {"maps"}, {"flat"});
  builder.Weight("w", {kChannels * kPositions, 1}, weights).Node("Gemm", {"flat", "w"}, {"sum"});
  builder.Node("Relu", {"sum"}, {"y"}).Output("sum").Output("y");
  const Network network(builder);
  const LinearBounds bounds = network.Over(network.Box(1, 1));
  const auto model = LoadModel(builder.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  const float sum = RunModel(*model, {std::vector<float>(kChannels * kPositions, 1.0f)})[0][0];
  EXPECT_LT(sum, 1500) << "of 1911: else this tests nothing";
  EXPECT_GE(sum, bounds.Of("sum")->low[0]);
  EXPECT_LE(sum, bounds.Of("sum")->high[0]);
}

TEST(LinearBounds, OfTheFirstDenseLayerAreTheEnginesOwnExtremes) {
  constexpr int64_t kInputs = 300, kUnits = 20;
  const std::vector<float> weights = Noise(kInputs * kUnits, 1), center = Noise(kInputs, 3);
  OnnxBuilder builder;
  builder.Input("x", {-1, 1, 15, 20}).Node("Flatten", {"x"}, {"flat"});
  builder.Weight("w", {kInputs, kUnits}, weights).Weight("b", {kUnits}, Noise(kUnits, 2));
  builder.Node("Gemm", {"flat", "w", "b"}, {"sum"}).Node("Relu", {"sum"}, {"y"}).Output("sum").Output("y");
  const Network network(builder);
  InputRegion region = network.Box(0, 0);
  for (int64_t i = 0; i < kInputs; ++i) {
    region.box.low[i] = center[i] - 0.01;
    region.box.high[i] = center[i] + 0.01;
  }
  const ElementBounds bounds = *network.Over(region).Of("sum");
  const auto model = LoadModel(builder.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  for (int64_t unit = 0; unit < kUnits; ++unit) {
    for (const bool greatest : {false, true}) {
      std::vector<float> corner;
      for (int64_t i = 0; i < kInputs; ++i) {
        const bool up = (weights[i * kUnits + unit] > 0) == greatest;
        const double side = up ? region.box.high[i] : region.box.low[i];
        auto x = static_cast<float>(side);
        if (up ? x > side : x < side) x = std::nextafter(x, center[i]);
        corner.push_back(x);
      }
      const float sum = RunModel(*model, {corner})[0][unit];
      EXPECT_GE(sum, bounds.low[unit]);
      EXPECT_LE(sum, bounds.high[unit]);
      // With and without fused multiply-add differ by less than the bound of their rounding, 1e-4 here.
      EXPECT_NEAR(sum, greatest ? bounds.high[unit] : bounds.low[unit], 4e-6) << "unit " << unit;
    }
  }
}

TEST(LinearBounds, DecideAUnitThatJustReachesZero) {
  // x0 - x1 - 1 over [0, 1] is never above zero, x0 - x1 + 1 never below.
  OnnxBuilder builder;
  builder.Input("x", {-1, 2}).Weight("w", {2, 2}, {1, 1, -1, -1}).Weight("b", {2}, {-1, 1});
  builder.Node("Gemm", {"x", "w", "b"}, {"sum"}).Node("Relu", {"sum"}, {"y"}).Output("y");
  const Network network(builder);
  const ElementBounds bounds = *network.Over(network.Box(0, 1)).Of("sum");
  EXPECT_EQ(bounds.high[0], 0);
  EXPECT_EQ(bounds.low[1], 0);
}

TEST(InputRegion, MinimumIsBelowEveryPointAndAboveTheBox) {
  constexpr int64_t kSize = 6, kRows = 200;
  // Rows that lie near a line: a box says little of them.
  std::vector<float> rows;
  for (int64_t r = 0; r < kRows; ++r) {
    const std::vector<float> noise = Noise(kSize + 1, static_cast<uint32_t>(r + 1));
    for (int64_t i = 0; i < kSize; ++i) rows.push_back(noise[kSize] * static_cast<float>(i - 2) + 0.05f * noise[i]);
  }
  InputRegion box;
  for (int64_t i = 0; i < kSize; ++i) {
    box.box.low.push_back(-6);
    box.box.high.push_back(6);
  }
  InputRegion cut = box;
  cut.constraints = LearnConstraints(rows, kRows, 5, 0);
  ASSERT_EQ(cut.constraints.size(), 6u);
  int64_t closer = 0;
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    const std::vector<float> noise = Noise(kSize, seed + 500);
    const std::vector<double> c(noise.begin(), noise.end());
    double least = 1e30;
    for (int64_t r = 0; r < kRows; ++r) {
      double value = 0;
      for (int64_t i = 0; i < kSize; ++i) value += c[i] * rows[r * kSize + i];
      least = std::min(least, value);
    }
    EXPECT_LE(cut.Minimum(c), least);
    EXPECT_GE(cut.Minimum(c), box.Minimum(c));
    closer += cut.Minimum(c) > box.Minimum(c) / 2;
  }
  EXPECT_GT(closer, 25);
}

std::string Save(const std::string& bytes, const std::string& ending) {
  const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string path = ::testing::TempDir() + "/halfwave_prove_" + test + ending;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

// Units 1 and 4 are killed by their bias, 2 is kept on by it.
OnnxBuilder Planted() {
  OnnxBuilder b;
  b.Input("x", {-1, 4}).Weight("w", {6, 4}, Noise(24, 1)).Weight("b", {6}, {0.1f, -9, 9, 0.1f, -9, 0.1f});
  b.Node("Gemm", {"x", "w", "b"}, {"g"}, {{"transB", int64_t{1}}}).Node("Relu", {"g"}, {"r"}, {{"name", "relu"}});
  b.Weight("v", {6, 3}, Noise(18, 2)).Node("MatMul", {"r", "v"}, {"y"}).Output("y");
  return b;
}

TEST(Prove, NamesExactlyThePlantedUnits) {
  OnnxBuilder builder = Planted();
  tools::ProveCommand command{.file = Save(builder.Bytes(), ".onnx"), .domain = {-1, 1}, .json = true};
  const auto json = nlohmann::json::parse(tools::PrintedBy(tools::RunProve, command).out);
  EXPECT_THAT(json["layers"][0]["dead_units"].get<Ints>(), ElementsAre(1, 4));
  EXPECT_THAT(json["layers"][0]["always_on_units"].get<Ints>(), ElementsAre(2));
  command.json = false;
  EXPECT_THAT(tools::PrintedBy(tools::RunProve, command).out,
              AllOf(HasSubstr("Of 6 units, 2 proven dead and 1 proven always on"), HasSubstr("from -1 to 1")));
}

TEST(Prove, CountsNeuronsOverBalls) {
  OnnxBuilder builder = Planted();
  tools::ProveCommand command{.file = Save(builder.Bytes(), ".onnx"), .json = true};
  command.options.data = Save("0,0,0,0\n0.5,0.5,0.5,0.5\n1,0,1,0\n", ".csv");
  command.options.ball = 1e-4;
  command.options.rows = 2;
  const auto json = nlohmann::json::parse(tools::PrintedBy(tools::RunProve, command).out);
  EXPECT_EQ(json["domains"], 2);
  EXPECT_EQ(json["layers"][0]["elements_inactive"].get<int>() + json["layers"][0]["elements_active"].get<int>(), 12)
      << "next to a point everything is decided";
}

TEST(Prove, RefusesBadInputWithItsPlace) {
  OnnxBuilder builder = Planted();
  const std::string model = Save(builder.Bytes(), ".onnx");
  const auto refused = [&](const std::function<void(tools::ProveCommand&)>& change) {
    tools::ProveCommand command{.file = model, .domain = {0, 1}};
    change(command);
    const tools::Printed printed = tools::PrintedBy(tools::RunProve, command);
    EXPECT_EQ(printed.code, tools::kUsage);
    return printed.err;
  };
  EXPECT_THAT(refused([](auto& c) { c.domain = {1, 0}; }), HasSubstr("from 1 to 0"));
  EXPECT_THAT(refused([](auto& c) {
                c.domain = {}, c.options.domain = InputDomain{{0, 0}, {1, 1}};
              }),
              HasSubstr("expected 1 or 4"));
  const auto rows = [&](const std::string& csv) {
    return refused([&](auto& c) {
      c.options.data = Save(csv, ".csv");
      c.options.ball = 0.1;
    });
  };
  EXPECT_THAT(rows("0,0,0\n"), HasSubstr("expected rows of 4 numbers"));
  EXPECT_THAT(rows("0,0,0,0\n0,0,nan,0\n"), HasSubstr("row 1, column 2"));
  EXPECT_THAT(rows("0,0,0,0\n0,5,0,0\n"), HasSubstr("row 1, column 1: 5 is outside the input domain"));
}

}  // namespace
}  // namespace halfwave
