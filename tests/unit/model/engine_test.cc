// Networks through ONNX bytes, each compared with the plain interpreter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "model/engine/session.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/reference.h"

namespace halfwave {
namespace {

using Attributes = OnnxBuilder::Attributes;
using Ints = std::vector<int64_t>;

std::vector<float> Values(const Shape& shape, uint32_t seed, float low = -1, float high = 1) {
  return Noise(*NumElements(shape), seed, low, high);
}

OnnxBuilder& Weight(OnnxBuilder& network, const std::string& name, const Shape& shape, uint32_t seed) {
  return network.Weight(name, shape, Values(shape, seed));
}

// x [-1, 2, 4, 5] -> conv of 3 maps, "maps": a value whose channels lie last inside the engine.
OnnxBuilder Maps(int64_t opset = 13) {
  OnnxBuilder network(opset);
  network.Input("x", {-1, 2, 4, 5});
  Weight(network, "k", {3, 2, 3, 3}, 11);
  network.Node("Conv", {"x", "k"}, {"maps"}, {{"pads", Ints{1, 1, 1, 1}}});
  return network;
}

OnnxBuilder Features(int64_t opset = 13) {
  OnnxBuilder network(opset);
  network.Input("x", {-1, 6});
  return network;
}

TEST(Engine, FeaturesBehindAConvolutionAreInOnnxsOrder) {
  OnnxBuilder network = Maps();
  network.Node("Flatten", {"maps"}, {"flat"});
  Weight(network, "w", {60, 7}, 12);
  network.Node("Gemm", {"flat", "w"}, {"y"}).Output("y").Output("flat");
  ExpectComputes(network);
}

TEST(Engine, FlattenedMapsAreRightForEveryReader) {
  OnnxBuilder network = Maps();
  network.IntWeight("flat_shape", {-1, 60}).IntWeight("image_shape", {-1, 3, 4, 5});
  network.Node("Reshape", {"maps", "flat_shape"}, {"flat"});
  Weight(network, "w", {60, 7}, 12);
  Weight(network, "wt", {7, 60}, 13);
  Weight(network, "b", {60}, 14);
  Weight(network, "k2", {2, 3, 2, 2}, 15);
  network.Node("Gemm", {"flat", "w"}, {"gemm"}).Output("gemm");
  network.Node("Gemm", {"flat", "wt"}, {"turned"}, {{"transB", int64_t{1}}}).Output("turned");
  network.Node("MatMul", {"flat", "w"}, {"matmul"}).Output("matmul");
  network.Node("Add", {"flat", "b"}, {"sum"}).Output("sum");
  network.Node("Relu", {"flat"}, {"relu"}).Output("relu");
  network.Node("Identity", {"flat"}, {"same"}).Node("Gemm", {"same", "w"}, {"again"}).Output("again");
  network.Node("Reshape", {"flat", "image_shape"}, {"image"}).Node("Conv", {"image", "k2"}, {"conv"}).Output("conv");
  ExpectComputes(network);
}

TEST(Engine, AReshapeOfMapsIsInOnnxsOrder) {
  for (const Ints& target : {Ints{0, -1}, {-1, 60}, {0, 0, -1}, {0, 5, 4, 3}, {-1, 4, 15}, {0, 60, 1, 1}}) {
    OnnxBuilder network = Maps();
    network.IntWeight("t", target).Node("Reshape", {"maps", "t"}, {"y"}).Output("y");
    ExpectComputes(network);
  }
}

TEST(Engine, ConvolutionsBehindAReshapeSeeTheNewMaps) {
  OnnxBuilder network = Maps();
  network.IntWeight("t", {0, 5, 4, 3}).Node("Reshape", {"maps", "t"}, {"turned"});
  Weight(network, "k2", {2, 5, 2, 2}, 13);
  network.Node("Conv", {"turned", "k2"}, {"y"}).Output("y");
  ExpectComputes(network);
}

TEST(Engine, AResidualSumAddsBothBranches) {
  OnnxBuilder network = Maps();
  Weight(network, "k2", {3, 3, 3, 3}, 13);
  network.Node("Relu", {"maps"}, {"a"})
      .Node("Conv", {"a", "k2"}, {"b"}, {{"pads", Ints{1, 1, 1, 1}}})
      .Node("Add", {"b", "maps"}, {"sum"})
      .Node("Relu", {"sum"}, {"y"})
      .Output("y");
  ExpectComputes(network);
}

TEST(Engine, ASumOfMapsInTwoOrdersAddsTheRightElements) {
  for (const bool maps_first : {true, false}) {
    OnnxBuilder network = Maps();
    network.Input("z", {-1, 3, 4, 5});
    const std::vector<std::string> inputs =
        maps_first ? std::vector<std::string>{"maps", "z"} : std::vector<std::string>{"z", "maps"};
    network.Node("Add", inputs, {"y"}).Output("y");
    ExpectComputes(network);
  }
}

TEST(Engine, AValueReadBySeveralNodesIsNotOverwrittenByTheFirst) {
  OnnxBuilder network = Features();
  Weight(network, "w", {6, 6}, 12);
  network.Node("Gemm", {"x", "w"}, {"a"})
      .Node("Relu", {"a"}, {"b"})
      .Node("Tanh", {"a"}, {"c"})
      .Node("Identity", {"a"}, {"d"})
      .Node("Relu", {"d"}, {"e"})
      .Node("Add", {"b", "c"}, {"f"})
      .Node("Add", {"f", "e"}, {"g"})
      .Node("Add", {"g", "a"}, {"y"})
      .Output("y");
  ExpectComputes(network);
}

TEST(Engine, AValueAddedToItselfIsDoubled) {
  OnnxBuilder network = Maps();
  network.Node("Add", {"maps", "maps"}, {"y"}).Output("y");
  ExpectComputes(network);
}

TEST(Engine, TheCallersInputIsNotOverwrittenWhereAnotherNodeOrTheCallerReadsIt) {
  OnnxBuilder network = Features();
  network.Node("Relu", {"x"}, {"a"})
      .Node("Identity", {"x"}, {"b"})
      .Node("Tanh", {"b"}, {"c"})
      .Node("Add", {"a", "c"}, {"y"});
  network.Output("y").Output("x").Output("b");
  ExpectComputes(network);
}

TEST(Engine, AnOutputInTheMiddleKeepsItsValue) {
  OnnxBuilder network = Maps();
  network.Node("Relu", {"maps"}, {"a"}).Node("Relu", {"a"}, {"b"}).Node("Tanh", {"b"}, {"c"});
  network.Output("c").Output("maps").Output("a").Output("b");
  ExpectComputes(network);
}

TEST(Engine, ANodeThatNobodyReadsDoesNoHarm) {
  OnnxBuilder network = Maps();
  network.Node("Tanh", {"maps"}, {"nobody"}).Node("Relu", {"maps"}, {"y"}).Output("y");
  ExpectComputes(network);
}

TEST(Engine, AModelMayHandItsInputThrough) {
  OnnxBuilder network = Features();
  network.Output("x");
  ExpectComputes(network);
}

TEST(Engine, ChainsOfIdentityAndDropoutPassValuesOn) {
  OnnxBuilder network = Maps();
  network.Node("Identity", {"maps"}, {"a"}).Node("Dropout", {"a"}, {"b", "mask"}).Node("Identity", {"b"}, {"c"});
  network.Node("Relu", {"c"}, {"d"}).Node("Dropout", {"d"}, {"e"}).Node("Identity", {"e"}, {"y"});
  network.Output("y").Output("a").Output("c");
  ExpectComputes(network);
}

TEST(Engine, DropoutsRatioAndModeMayBeConstantInputs) {
  OnnxBuilder network = Features();
  network.Weight("ratio", {}, {0.5f}).Node("Dropout", {"x", "ratio"}, {"y"}).Output("y");
  ExpectComputes(network);
}

TEST(Engine, PReluTakesEverySlopeThatBroadcasts) {
  for (const Shape& slope :
       {Shape{}, {1}, {5}, {4, 1}, {4, 5}, {3, 1, 1}, {3, 4, 5}, {1, 3, 1, 1}, {1, 3, 4, 5}, {1, 1, 1}}) {
    OnnxBuilder network = Maps();
    Weight(network, "slope", slope, 14);
    network.Node("PRelu", {"maps", "slope"}, {"y"}).Output("y");
    SCOPED_TRACE(ShapeToString(slope));
    ExpectComputes(network);
  }
  for (const Shape& slope : {Shape{}, {1}, {6}, {1, 6}, {1, 1}}) {
    OnnxBuilder network = Features();
    Weight(network, "slope", slope, 14);
    network.Node("PRelu", {"x", "slope"}, {"y"}).Output("y");
    SCOPED_TRACE(ShapeToString(slope));
    ExpectComputes(network);
  }
}

TEST(Engine, AddTakesConstantsOfEveryShapeOnEitherSide) {
  for (const bool left : {false, true}) {
    const auto inputs = [&](const std::string& value) {
      return left ? std::vector<std::string>{"c", value} : std::vector<std::string>{value, "c"};
    };
    for (const Shape& shape : {Shape{}, {1}, {5}, {3, 1, 1}, {1, 3, 1, 1}, {4, 5}, {3, 4, 5}, {3, 1, 5}}) {
      SCOPED_TRACE(ShapeToString(shape));
      OnnxBuilder maps = Maps();
      Weight(maps, "c", shape, 15).Node("Add", inputs("maps"), {"y"}).Output("y");
      ExpectComputes(maps);
    }
    for (const Shape& shape : {Shape{}, {1}, {6}, {1, 6}, {1, 1}}) {
      SCOPED_TRACE(ShapeToString(shape));
      OnnxBuilder features = Features();
      Weight(features, "c", shape, 15).Node("Add", inputs("x"), {"y"}).Output("y");
      ExpectComputes(features);
    }
  }
}

TEST(Engine, ArithmeticTakesConstantsOnEitherSideAndTwoComputedValues) {
  for (const char* op : {"Add", "Sub", "Mul", "Div"}) {
    for (const int computed : {0, 1, 2}) {
      SCOPED_TRACE(op);
      OnnxBuilder network = Maps();
      network.Node("Softplus", {"maps"}, {"a"}).Node("Sigmoid", {"maps"}, {"b"});
      network.Weight("c", {1, 1}, {0.7f});
      network.Node(op, {computed == 1 ? "c" : "a", computed == 0 ? "c" : "b"}, {"y"}).Output("y");
      ExpectComputes(network);
    }
  }
}

TEST(Engine, AValueThatASumNamesTwiceIsStillWholeTheSecondTime) {
  for (const char* op : {"Sum", "Mean", "Max", "Min"}) {
    OnnxBuilder network = Features();
    Weight(network, "c", {6}, 1).Node("Tanh", {"x"}, {"a"}).Node(op, {"a", "c", "a", "x", "a"}, {"y"}).Output("y");
    SCOPED_TRACE(op);
    ExpectComputes(network);
  }
}

TEST(Engine, ADivisionByAConstantZeroIsRefused) {
  OnnxBuilder network = Features();
  network.Weight("c", {1}, {0}).Node("Div", {"x", "c"}, {"y"}).Output("y");
  const auto status = LoadModel(network.Bytes()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_NE(status.message().find("divides by zero"), std::string_view::npos) << status;
}

TEST(Engine, ConcatPutsMapsInAnyOrderSideBySide) {
  for (const int64_t axis : {1, 2, 3, -1}) {
    OnnxBuilder network = Maps();
    network.Node("Relu", {"maps"}, {"a"}).Node("Transpose", {"maps"}, {"t"}, {{"perm", Ints{0, 1, 2, 3}}});
    network.Node("Concat", {"a", "t", "maps", "a"}, {"y"}, {{"axis", axis}}).Output("y").Output("a");
    ExpectComputes(network);
  }
}

TEST(Engine, AHugeStepTakesOneElement) {
  OnnxBuilder network = Maps();
  network.IntWeight("start", {0, -1}).IntWeight("end", {int64_t{1} << 62, -(int64_t{1} << 62)});
  network.IntWeight("axes", {2, 3}).IntWeight("step", {int64_t{1} << 62, -(int64_t{1} << 62)});
  network.Node("Slice", {"maps", "start", "end", "axes", "step"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->outputs()[0].shape[2], 1);
  EXPECT_EQ((*model)->outputs()[0].shape[3], 1);
}

TEST(Engine, BatchNormalizationUsesTheStatisticsOfEachChannel) {
  for (const bool maps : {false, true}) {
    OnnxBuilder network = maps ? Maps() : Features();
    const int64_t channels = maps ? 3 : 6;
    Weight(network, "scale", {channels}, 1);
    Weight(network, "bias", {channels}, 2);
    Weight(network, "mean", {channels}, 3);
    network.Weight("variance", {channels}, Values({channels}, 4, 0.2f, 2));
    network.Node("BatchNormalization", {maps ? "maps" : "x", "scale", "bias", "mean", "variance"}, {"y"},
                 {{"epsilon", 0.01f}});
    network.Output("y");
    ExpectComputes(network);
  }
}

TEST(Engine, GemmScalesTransposesAndBroadcastsItsBias) {
  for (const int64_t transposed : {0, 1}) {
    for (const float factor : {1.0f, -0.5f, 0.0f}) {
      for (const Shape& bias : {Shape{7}, {1, 7}, {1}, {}, {1, 1}, {0}}) {
        OnnxBuilder network = Features();
        Weight(network, "w", transposed ? Shape{7, 6} : Shape{6, 7}, 1);
        std::vector<std::string> inputs = {"x", "w"};
        if (bias != Shape{0}) {
          Weight(network, "b", bias, 2);
          inputs.push_back("b");
        }
        network.Node("Gemm", inputs, {"y"}, {{"transB", transposed}, {"alpha", factor}, {"beta", 1 - factor}})
            .Output("y");
        SCOPED_TRACE(ShapeToString(bias));
        ExpectComputes(network);
      }
    }
  }
}

TEST(Engine, MatMulAndAddAreADenseLayer) {
  OnnxBuilder network = Features();
  Weight(network, "w", {6, 7}, 1);
  Weight(network, "b", {7}, 2);
  network.Node("MatMul", {"x", "w"}, {"p"}).Node("Add", {"b", "p"}, {"s"}).Node("Relu", {"s"}, {"y"}).Output("y");
  ExpectComputes(network);
}

TEST(Engine, MatMulOfHigherRankWorksOnTheLastDimension) {
  OnnxBuilder network = Maps();
  Weight(network, "w", {5, 8}, 1);
  network.Node("MatMul", {"maps", "w"}, {"y"}).Output("y");
  ExpectComputes(network);
}

TEST(Engine, SoftmaxFlattensBeforeOpset13AndTakesOneAxisFromThen) {
  for (const int64_t opset : {7, 11, 12, 13, 17}) {
    for (const int64_t axis : {1, 2, 3, -1, -2, -3}) {
      OnnxBuilder network = Maps(opset);
      network.Node("Softmax", {"maps"}, {"y"}, {{"axis", axis}}).Output("y");
      SCOPED_TRACE("opset " + std::to_string(opset) + ", axis " + std::to_string(axis));
      ExpectComputes(network);
    }
    OnnxBuilder by_default = Maps(opset);
    by_default.Node("Softmax", {"maps"}, {"y"}).Output("y");
    ExpectComputes(by_default);
  }
}

TEST(Engine, EveryActivationRunsOnMapsAndFeatures) {
  const std::map<std::string, Attributes> custom_attributes = {{"Celu", {{"alpha", 0.37f}}},
                                                               {"Elu", {{"alpha", 0.37f}}},
                                                               {"Gelu", {{"approximate", std::string("tanh")}}},
                                                               {"HardSigmoid", {{"alpha", 0.37f}, {"beta", 0.3f}}},
                                                               {"HardSwish", {}},
                                                               {"LeakyRelu", {{"alpha", 0.37f}}},
                                                               {"Mish", {}},
                                                               {"Relu", {}},
                                                               {"Selu", {{"alpha", 0.37f}, {"gamma", 1.9f}}},
                                                               {"Sigmoid", {}},
                                                               {"Softplus", {}},
                                                               {"Softsign", {}},
                                                               {"Tanh", {}},
                                                               {"ThresholdedRelu", {{"alpha", 0.37f}}}};
  for (const auto& [op, with] : custom_attributes) {
    for (const bool custom : {false, true}) {
      const Attributes attributes = custom ? with : Attributes{};
      SCOPED_TRACE(op);
      OnnxBuilder maps = Maps(20);
      maps.Node(op, {"maps"}, {"y"}, attributes).Output("y");
      ExpectComputes(maps);
      OnnxBuilder features = Features(20);
      features.Node(op, {"x"}, {"y"}, attributes).Output("y");
      ExpectComputes(features);
    }
  }
}

TEST(Engine, PoolsOfEveryKindFollowTheirAttributes) {
  const std::vector<Attributes> variants = {
      {{"kernel_shape", Ints{2, 3}}},
      {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 1}}, {"pads", Ints{1, 0, 2, 1}}},
      {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}, {"ceil_mode", int64_t{1}}},
      {{"kernel_shape", Ints{2, 2}}, {"auto_pad", std::string("SAME_LOWER")}},
      {{"kernel_shape", Ints{3, 2}}, {"auto_pad", std::string("SAME_UPPER")}, {"strides", Ints{2, 2}}},
      {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 3}}}};
  for (Attributes attributes : variants) {
    for (const char* op : {"MaxPool", "AveragePool", "counting"}) {
      const bool counting = std::string_view(op) == "counting";
      if (counting) attributes["count_include_pad"] = int64_t{1};
      OnnxBuilder network = Maps(19);
      network.Node(counting ? "AveragePool" : op, {"maps"}, {"y"}, attributes).Output("y");
      SCOPED_TRACE(op);
      ExpectComputes(network);
    }
  }
}

TEST(Engine, GlobalAveragePoolAndFlattenGiveOneFeaturePerMap) {
  OnnxBuilder network = Maps();
  network.Node("GlobalAveragePool", {"maps"}, {"p"}).Node("Flatten", {"p"}, {"y"}).Output("y").Output("p");
  ExpectComputes(network);
}

TEST(Engine, ARowOfOneNumberMayLoseItsLastDimension) {
  for (const Ints& target : {Ints{-1}, {0}}) {
    OnnxBuilder network = Features();
    Weight(network, "w", {6, 1}, 1);
    network.IntWeight("t", target).Node("Gemm", {"x", "w"}, {"p"}).Node("Reshape", {"p", "t"}, {"r"});
    network.Node("Sigmoid", {"r"}, {"y"}).Output("y");
    SCOPED_TRACE(ShapeToString(target));
    ExpectComputes(network);
  }
}

// --- sums and activations that become part of a convolution ----------------------------------------------------------

size_t Steps(OnnxBuilder& network) {
  const auto model = LoadModel(network.Bytes());
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? (*model)->plan().steps.size() : 0;
}

// Two ways from x, "a" and "b", the second computed last.
OnnxBuilder TwoWays() {
  OnnxBuilder network;
  network.Input("x", {-1, 2, 4, 5});
  Weight(network, "k", {3, 2, 3, 3}, 11);
  Weight(network, "k2", {3, 2, 1, 1}, 12);
  network.Node("Conv", {"x", "k"}, {"a"}, {{"pads", Ints{1, 1, 1, 1}}}).Node("Conv", {"x", "k2"}, {"b"});
  return network;
}

TEST(Engine, ASumOfTwoWaysIsPartOfTheLastConvolution) {
  for (const auto& terms : {std::vector<std::string>{"a", "b"}, {"b", "a"}}) {
    OnnxBuilder network = TwoWays();
    network.Node("Add", terms, {"sum"}).Node("Relu", {"sum"}, {"y"}).Output("y");
    ExpectComputes(network);
    EXPECT_EQ(Steps(network), 5u) << "two convolutions, and changes of layout around them";
  }
}

TEST(Engine, ASumStaysApartFromAConvolutionThatOthersRead) {
  OnnxBuilder read = TwoWays();
  read.Node("Add", {"a", "b"}, {"sum"}).Node("Relu", {"sum"}, {"y"}).Output("y").Output("b");
  ExpectComputes(read);
  OnnxBuilder twice = TwoWays();
  twice.Node("Add", {"b", "b"}, {"sum"}).Node("Add", {"sum", "a"}, {"y"}).Output("y");
  ExpectComputes(twice);
  OnnxBuilder active = TwoWays();
  active.Node("Relu", {"b"}, {"r"}).Node("Add", {"a", "r"}, {"sum"}).Node("Relu", {"sum"}, {"y"}).Output("y");
  ExpectComputes(active);
  OnnxBuilder spread = TwoWays();
  Weight(spread, "k3", {3, 2, 4, 5}, 13);
  spread.Node("Conv", {"x", "k3"}, {"c"}).Node("Add", {"c", "a"}, {"y"}).Output("y");
  ExpectComputes(spread);
}

TEST(Engine, TwoActivationsInARowBothHappen) {
  for (const bool dense : {false, true}) {
    OnnxBuilder network = dense ? Features() : Maps();
    if (dense) {
      Weight(network, "w", {6, 7}, 12);
      network.Node("MatMul", {"x", "w"}, {"maps"});
    }
    network.Weight("low", {}, {-0.25f}).Weight("high", {}, {0.25f});
    network.Node("Clip", {"maps", "low", "high"}, {"c"}).Node("Relu", {"c"}, {"y"}).Output("y");
    ExpectComputes(network);
  }
}

// A convolution of "x" to "a", of a kind that computes 4x4 outputs at a time; some are at the edges. With few channels,
// of a kind that computes line by line.
OnnxBuilder Tiles(int64_t height = 6, int64_t width = 8, int64_t channels = 12) {
  OnnxBuilder network;
  network.Input("x", {-1, channels, height, width});
  Weight(network, "k", {13, channels, 3, 3}, 11);
  return std::move(network.Node("Conv", {"x", "k"}, {"a"}, {{"pads", Ints{1, 1, 1, 1}}}));
}

const OnnxBuilder::Attributes kSideBySide = {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}};

TEST(Engine, AMaximumOfTwoByTwoIsPartOfTheConvolution) {
  for (const std::string activation : {"", "Relu", "LeakyRelu"}) {
    for (const int64_t channels : {12, 3}) {
      OnnxBuilder network = Tiles(6, 8, channels);
      if (!activation.empty()) network.Node(activation, {"a"}, {"r"});
      network.Node("MaxPool", {activation.empty() ? "a" : "r"}, {"y"}, kSideBySide).Output("y");
      ExpectComputes(network);
      EXPECT_EQ(Steps(network), 3u) << "one, and changes of layout around it";
    }
  }
}

TEST(Engine, AMaximumStaysApartWhereItIsNotAll) {
  OnnxBuilder read = Tiles();
  read.Node("Relu", {"a"}, {"r"}).Node("MaxPool", {"r"}, {"y"}, kSideBySide).Output("y").Output("r");
  ExpectComputes(read);
  OnnxBuilder twice = Tiles();
  twice.Node("MaxPool", {"a"}, {"p"}, kSideBySide).Node("MaxPool", {"p"}, {"y"}, kSideBySide).Output("y");
  ExpectComputes(twice);
  OnnxBuilder sum = Tiles();
  Weight(sum, "k2", {13, 12, 3, 3}, 12);
  sum.Node("Conv", {"x", "k2"}, {"b"}, {{"pads", Ints{1, 1, 1, 1}}}).Node("Add", {"a", "b"}, {"s"});
  sum.Node("MaxPool", {"s"}, {"y"}, kSideBySide).Output("y");
  ExpectComputes(sum);
  OnnxBuilder added = Tiles();
  Weight(added, "k2", {13, 12, 2, 2}, 12);
  added.Node("Conv", {"x", "k2"}, {"b"}, {{"strides", Ints{2, 2}}}).Node("MaxPool", {"a"}, {"p"}, kSideBySide);
  added.Node("Add", {"p", "b"}, {"s"}).Node("Relu", {"s"}, {"y"}).Output("y");
  ExpectComputes(added);
  OnnxBuilder active = Tiles();
  active.Node("MaxPool", {"a"}, {"p"}, kSideBySide).Node("LeakyRelu", {"p"}, {"y"}).Output("y");
  ExpectComputes(active);
}

TEST(Engine, OtherWindowsBehindAConvolutionAreAsTheyAre) {
  for (const OnnxBuilder::Attributes& window :
       {OnnxBuilder::Attributes{{"kernel_shape", Ints{2, 2}}},
        {{"kernel_shape", Ints{3, 3}}, {"strides", Ints{2, 2}}},
        {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"pads", Ints{1, 1, 1, 1}}},
        {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"dilations", Ints{2, 1}}},
        {{"kernel_shape", Ints{2, 1}}, {"strides", Ints{2, 2}}},
        {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}, {"ceil_mode", int64_t{1}}}}) {
    for (const int64_t height : {6, 7}) {
      for (const int64_t width : {8, 9}) {
        OnnxBuilder network = Tiles(height, width);
        network.Node("Relu", {"a"}, {"r"}).Node("MaxPool", {"r"}, {"y"}, window).Output("y");
        ExpectComputes(network);
      }
    }
  }
  for (const int64_t height : {6, 7}) {
    OnnxBuilder network = Tiles(height, 9);
    network.Node("Relu", {"a"}, {"r"}).Node("MaxPool", {"r"}, {"y"}, kSideBySide).Output("y");
    ExpectComputes(network);
  }
}

// --- a fixed batch made free -----------------------------------------------------------------------------------------

OnnxBuilder FixedBatch(int64_t batch) {
  OnnxBuilder network;
  network.Input("x", {batch, 2, 4, 5});
  Weight(network, "k", {3, 2, 3, 3}, 11);
  Weight(network, "w", {18, 4}, 12);
  network.IntWeight("t", {batch, 18})
      .Node("Conv", {"x", "k"}, {"c"})
      .Node("Relu", {"c"}, {"r"})
      .Node("Reshape", {"r", "t"}, {"f"})
      .Node("Gemm", {"f", "w"}, {"y"})
      .Output("y");
  return network;
}

TEST(FixedBatch, IsMadeFreeAndAnyBatchIsRight) {
  for (const int64_t batch : {1, 8}) {
    OnnxBuilder network = FixedBatch(batch);
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->batch(), "made free");
    EXPECT_EQ((*model)->properties().at("halfwave.batch"), "made free");
    EXPECT_EQ((*model)->inputs()[0].shape, (Shape{kBatch, 2, 4, 5}));
    for (const int64_t rows : {1, 2, 3, 8, 17}) {
      const auto inputs = NoiseFor(**model, rows, 5);
      network.proto().mutable_graph()->mutable_initializer(2)->set_int64_data(0, rows);
      ExpectReference(**model, Interpret(network.proto(), ToTensors(**model, rows, inputs)), RunModel(*model, inputs),
                      rows);
    }
  }
}

TEST(FixedBatch, AnOpenOneIsCalledFree) {
  OnnxBuilder network = Maps();
  const auto model = LoadModel(network.Output("maps").Bytes());
  ASSERT_TRUE(model.ok());
  EXPECT_EQ((*model)->batch(), "free");
}

TEST(FixedBatch, InputsOfDifferentFirstDimensionsKeepThemBehindAnAddedBatch) {
  OnnxBuilder network;
  network.Input("x", {3, 2}).Input("shift", {2}).Node("Add", {"x", "shift"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->inputs()[0].shape, (Shape{kBatch, 3, 2}));
  EXPECT_EQ((*model)->inputs()[1].shape, (Shape{kBatch, 2}));
  EXPECT_EQ((*model)->outputs()[0].shape, (Shape{kBatch, 3, 2}));
  EXPECT_EQ(RunModel(*model, {{1, 2, 3, 4, 5, 6, 1, 1, 1, 1, 1, 1}, {10, 20, 30, 40}})[0],
            (std::vector<float>{11, 22, 13, 24, 15, 26, 31, 41, 31, 41, 31, 41}));
}

// --- counting --------------------------------------------------------------------------------------------------------

TEST(Session, SkippedRowsAreComputedButNotCounted) {
  OnnxBuilder network = Features();
  network.Node("Relu", {"x"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok());
  Session session(*model, 3);
  const std::vector<float> x = {1, -1, 0, 2, -2, 3, 1, 1, 1, 1, 1, 1, -1, 1, 0, -1, -1, 5};
  std::copy(x.begin(), x.end(), session.input(0).begin());
  const std::vector<uint8_t> skip = {0, 1, 0};
  session.Run(3, skip);
  const BatchActivity& activity = session.activity();
  EXPECT_EQ(activity.samples, 2u);
  EXPECT_EQ(activity.samples_not_counted, 1u);
  EXPECT_EQ(activity.layers[0].active, (std::vector<uint32_t>{1, 1, 0, 1, 0, 2}));
  EXPECT_EQ(activity.layers[0].zeros, 7u);
  EXPECT_EQ(session.output(0, 3)[7], 1);
  std::copy(x.begin(), x.begin() + 6, session.input(0).begin());
  session.Run(1);
  EXPECT_EQ(session.activity().samples_not_counted, 0u) << "counts are those of the last batch alone";
  EXPECT_EQ(session.activity().layers[0].active, (std::vector<uint32_t>{1, 0, 0, 1, 0, 1}));
}

TEST(Session, WithoutCountingComputesTheSameAndLeavesTheActivityAlone) {
  OnnxBuilder network;
  network.Input("x", {-1, 3, 6, 6}).Weight("k", {4, 3, 3, 3}, Noise(108, 1)).Weight("w", {64, 5}, Noise(320, 2));
  network.Node("Conv", {"x", "k"}, {"c"}).Node("Relu", {"c"}, {"r"});
  network.Node("Flatten", {"r"}, {"f"}).Node("Gemm", {"f", "w"}, {"g"}).Node("Tanh", {"g"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  Session session(*model, 3);
  const auto run = [&](bool counting, uint32_t seed) {
    session.set_counting(counting);
    std::ranges::copy(Noise(session.input(0).size(), seed), session.input(0).begin());
    session.Run(3);
    const auto y = session.output(0, 3);
    return std::vector<float>(y.begin(), y.end());
  };
  const auto counted = run(true, 1);
  const BatchActivity before = session.activity();
  ASSERT_THAT(before.layers[0].active, ::testing::Contains(::testing::Gt(0u)));
  EXPECT_EQ(run(false, 1), counted);
  run(false, 2);
  EXPECT_EQ(session.activity().samples, before.samples);
  for (size_t i = 0; i < before.layers.size(); ++i) {
    EXPECT_EQ(session.activity().layers[i].active, before.layers[i].active);
    EXPECT_EQ(session.activity().layers[i].zeros, before.layers[i].zeros);
    EXPECT_EQ(session.activity().layers[i].saturated, before.layers[i].saturated);
  }
}

TEST(Session, TellsWhenEachStepHasRunAndEachStepKnowsItsNodes) {
  OnnxBuilder network;
  network.Input("x", {-1, 3, 6, 6}).Weight("k", {4, 3, 3, 3}, Noise(108, 1)).Weight("w", {64, 5}, Noise(320, 2));
  network.Weight("k2", {4, 4, 1, 1}, Noise(16, 3)).Node("Conv", {"x", "k"}, {"c"}).Node("Relu", {"c"}, {"r"});
  network.Node("Conv", {"r", "k2"}, {"c2"}).Node("Add", {"c2", "r"}, {"s"});
  network.Node("Flatten", {"s"}, {"f"}).Node("Gemm", {"f", "w"}, {"g"}).Node("Tanh", {"g"}, {"y"}).Output("y");
  network.Node("MaxPool", {"r"}, {"p"}, {{"kernel_shape", Ints{2, 2}}}).Output("p");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  Session session(*model, 1);
  std::vector<std::string> told;
  session.set_after_step([&](size_t step) {
    std::string nodes;
    for (const size_t node : (*model)->plan().steps[step].nodes) nodes += (*model)->layers()[node].op + " ";
    told.push_back(nodes);
  });
  session.Run(1);
  // Images are channels-last inside, inputs and outputs are not; a dense layer takes flattened ones as they are.
  EXPECT_THAT(told, ::testing::ElementsAre("Conv ", "Conv Relu ", "Conv Add ", "Gemm ", "Tanh ", "MaxPool ", ""));
}

TEST(Session, SaturatedOutputsAreThoseBeyondNinetyNinePercent) {
  // By operator: arguments whose outputs lie just within and just beyond the limit.
  const std::map<std::string, std::pair<float, float>> limits = {
      {"HardSigmoid", {2.47f, 2.48f}},      // 0.2 x + 0.5 = 0.994, 0.996
      {"Sigmoid", {2 * 2.64f, 2 * 2.66f}},  // 2 sigmoid(2x) - 1 = tanh(x)
      {"Softsign", {98, 100}},              // 0.98990, 0.99010
      {"Tanh", {2.64f, 2.66f}}};            // 0.98987, 0.99027
  for (const auto& [op, limit] : limits) {
    OnnxBuilder network = Features();
    network.Node(op, {"x"}, {"y"}).Output("y");
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok());
    const auto [within, beyond] = limit;
    const std::vector<float> x = {within, beyond, -within, -beyond, 0, 500};
    Session session(*model, 1);
    std::copy(x.begin(), x.end(), session.input(0).begin());
    session.Run(1);
    EXPECT_EQ(session.activity().layers[0].saturated, 3u) << op;
    EXPECT_EQ((*model)->activations()[0].family, ActivationFamily::kSaturating);
  }
}

TEST(Model, AClipIsAnActivationIfItBeginsAtZero) {
  for (const float low : {0.0f, -1.0f}) {
    OnnxBuilder network = Features();
    network.Weight("low", {}, {low}).Weight("high", {}, {6}).Node("Clip", {"x", "low", "high"}, {"y"}).Output("y");
    const auto model = ExpectComputes(network);
    ASSERT_NE(model, nullptr);
    ASSERT_EQ(model->activations().size(), low == 0 ? 1u : 0u);
    if (low == 0) {
      EXPECT_EQ(model->activations()[0].family, ActivationFamily::kRectifier);
    }
  }
}

TEST(Model, UnitsAreChannelsAgainBehindAPool) {
  OnnxBuilder network;
  network.Input("x", {-1, 2, 2}).Weight("w", {2, 2}, {1, 0, 0, 1}).Node("MatMul", {"x", "w"}, {"m"});
  network.Node("MaxPool", {"m"}, {"p"}, {{"kernel_shape", Ints{1}}}).Node("Relu", {"p"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  Session session(*model, 1);
  std::ranges::copy(std::vector<float>{1, 2, -3, -4}, session.input(0).begin());
  session.Run(1);
  EXPECT_EQ(session.activity().layers[0].active, (std::vector<uint32_t>{1, 0}));
}

TEST(Model, ItsActivationsAreDescribedInTheFilesTerms) {
  OnnxBuilder network = Maps();
  network.Node("Relu", {"maps"}, {"a"}, {{"name", std::string("first")}}).Node("Flatten", {"a"}, {"f"});
  network.Node("Elu", {"f"}, {"y"}, {{"name", std::string("second")}}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok());
  const auto& layers = (*model)->activations();
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].name, "first");
  EXPECT_EQ(layers[0].op, "Relu");
  EXPECT_EQ(layers[0].family, ActivationFamily::kRectifier);
  EXPECT_EQ(layers[0].units, 3);
  EXPECT_EQ(layers[0].elements, 60);
  EXPECT_TRUE(layers[0].feature_maps);
  EXPECT_EQ(layers[1].name, "second");
  EXPECT_EQ(layers[1].family, ActivationFamily::kLeaky);
  EXPECT_EQ(layers[1].units, 60);
  EXPECT_FALSE(layers[1].feature_maps);
}

// --- what exporters leave behind -------------------------------------------------------------------------------------

TEST(Leftovers, AWeightThatIsTheIdentityOfAnotherIsThatWeight) {
  OnnxBuilder network;
  network.Input("x", {-1, 2}).Weight("w", {2, 2}, {1, 2, 3, 4}).Weight("b", {2}, {1, -1});
  network.Node("Identity", {"b"}, {"c"}).Node("Identity", {"c"}, {"d"});
  network.Node("Gemm", {"x", "w", "b"}, {"h"}).Node("Gemm", {"h", "w", "d"}, {"y"}).Output("y");
  ExpectComputes(network);
}

TEST(Leftovers, APadByNothingBeforeAPoolIsNotThere) {
  for (const bool as_input : {false, true}) {
    OnnxBuilder network(as_input ? 13 : 9);
    network.Input("x", {-1, 2, 4, 4});
    if (as_input) {
      network.IntWeight("pads", {0, 0, 0, 0, 0, 0, 0, 0}).Node("Pad", {"x", "pads"}, {"p"});
    } else {
      network.Node("Pad", {"x"}, {"p"}, {{"pads", Ints{0, 0, 0, 0, 0, 0, 0, 0}}});
    }
    network.Node("AveragePool", {"p"}, {"y"}, {{"kernel_shape", Ints{2, 2}}}).Output("y");
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    const auto y = RunModel(*model, {std::vector<float>(32, 3.0f)});
    EXPECT_EQ(y[0], std::vector<float>(18, 3.0f));
  }
}

TEST(Leftovers, LayersOfOneNameAreToldApart) {
  OnnxBuilder network;
  network.Input("x", {-1, 2});
  network.Node("Relu", {"x"}, {"a"}, {{"name", std::string("act")}});
  network.Node("Elu", {"a"}, {"b"}, {{"name", std::string("act")}});
  network.Node("Tanh", {"b"}, {"y"}, {{"name", std::string(4000, 'n')}}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->activations()[0].name, "act");
  EXPECT_EQ((*model)->activations()[1].name, "act_2");
  EXPECT_LE((*model)->activations()[2].name.size(), 200u);
}

TEST(Softmax, AnOverflowBeforeItDoesNotSpoilIt) {
  OnnxBuilder network;
  network.Input("x", {-1, 2}).Weight("w", {2, 3}, {3, 1, -3, 0, 0, 0}).Node("MatMul", {"x", "w"}, {"h"});
  network.Node("Softmax", {"h"}, {"y"}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ(RunModel(*model, {{3e38f, 0}})[0], (std::vector<float>{1, 0, 0}));
}

}  // namespace
}  // namespace halfwave
