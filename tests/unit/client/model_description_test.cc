#include "client/model_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfwave::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Properties = std::map<std::string, std::string>;

inference::ModelMetadataResponse Metadata(const std::vector<int64_t>& shape, const Properties& properties) {
  inference::ModelMetadataResponse metadata;
  metadata.set_name("m");
  metadata.add_versions("1");
  auto* input = metadata.add_inputs();
  input->set_name("x");
  input->set_datatype("FP32");
  input->mutable_shape()->Add(shape.begin(), shape.end());
  metadata.mutable_properties()->insert(properties.begin(), properties.end());
  return metadata;
}

ModelDescription Model(const std::vector<int64_t>& shape, const Properties& properties = {}) {
  return Describe(Metadata(shape, properties)).value();
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ModelDescription, HoldsWhatTheServerSays) {
  const ModelDescription model = Model({-1, 1, 8, 8}, {{"halfwave.labels", R"(["a", "b"])"},
                                                       {"halfwave.head", "softmax (added)"},
                                                       {"halfwave.max_batch_rows", "128"},
                                                       {"halfwave.domain", R"({"x": [0, 1]})"}});
  EXPECT_EQ(model.values_per_row, 64);
  EXPECT_EQ(model.Label(1), "b");
  EXPECT_EQ(model.Label(2), "2");
  EXPECT_EQ(model.max_batch_rows, 128);
  EXPECT_TRUE(model.HasProbabilities());
  EXPECT_EQ(model.domain, std::pair(0.0f, 1.0f));
}

TEST(ModelDescription, ASilentServerGetsDefaults) {
  const ModelDescription model = Model({-1, 4}, {{"halfwave.labels", "not json"}, {"halfwave.domain", "[]"}});
  EXPECT_EQ(model.max_batch_rows, 1);
  EXPECT_FALSE(model.HasProbabilities());
  EXPECT_EQ(model.Label(3), "3");
  EXPECT_FALSE(model.domain.has_value());
}

TEST(ModelDescription, ModelsThatOneTableCannotFeedAreRefused) {
  EXPECT_THAT(Message(Describe(Metadata({-1, -1}, {})).status()), HasSubstr("known sizes"));
  EXPECT_THAT(Message(Describe(Metadata({-1, 1 << 20, 1 << 20}, {})).status()), HasSubstr("known sizes"));
  inference::ModelMetadataResponse two = Metadata({-1, 4}, {});
  two.add_inputs()->set_name("y");
  EXPECT_THAT(Message(Describe(two).status()), HasSubstr("2 inputs"));
  inference::ModelMetadataResponse strings = Metadata({-1, 4}, {});
  strings.mutable_inputs(0)->set_datatype("BYTES");
  EXPECT_THAT(Message(Describe(strings).status()), HasSubstr("the type BYTES; expected numbers"));
}

TEST(Pictures, FollowTheModelsMetadata) {
  const auto input = DescribePictures(Model({-1, 64}, {{"halfwave.layout", "flat"},
                                                       {"halfwave.input.width", "8"},
                                                       {"halfwave.input.height", "8"},
                                                       {"halfwave.input.scale", "0.5"},
                                                       {"halfwave.input.mean", "[0.25]"},
                                                       {"halfwave.input.std", "2"},
                                                       {"halfwave.input.polarity", "light-on-dark"},
                                                       {"halfwave.input.fit", "ink"}}),
                                      {});
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->width, 8);
  EXPECT_EQ(input->channels, 1);
  EXPECT_EQ(input->scale, 0.5f);
  EXPECT_THAT(input->mean, ElementsAre(0.25f));
  EXPECT_THAT(input->std, ElementsAre(2));
  EXPECT_EQ(input->polarity, Polarity::kLightOnDark);
  EXPECT_EQ(input->fit, Fit::kInk);
  EXPECT_EQ(input->layout, Layout::kFlat);
}

TEST(Pictures, TheUsersWordWins) {
  const auto input = DescribePictures(Model({-1, 1, 8, 8}, {{"halfwave.input.fit", "ink"}}),
                                      {{"fit", "stretch"}, {"invert", "yes"}, {"scale", "1"}});
  ASSERT_TRUE(input.ok()) << input.status();
  EXPECT_EQ(input->fit, Fit::kStretch);
  EXPECT_EQ(input->invert, Invert::kYes);
  EXPECT_EQ(input->scale, 1);
}

TEST(Pictures, WithoutMetadataTheShapeDecides) {
  const auto nchw = DescribePictures(Model({-1, 3, 20, 30}), {});
  ASSERT_TRUE(nchw.ok()) << nchw.status();
  EXPECT_EQ(nchw->layout, Layout::kNchw);
  EXPECT_EQ(nchw->width, 30);
  EXPECT_EQ(nchw->height, 20);
  EXPECT_EQ(nchw->channels, 3);
  const auto nhwc = DescribePictures(Model({-1, 20, 30, 3}), {});
  ASSERT_TRUE(nhwc.ok()) << nhwc.status();
  EXPECT_EQ(nhwc->layout, Layout::kNhwc);
  EXPECT_EQ(nhwc->width, 30);
  EXPECT_EQ(DescribePictures(Model({-1, 28, 28}), {})->width, 28);
}

TEST(Pictures, AFlatInputWithoutSizesNamesTheOptionsToGive) {
  EXPECT_THAT(Message(DescribePictures(Model({-1, 784}), {}).status()), HasSubstr("give --width and --height"));
  const auto colour = DescribePictures(Model({-1, 12}), {{"width", "2"}, {"height", "2"}});
  ASSERT_TRUE(colour.ok()) << colour.status();
  EXPECT_EQ(colour->channels, 3);
}

TEST(Pictures, ContradictionsAndBadValuesAreNamed) {
  const ModelDescription model = Model({-1, 1, 8, 8});
  const ModelDescription flat_out = Model({-1, 1, 8, 8}, {{"halfwave.input.std", "0"}});
  EXPECT_THAT(Message(DescribePictures(model, {{"width", "9"}}).status()), HasSubstr("takes 64 values per row"));
  EXPECT_THAT(Message(DescribePictures(model, {{"width", "x"}}).status()), HasSubstr("--width must be a whole number"));
  EXPECT_THAT(Message(DescribePictures(model, {{"fit", "x"}}).status()), HasSubstr("--fit must be one of pad, ink"));
  EXPECT_THAT(Message(DescribePictures(model, {{"mean", "1,2"}}).status()),
              HasSubstr("--mean must be one number, or one for each of the 1 channels"));
  EXPECT_THAT(Message(DescribePictures(flat_out, {}).status()),
              HasSubstr("halfwave.input.std must be above zero, found '0'; --std overrides it"));
}

TEST(Tables, AreLeftAloneUnlessTheUserSaysOtherwise) {
  const ModelDescription model = Model({-1, 2}, {{"halfwave.input.scale", "0.5"}});
  std::vector<float> values = {1, 2, 3, 4};
  ASSERT_TRUE(NormaliseTable(model, {{"fit", "ink"}}, values).ok());
  EXPECT_THAT(values, ElementsAre(1, 2, 3, 4));
  ASSERT_TRUE(NormaliseTable(model, {{"scale", "10"}, {"mean", "5"}}, values).ok());
  EXPECT_THAT(values, ElementsAre(5, 15, 25, 35));
}

TEST(Tables, MeansPerChannelFollowTheLayout) {
  std::vector<float> nchw = {1, 1, 1, 1, 1, 1};
  ASSERT_TRUE(NormaliseTable(Model({-1, 3, 1, 2}), {{"mean", "0,1,2"}}, nchw).ok());
  EXPECT_THAT(nchw, ElementsAre(1, 1, 0, 0, -1, -1));
  std::vector<float> nhwc = {1, 1, 1, 1, 1, 1};
  ASSERT_TRUE(NormaliseTable(Model({-1, 1, 2, 3}, {{"halfwave.layout", "NHWC"}}), {{"mean", "0,1,2"}}, nhwc).ok());
  EXPECT_THAT(nhwc, ElementsAre(1, 0, -1, 1, 0, -1));
  EXPECT_FALSE(NormaliseTable(Model({-1, 2}), {{"mean", "0,1,2"}}, nchw).ok());
}

}  // namespace
}  // namespace halfwave::client
