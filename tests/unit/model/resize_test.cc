// Resize and Upsample in all their versions against the formulas of the ONNX operator, in double precision and without
// any separation of the dimensions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Attributes = OnnxBuilder::Attributes;
using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;

// One dimension of the plain reference: weights by place of the input, or nothing where the place lies outside of it.
struct PlainAxis {
  int64_t in = 1, out = 1;
  double scale = 1, roi_begin = 0, roi_end = 1;
};

struct Plain {
  std::string mode = "nearest", coordinates = "half_pixel", nearest = "round_prefer_floor";
  bool antialias = false, exclude_outside = false;
  double a = -0.75;
  float extrapolation_value = 0;

  double Original(const PlainAxis& axis, double x) const {
    const double in = static_cast<double>(axis.in), out = static_cast<double>(axis.out);
    if (coordinates == "align_corners") return out == 1 ? 0 : x * (in - 1) / (out - 1);
    if (coordinates == "asymmetric") return x / axis.scale;
    if (coordinates == "tf_half_pixel_for_nn") return (x + 0.5) / axis.scale;
    if (coordinates == "pytorch_half_pixel" && out == 1) return 0;
    if (coordinates == "tf_crop_and_resize") {
      if (out == 1) return 0.5 * (axis.roi_begin + axis.roi_end) * (in - 1);
      return axis.roi_begin * (in - 1) + x * (axis.roi_end - axis.roi_begin) * (in - 1) / (out - 1);
    }
    double original = (x + 0.5) / axis.scale - 0.5;
    if (coordinates == "half_pixel_symmetric") original += (in - out / axis.scale) / 2;
    return original;
  }

  double Kernel(double x) const {
    x = std::abs(x);
    if (mode == "linear") return x < 1 ? 1 - x : 0;
    if (x <= 1) return (a + 2) * std::pow(x, 3) - (a + 3) * x * x + 1;
    return x < 2 ? a * std::pow(x, 3) - 5 * a * x * x + 8 * a * x - 4 * a : 0;
  }

  std::vector<double> Weights(const PlainAxis& axis, int64_t place) const {
    std::vector<double> weights(axis.in, 0.0);
    if (axis.in == axis.out && axis.scale == 1 && coordinates != "tf_crop_and_resize") {
      weights[place] = 1;
      return weights;
    }
    const double x = Original(axis, static_cast<double>(place));
    if (coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<double>(axis.in - 1))) return {};
    const auto at = [&](int64_t i) -> double& { return weights[std::min(std::max<int64_t>(i, 0), axis.in - 1)]; };
    if (mode == "nearest") {
      const double low = std::floor(x);
      double i = nearest == "floor" ? low : std::ceil(x);
      if (nearest == "round_prefer_floor") i = x - low <= 0.5 ? low : low + 1;
      if (nearest == "round_prefer_ceil") i = x - low < 0.5 ? low : low + 1;
      at(static_cast<int64_t>(i)) = 1;
      return weights;
    }
    const double narrowing = antialias ? std::min(axis.scale, 1.0) : 1;
    double sum = 0;
    for (int64_t i = -100; i < axis.in + 100; ++i) {
      if (exclude_outside && (i < 0 || i >= axis.in)) continue;
      const double weight = Kernel((static_cast<double>(i) - x) * narrowing);
      at(i) += weight;
      sum += weight;
    }
    for (double& weight : weights) weight /= sum;
    return weights;
  }

  // images: [count, height, width].
  std::vector<double> Resize(const PlainAxis& height, const PlainAxis& width, const Floats& images) const {
    std::vector<double> y;
    const int64_t elements = height.in * width.in;
    for (size_t image = 0; image < images.size() / elements; ++image) {
      for (int64_t oy = 0; oy < height.out; ++oy) {
        for (int64_t ox = 0; ox < width.out; ++ox) {
          const auto down = Weights(height, oy), across = Weights(width, ox);
          double sum = 0;
          for (int64_t i = 0; i < elements && !down.empty() && !across.empty(); ++i) {
            sum += down[i / width.in] * across[i % width.in] * static_cast<double>(images[image * elements + i]);
          }
          const bool inside = !down.empty() && !across.empty();
          y.push_back(inside ? sum : static_cast<double>(extrapolation_value));
        }
      }
    }
    return y;
  }
};

void ExpectNear(const std::vector<double>& expected, const Floats& computed) {
  ASSERT_EQ(computed.size(), expected.size());
  double peak = 0;
  for (const double value : expected) peak = std::max(peak, std::abs(value));
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(computed[i], expected[i], 1e-5 * peak + 1e-6) << i;
}

// x [-1, 2, height, width], and behind a convolution "maps", 3 of them, whose channels lie last inside the engine.
OnnxBuilder Images(int64_t opset, int64_t height, int64_t width) {
  OnnxBuilder network(opset);
  network.Input("x", {-1, 2, height, width});
  network.Weight("k", {3, 2, 1, 1}, {1, -1, 0.5f, 2, -0.25f, 0.75f});
  network.Node("Conv", {"x", "k"}, {"maps"});
  return network;
}

Attributes AttributesOf(const Plain& plain) {
  return {{"mode", plain.mode},
          {"coordinate_transformation_mode", plain.coordinates},
          {"nearest_mode", plain.nearest},
          {"exclude_outside", int64_t{plain.exclude_outside}},
          {"cubic_coeff_a", static_cast<float>(plain.a)},
          {"extrapolation_value", plain.extrapolation_value}};
}

// Resizes the input as it is, and the maps behind the convolution, with the same operator.
void ExpectResizes(OnnxBuilder& network, const std::function<void(const std::string& in, const std::string& out)>& add,
                   const Plain& plain, const PlainAxis& height, const PlainAxis& width) {
  add("x", "y");
  add("maps", "z");
  network.Output("y").Output("maps").Output("z");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "free");
  const Floats x = Noise(3 * 2 * height.in * width.in, 5);
  const auto outputs = RunModel(*model, {x});
  ExpectNear(plain.Resize(height, width, x), outputs[0]);
  ExpectNear(plain.Resize(height, width, outputs[1]), outputs[2]);
}

PlainAxis Scaled(int64_t in, float scale) {
  return {in, static_cast<int64_t>(std::floor(static_cast<float>(in) * scale)), static_cast<double>(scale)};
}

void ExpectScales(const Plain& plain, int64_t opset, int64_t in_height, int64_t in_width, float down, float across) {
  OnnxBuilder network = Images(opset, in_height, in_width);
  network.Weight("scales", {4}, {1, 1, down, across});
  Attributes attributes = AttributesOf(plain);
  if (opset >= 18) attributes["antialias"] = int64_t{plain.antialias};
  ExpectResizes(
      network,
      [&](const std::string& in, const std::string& out) {
        network.Node("Resize", {in, "", "scales"}, {out}, attributes);
      },
      plain, Scaled(in_height, down), Scaled(in_width, across));
}

TEST(Resize, TakesTheNearestElementInEveryWayOfRoundingAndPlacing) {
  for (const char* coordinates : {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                  "asymmetric", "tf_half_pixel_for_nn"}) {
    for (const char* nearest : {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"}) {
      for (const auto& [down, across] : {std::pair{2.0f, 2.0f}, {0.5f, 1.0f}, {1.0f, 3.0f}, {0.75f, 1.25f}}) {
        for (const auto& [height, width] : {std::pair<int64_t, int64_t>{2, 3}, {5, 4}, {7, 1}}) {
          SCOPED_TRACE(testing::Message() << coordinates << ", " << nearest << ", " << height << "x" << width
                                          << " times " << down << "x" << across);
          ExpectScales({.coordinates = coordinates, .nearest = nearest}, 13, height, width, down, across);
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(Resize, InterpolatesInEveryWayOfPlacing) {
  for (const char* mode : {"linear", "cubic"}) {
    for (const char* coordinates :
         {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"}) {
      for (const int options : {0, 1, 2, 3}) {
        for (const auto& [down, across] : {std::pair{2.0f, 2.0f}, {0.5f, 1.0f}, {1.0f, 3.3f}, {0.6f, 0.3f}}) {
          for (const auto& [height, width] : {std::pair<int64_t, int64_t>{2, 5}, {5, 4}, {11, 7}}) {
            SCOPED_TRACE(testing::Message() << mode << ", " << coordinates << ", options " << options << ", " << height
                                            << "x" << width << " times " << down << "x" << across);
            ExpectScales({.mode = mode,
                          .coordinates = coordinates,
                          .antialias = (options & 1) != 0,
                          .exclude_outside = (options & 2) != 0,
                          .a = -0.5},
                         19, height, width, down, across);
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

TEST(Resize, MakesOneOfASingleElementWhatItWas) {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const char* coordinates : {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"}) {
      SCOPED_TRACE(testing::Message() << mode << ", " << coordinates);
      ExpectScales({.mode = mode, .coordinates = coordinates}, 13, 1, 1, 3, 1);
      ExpectScales({.mode = mode, .coordinates = coordinates}, 13, 3, 5, 0.4f, 0.2f);
    }
  }
}

TEST(Resize, CropsAndFillsWhatLiesOutside) {
  for (const char* mode : {"nearest", "linear", "cubic"}) {
    for (const Floats& region : {Floats{0.25f, -0.5f, 0.75f, 1.5f}, {0, 0, 1, 1}, {0.8f, 0.2f, 0.1f, 0.2f}}) {
      SCOPED_TRACE(testing::Message() << mode << ", from " << region[0] << ", " << region[1]);
      const Plain plain{.mode = mode, .coordinates = "tf_crop_and_resize", .extrapolation_value = 7.5f};
      OnnxBuilder network = Images(18, 5, 6);
      network.Weight("roi", {4}, region).IntWeight("sizes", {4, 9});
      Attributes attributes = AttributesOf(plain);
      attributes["axes"] = Ints{2, -1};
      ExpectResizes(network,
                    [&](const std::string& in, const std::string& out) {
                      network.Node("Resize", {in, "roi", "", "sizes"}, {out}, attributes);
                    },
                    plain, {5, 4, 0.8, region[0], region[2]}, {6, 9, 1.5, region[1], region[3]});
    }
  }
}

TEST(Resize, SizesMayKeepTheAspect) {
  struct Case {
    const char* policy;
    PlainAxis height, width;
  };
  // 9 for 6 is 1.5, 7 for 5 is 1.4: kept for both, that is 7.5 for 5, rounded up, or 8.4 for 6.
  for (const auto& [policy, height, width] : {Case{"not_larger", {5, 7, 1.4}, {6, 8, 1.4}},
                                              {"not_smaller", {5, 8, 1.5}, {6, 9, 1.5}},
                                              {"stretch", {5, 7, 1.4}, {6, 9, 1.5}}}) {
    SCOPED_TRACE(policy);
    const Plain plain{.mode = "linear"};
    OnnxBuilder network = Images(18, 5, 6);
    network.IntWeight("sizes", {9, 7});
    Attributes attributes = AttributesOf(plain);
    attributes["keep_aspect_ratio_policy"] = std::string(policy);
    attributes["axes"] = Ints{3, 2};
    ExpectResizes(
        network,
        [&](const std::string& in, const std::string& out) {
          network.Node("Resize", {in, "", "", "sizes"}, {out}, attributes);
        },
        plain, height, width);
  }
}

TEST(Resize, SizesThatRepeatTheBatchLeaveItOpen) {
  const Plain plain{.mode = "linear"};
  OnnxBuilder network = Images(13, 3, 4);
  network.IntWeight("zero", {0}).IntWeight("two", {2}).IntWeight("target", {6, 5});
  const auto add = [&](const std::string& in, const std::string& out) {
    network.Node("Shape", {in}, {in + "_shape"})
        .Node("Slice", {in + "_shape", "zero", "two"}, {in + "_kept"})
        .Node("Concat", {in + "_kept", "target"}, {in + "_sizes"}, {{"axis", int64_t{0}}})
        .Node("Resize", {in, "", "", in + "_sizes"}, {out}, AttributesOf(plain));
  };
  ExpectResizes(network, add, plain, {3, 6, 2}, {4, 5, 1.25});
}

TEST(Resize, EmptyRegionsAndScalesAreLeftOut) {
  const Plain plain{.mode = "linear", .coordinates = "pytorch_half_pixel"};
  OnnxBuilder network = Images(11, 3, 4);
  network.Weight("roi", {0}, {}).Weight("scales", {0}, {}).IntWeight("sizes", {1, 2, 6, 5});
  network.Node("Resize", {"x", "roi", "scales", "sizes"}, {"y"}, AttributesOf(plain)).Output("y");
  network.proto()
      .mutable_graph()
      ->mutable_input(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->mutable_dim(0)
      ->set_dim_value(1);
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->batch(), "made free");
  const Floats x = Noise(3 * 2 * 3 * 4, 5);
  ExpectNear(plain.Resize({3, 6, 2}, {4, 5, 1.25}, x), RunModel(*model, {x})[0]);
}

TEST(Resize, AScaleOfAThirdTakesEveryThirdElement) {
  OnnxBuilder network(13);
  network.Input("x", {-1, 12}).Weight("scales", {2}, {1, 1.0f / 3});
  network
      .Node("Resize", {"x", "", "scales"}, {"y"},
            {{"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}})
      .Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(RunModel(*model, {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}})[0], ElementsAre(0, 3, 6, 9));
}

TEST(Resize, UpToOpset10ItTakesTheElementAboveWhereItShrinksAndTheOneBelowWhereItGrows) {
  OnnxBuilder network(10);
  network.Input("x", {-1, 1, 2, 4}).Weight("scales", {4}, {1, 1, 1.5f, 0.6f});
  network.Node("Resize", {"x", "scales"}, {"y"}, {{"mode", "nearest"}}).Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(RunModel(*model, {{1, 2, 3, 4, 5, 6, 7, 8}})[0], ElementsAre(1, 3, 1, 3, 5, 7));
}

TEST(Upsample, MeansTheAsymmetricResizeInAllItsVersions) {
  for (const char* mode : {"nearest", "linear"}) {
    for (const int64_t opset : {7, 9}) {
      SCOPED_TRACE(testing::Message() << mode << ", opset " << opset);
      const Plain plain{.mode = mode, .coordinates = "asymmetric", .nearest = "floor"};
      OnnxBuilder network = Images(opset, 3, 5);
      if (opset == 9) network.Weight("scales", {4}, {1, 1, 2, 1.5f});
      const auto add = [&](const std::string& in, const std::string& out) {
        const auto inputs = opset == 9 ? std::vector<std::string>{in, "scales"} : std::vector<std::string>{in};
        network.Node("Upsample", inputs, {out}, {{"mode", mode}});
        if (opset == 9) return;
        auto* node = network.proto().mutable_graph()->mutable_node(network.proto().graph().node_size() - 1);
        auto* scales = node->add_attribute();
        scales->set_name("scales");
        scales->set_type(onnx::AttributeProto::FLOATS);
        for (const float scale : {1.0f, 1.0f, 2.0f, 1.5f}) scales->add_floats(scale);
      };
      ExpectResizes(network, add, plain, Scaled(3, 2), Scaled(5, 1.5f));
    }
  }
}

// The status of a model with one Resize of [-1, 2, 4, 5].
absl::Status Loads(const Floats& scales, const Attributes& attributes = {}) {
  OnnxBuilder network(19);
  network.Input("x", {-1, 2, 4, 5}).Weight("scales", {static_cast<int64_t>(scales.size())}, scales);
  network.Node("Resize", {"x", "", "scales"}, {"y"}, attributes).Output("y");
  return LoadModel(network.Bytes()).status();
}

TEST(Resize, OfTheBatchIsDoneRowByRow) {
  for (const bool by_sizes : {false, true}) {
    OnnxBuilder network(19);
    network.Input("x", {-1, 2}).IntWeight("sizes", {2, 2}).Weight("scales", {2}, {2, 1});
    network.Node("Resize", {"x", "", by_sizes ? "" : "scales", by_sizes ? "sizes" : ""}, {"y"}).Output("y");
    const auto model = LoadModel(network.Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    EXPECT_EQ((*model)->batch(), "row by row");
    EXPECT_THAT(RunModel(*model, {{1, 2, 3, 4}})[0], ElementsAre(1, 2, 1, 2, 3, 4, 3, 4));
  }
}

TEST(Resize, RefusesSizesThatMakeNoSense) {
  EXPECT_TRUE(Loads({1, 1, 2, 2}).ok());
  for (const Floats& scales : {Floats{1, 1, 0, 2},
                               {1, 1, -2, 2},
                               {1, 1, 1e30f, 2},
                               {1, 1, 1e-30f, 2},
                               {1, 1, 2},
                               {1, 1, 1, 0.1f},
                               {1, 1, 30000, 30000, 1},
                               {1, 1, 5e6f, 1},
                               {}}) {
    const absl::Status status = Loads(scales);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(status.ToString(), HasSubstr("Resize"));
  }
}

TEST(Resize, RefusesWordsItDoesNotKnow) {
  for (const char* name : {"mode", "coordinate_transformation_mode", "nearest_mode"}) {
    const absl::Status status = Loads({1, 1, 2, 2}, {{name, "sideways"}});
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(status.ToString(), HasSubstr("sideways"));
  }
}

TEST(Resize, RefusesScalesThatAreComputed) {
  OnnxBuilder network(19);
  network.Input("x", {-1, 2}).Input("scales", {2});
  network.Node("Resize", {"x", "", "scales"}, {"y"}).Output("y");
  EXPECT_FALSE(LoadModel(network.Bytes()).ok());
}

}  // namespace
}  // namespace halfwave
