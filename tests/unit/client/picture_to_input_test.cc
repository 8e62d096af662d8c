#include "client/picture_to_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfwave::client {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::FloatNear;

using Grey = unsigned char;

// `ink` where inside(x, y), `paper` elsewhere.
template <typename Inside>
Picture Draw(int64_t width, int64_t height, Grey paper, Grey ink, Inside inside) {
  Picture picture{width, height, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) picture.rgb.insert(picture.rgb.end(), 3, inside(x, y) ? ink : paper);
  }
  return picture;
}

// A filled rectangle; right and bottom exclusive.
Picture Box(int64_t width, int64_t height, Grey paper, Grey ink, int64_t left, int64_t top, int64_t right,
            int64_t bottom) {
  return Draw(width, height, paper, ink,
              [=](int64_t x, int64_t y) { return x >= left && x < right && y >= top && y < bottom; });
}

// What the digits models ask for, in pixels 0..255.
PictureInput Ink(int64_t size) {
  PictureInput input;
  input.width = input.height = size;
  input.scale = 1;
  input.polarity = Polarity::kLightOnDark;
  input.fit = Fit::kInk;
  return input;
}

PictureInput Whole(int64_t width, int64_t height, Fit fit = Fit::kPad) {
  PictureInput input;
  input.width = width;
  input.height = height;
  input.scale = 1;
  input.fit = fit;
  return input;
}

TEST(Picture, DarkInkOnLightPaperIsInverted) {
  const PreparedPicture prepared = ToInput(Box(20, 20, 250, 10, 5, 5, 15, 15), Ink(2));
  EXPECT_TRUE(prepared.inverted);
  EXPECT_THAT(prepared.values, Each(255));
}

TEST(Picture, LightInkOnDarkPaperIsNotInverted) {
  const PreparedPicture prepared = ToInput(Box(20, 20, 10, 250, 5, 5, 15, 15), Ink(2));
  EXPECT_FALSE(prepared.inverted);
  EXPECT_THAT(prepared.values, Each(255));
}

TEST(Picture, PolarityIsJudgedByThePicturesOwnRange) {
  EXPECT_EQ(DetectPolarity(Box(9, 9, 110, 30, 3, 3, 6, 6)), Polarity::kDarkOnLight);
  EXPECT_EQ(DetectPolarity(Box(9, 9, 180, 255, 3, 3, 6, 6)), Polarity::kLightOnDark);
}

TEST(Picture, AModelThatWantsDarkOnLightGetsIt) {
  PictureInput input = Ink(3);
  input.polarity = Polarity::kDarkOnLight;
  // A column of ink, as wide as a third of its height.
  const std::vector<float> expected = {255, 0, 255, 255, 0, 255, 255, 0, 255};
  EXPECT_EQ(ToInput(Box(30, 30, 0, 255, 10, 6, 15, 21), input).values, expected);
  EXPECT_EQ(ToInput(Box(30, 30, 255, 0, 10, 6, 15, 21), input).values, expected);
}

TEST(Picture, AModelThatTakesAnyPolarityGetsThePicturesOwn) {
  PictureInput input = Ink(3);
  input.polarity = Polarity::kAny;
  EXPECT_EQ(ToInput(Box(30, 30, 255, 0, 10, 6, 15, 21), input).values[0], 255);
  EXPECT_EQ(ToInput(Box(30, 30, 0, 255, 10, 6, 15, 21), input).values[0], 0);
}

TEST(Picture, InvertOverridesTheBorder) {
  const Picture picture = Box(4, 4, 0, 200, 0, 0, 4, 1);
  PictureInput input = Whole(2, 2);
  input.polarity = Polarity::kLightOnDark;
  input.invert = Invert::kYes;
  EXPECT_THAT(ToInput(picture, input).values, ElementsAre(155, 155, 255, 255));
  input.invert = Invert::kNo;
  EXPECT_THAT(ToInput(picture, input).values, ElementsAre(100, 100, 0, 0));
}

TEST(Picture, InkIsCutOutWidenedAndCentred) {
  // 4 wide, 8 high: the window is 8 x 8 and the ink its middle half.
  const auto values = ToInput(Box(100, 60, 0, 255, 90, 50, 94, 58), Ink(4)).values;
  const std::vector<float> row = {0, 255, 255, 0};
  for (int i = 0; i < 16; ++i) EXPECT_EQ(values[i], row[i % 4]) << i;
}

TEST(Picture, InkAtTheEdgeIsCentredTooWithBackgroundBeyondTheEdge) {
  const auto values = ToInput(Box(40, 40, 255, 0, 0, 10, 4, 18), Ink(4)).values;
  EXPECT_THAT(std::vector<float>(values.begin(), values.begin() + 4), ElementsAre(0, 255, 255, 0));
}

TEST(Picture, FaintInkIsStretchedToFullContrast) {
  EXPECT_THAT(ToInput(Box(20, 20, 100, 130, 5, 5, 15, 15), Ink(2)).values, Each(FloatNear(255, 1e-3)));
}

TEST(Picture, LightThatFallsOffAcrossThePictureIsNotInk) {
  Picture picture = Box(50, 50, 0, 0, 0, 0, 0, 0);
  for (int64_t y = 0; y < 50; ++y) {
    for (int64_t x = 0; x < 50; ++x) {
      const bool ink = x >= 20 && x < 30 && y >= 15 && y < 35;
      for (int c = 0; c < 3; ++c) picture.rgb[(y * 50 + x) * 3 + c] = static_cast<Grey>(ink ? 30 : 250 - 2 * x);
    }
  }
  const auto values = ToInput(picture, Ink(4)).values;
  for (int row = 0; row < 4; ++row) {
    EXPECT_NEAR(values[row * 4], 0, 12);
    EXPECT_GT(values[row * 4 + 1], 200);
    EXPECT_GT(values[row * 4 + 2], 200);
    EXPECT_NEAR(values[row * 4 + 3], 0, 12);
  }
}

TEST(Picture, InkThatTouchesAWholeSideIsNotTakenForLight) {
  const auto values = ToInput(Box(10, 10, 255, 0, 0, 0, 10, 2), Ink(5)).values;
  // 10 wide, 2 high: one row of five.
  EXPECT_THAT(std::vector<float>(values.begin() + 10, values.begin() + 15), Each(255));
  EXPECT_EQ(values[0], 0);
}

TEST(Picture, ABlankPictureIsBackgroundAndSaysSo) {
  const PreparedPicture prepared = ToInput(Box(20, 30, 255, 255, 0, 0, 0, 0), Ink(4));
  EXPECT_TRUE(prepared.blank);
  EXPECT_THAT(prepared.values, Each(0));
}

TEST(Picture, OneOfExactlyTheModelsSizeIsUsedAsItIs) {
  const PreparedPicture prepared = ToInput(Box(4, 4, 20, 90, 0, 0, 4, 3), Ink(4));
  EXPECT_THAT(prepared.values, ElementsAre(90, 90, 90, 90, 90, 90, 90, 90, 90, 90, 90, 90, 20, 20, 20, 20));
  EXPECT_FALSE(prepared.inverted);
}

TEST(Picture, OneOfExactlyTheModelsSizeIsInvertedWhenItClearlyMustBe) {
  const PreparedPicture prepared = ToInput(Box(4, 4, 250, 10, 1, 1, 3, 3), Ink(4));
  EXPECT_TRUE(prepared.inverted);
  EXPECT_EQ(prepared.values[0], 5);
  EXPECT_EQ(prepared.values[5], 245);
}

TEST(Picture, PadKeepsTheAspectRatioAndFillsWithTheBorder) {
  // 8 x 4 into 4 x 4: a row of border, two rows of picture, a row of border.
  const auto values = ToInput(Box(8, 4, 50, 250, 2, 1, 6, 3), Whole(4, 4)).values;
  EXPECT_THAT(values, ElementsAre(50, 50, 50, 50, 50, 150, 150, 50, 50, 150, 150, 50, 50, 50, 50, 50));
}

TEST(Picture, StretchFillsTheInput) {
  const auto values = ToInput(Box(8, 4, 50, 250, 0, 0, 4, 4), Whole(2, 2, Fit::kStretch)).values;
  EXPECT_THAT(values, ElementsAre(250, 50, 250, 50));
}

TEST(Picture, ColourIsLaidOutAsTheModelWants) {
  const Picture picture{2, 1, {1, 2, 3, 4, 5, 6}};
  PictureInput input = Whole(2, 1);
  input.channels = 3;
  EXPECT_THAT(ToInput(picture, input).values, ElementsAre(1, 4, 2, 5, 3, 6));
  input.layout = Layout::kFlat;
  EXPECT_THAT(ToInput(picture, input).values, ElementsAre(1, 4, 2, 5, 3, 6));
  input.layout = Layout::kNhwc;
  EXPECT_THAT(ToInput(picture, input).values, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Picture, ColourBecomesGreyByLuma) {
  EXPECT_THAT(ToInput(Picture{3, 1, {255, 0, 0, 0, 255, 0, 0, 0, 255}}, Whole(3, 1)).values, ElementsAre(76, 150, 29));
}

TEST(Picture, ValuesAreScaledAndNormalisedPerChannel) {
  PictureInput input = Whole(1, 1);
  input.channels = 3;
  input.scale = 0.5f;
  input.mean = {1, 2, 3};
  input.std = {1, 2, 4};
  EXPECT_THAT(ToInput(Picture{1, 1, {10, 20, 30}}, input).values, ElementsAre(4, 4, 3));
}

TEST(Picture, ASinglePixelIsAPicture) {
  EXPECT_THAT(ToInput(Picture{1, 1, {9, 9, 9}}, Whole(2, 2)).values, Each(9));
  EXPECT_EQ(ToInput(Picture{1, 1, {9, 9, 9}}, Ink(8)).values.size(), 64u);
}

}  // namespace
}  // namespace halfwave::client
