#include "model/engine/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfwave {
namespace {

using ::testing::HasSubstr;
using Properties = std::map<std::string, std::string>;

Properties Picture(const Properties& more = {}) {
  Properties properties = {{"halfwave.input.width", "8"}, {"halfwave.input.height", "6"}};
  for (const auto& [key, value] : more) properties[key] = value;
  return properties;
}

void ExpectBad(const Properties& properties, const std::string& key) {
  const auto status = ParseMetadata(properties).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key << " = " << properties.at(key);
  EXPECT_THAT(std::string(status.message()), HasSubstr(key));
}

TEST(Metadata, NothingSaidIsNothingKnown) {
  const auto metadata = ParseMetadata({{"author", "someone"}, {"halfwave.unknown", "kept alone"}});
  ASSERT_TRUE(metadata.ok());
  EXPECT_TRUE(metadata->labels.empty());
  EXPECT_EQ(metadata->layout, "");
  EXPECT_FALSE(metadata->image);
  EXPECT_FALSE(metadata->self_test);
}

TEST(Metadata, LabelsAreAJsonArrayOfStrings) {
  EXPECT_EQ(ParseMetadata({{"halfwave.labels", R"(["cat", "d\u00f6g", ""])"}})->labels,
            (std::vector<std::string>{"cat", "dög", ""}));
  for (const char* bad : {"", "cat,dog", "[1, 2]", "{}", "[\"a\"", "null", "[[\"a\"]]"}) {
    ExpectBad({{"halfwave.labels", bad}}, "halfwave.labels");
  }
}

TEST(Metadata, LayoutIsOneOfThreeWords) {
  for (const char* good : {"NCHW", "NHWC", "flat"}) EXPECT_EQ(ParseMetadata({{"halfwave.layout", good}})->layout, good);
  for (const char* bad : {"", "nchw", "CHW", "flat "}) ExpectBad({{"halfwave.layout", bad}}, "halfwave.layout");
}

TEST(Metadata, APictureHasItsDefaults) {
  const auto metadata = ParseMetadata(Picture());
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  const ImageInput& image = *metadata->image;
  EXPECT_EQ(image.width, 8);
  EXPECT_EQ(image.height, 6);
  EXPECT_EQ(image.channels, 1);
  EXPECT_FLOAT_EQ(image.scale, 1.0f / 255);
  EXPECT_EQ(image.polarity, "any");
  EXPECT_EQ(image.fit, "pad");
}

TEST(Metadata, APictureReadsAllItsKeys) {
  const auto metadata = ParseMetadata(Picture({{"halfwave.input.channels", "3"},
                                               {"halfwave.input.scale", "0.5"},
                                               {"halfwave.input.mean", "[0.1, 0.2,0.3]"},
                                               {"halfwave.input.std", "2"},
                                               {"halfwave.input.polarity", "dark-on-light"},
                                               {"halfwave.input.fit", "ink"}}));
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->image->channels, 3);
  EXPECT_EQ(metadata->image->scale, 0.5f);
  EXPECT_EQ(metadata->image->mean, (std::vector<float>{0.1f, 0.2f, 0.3f}));
  EXPECT_EQ(metadata->image->std, (std::vector<float>{2}));
  EXPECT_EQ(metadata->image->polarity, "dark-on-light");
  EXPECT_EQ(metadata->image->fit, "ink");
}

TEST(Metadata, BadValuesOfAPictureNameTheirKey) {
  const std::map<std::string, std::vector<std::string>> bad = {
      {"halfwave.input.width", {"0", "-8", "8.5", "eight", "", "65537", "99999999999999999999"}},
      {"halfwave.input.height", {"0", "six", "1e2"}},
      {"halfwave.input.channels", {"0", "2", "4", "rgb"}},
      {"halfwave.input.scale", {"", "x", "1,2", "nan", "inf", "1e300"}},
      {"halfwave.input.mean", {"", "[]", "a", "1,2", "1,,2", "inf", "[1,2,3]"}},
      {"halfwave.input.std", {"0", "-1", "1,2", "nan", ""}},
      {"halfwave.input.polarity", {"", "dark", "ANY"}},
      {"halfwave.input.fit", {"", "crop"}}};
  for (const auto& [key, values] : bad) {
    for (const std::string& value : values) ExpectBad(Picture({{key, value}}), key);
  }
}

TEST(Metadata, WidthAndHeightBelongTogether) {
  EXPECT_THAT(std::string(ParseMetadata({{"halfwave.input.width", "8"}}).status().message()),
              HasSubstr("halfwave.input.height"));
  EXPECT_FALSE(ParseMetadata({{"halfwave.input.height", "8"}}).ok());
}

TEST(Metadata, ASelfTestIsReadWithItsShapes) {
  const auto metadata =
      ParseMetadata({{"halfwave.selftest", R"({"inputs": {"x": {"shape": [2, 3], "data": [1, 2, 3, 4.5, 5, 6]}},
                                                                 "outputs": {"y": {"shape": [2, 1], "data": [0.5, -1e-3]}}})"}});
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->self_test->inputs.at("x").shape, (Shape{2, 3}));
  EXPECT_EQ(metadata->self_test->inputs.at("x").data[3], 4.5f);
  EXPECT_EQ(metadata->self_test->outputs.at("y").data[1], -1e-3f);
}

TEST(Metadata, ABrokenSelfTestIsRefused) {
  const auto with = [](const std::string& tensor) {
    return R"({"inputs": {"x": )" + tensor + R"(}, "outputs": {"y": {"shape": [1], "data": [1]}}})";
  };
  for (const std::string& bad :
       {std::string(""), std::string("{}"), std::string("[]"), std::string("{\"inputs\": {}}"),
        std::string(R"({"inputs": [], "outputs": {}})"), with("1"), with("{}"), with(R"({"shape": [1]})"),
        with(R"({"shape": 1, "data": [1]})"), with(R"({"shape": [1.5], "data": [1]})"),
        with(R"({"shape": [2], "data": [1]})"), with(R"({"shape": [], "data": [1]})"),
        with(R"({"shape": [0], "data": []})"), with(R"({"shape": [-1, -1], "data": [1]})"),
        with(R"({"shape": [1], "data": ["1"]})"), with(R"({"shape": [1], "data": [null]})"),
        with(R"({"shape": [9223372036854775807, 4], "data": [1]})"),
        with(R"({"shape": [18446744073709551615], "data": [1]})"), std::string(100000, '[')}) {
    ExpectBad({{"halfwave.selftest", bad}}, "halfwave.selftest");
  }
}

TEST(Metadata, ADomainHasTwoLimitsForAnInput) {
  const auto metadata = ParseMetadata({{"halfwave.domain", R"({"image": [0, 1], "other": [-2.5, 3]})"}});
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->domain.at("image").high, 1);
  EXPECT_EQ(metadata->domain.at("other").low, -2.5f);
  for (const char* bad : {"0,1", "[0, 1]", R"({"x": 1})", R"({"x": [1, 0]})", R"({"x": [0]})", R"({"x": ["0", "1"]})",
                          R"({"x": [0, 1e60]})"}) {
    ExpectBad({{"halfwave.domain", bad}}, "halfwave.domain");
  }
}

TEST(Metadata, ALongBadValueIsNotQuotedInFull) {
  const auto status = ParseMetadata({{"halfwave.layout", std::string(1000000, 'x')}}).status();
  EXPECT_LT(status.message().size(), 300u);
}

}  // namespace
}  // namespace halfwave
