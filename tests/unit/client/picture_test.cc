#include "client/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/client/png_bytes.h"

namespace halfwave::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Message(const absl::StatusOr<Picture>& picture) { return std::string(picture.status().message()); }

TEST(Png, GreyBecomesThreeEqualChannels) {
  const auto picture = DecodePng(PngBytes(2, 1, 1, {7, 200}));
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_EQ(picture->width, 2);
  EXPECT_EQ(picture->height, 1);
  EXPECT_THAT(picture->rgb, ElementsAre(7, 7, 7, 200, 200, 200));
}

TEST(Png, ColourStaysAsItIs) {
  const auto picture = DecodePng(PngBytes(1, 2, 3, {1, 2, 3, 4, 5, 6}));
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_THAT(picture->rgb, ElementsAre(1, 2, 3, 4, 5, 6));
}

TEST(Png, TransparencyIsLaidOverWhite) {
  const auto picture = DecodePng(PngBytes(3, 1, 4, {0, 0, 0, 0, 0, 0, 0, 255, 0, 100, 200, 51}));
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_THAT(picture->rgb, ElementsAre(255, 255, 255, 0, 0, 0, 204, 224, 244));
}

TEST(Png, ChalkOnATransparentSheetIsLaidOverBlack) {
  const auto picture = DecodePng(PngBytes(2, 1, 4, {0, 0, 0, 0, 255, 250, 240, 255}));
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_THAT(picture->rgb, ElementsAre(0, 0, 0, 255, 250, 240));
  const auto nothing = DecodePng(PngBytes(1, 1, 4, {255, 255, 255, 0}));
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_THAT(nothing->rgb, ElementsAre(255, 255, 255));
}

TEST(Png, EveryTruncationIsAnErrorAndNotACrash) {
  std::vector<unsigned char> pixels(20 * 20 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<unsigned char>(i * 37);
  const std::string whole = PngBytes(20, 20, 3, pixels);
  constexpr size_t kEnd = 12;  // the IEND chunk, without which the pixels are still whole
  for (size_t size = 0; size < whole.size() - kEnd; ++size) {
    EXPECT_FALSE(DecodePng(whole.substr(0, size)).ok()) << "the first " << size << " of " << whole.size() << " bytes";
  }
}

TEST(Png, EveryFlippedByteIsAPictureOrAnErrorAndNotACrash) {
  const std::string whole = PngBytes(9, 9, 4, std::vector<unsigned char>(9 * 9 * 4, 128));
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int mask : {0x01, 0x80, 0xFF}) {
      std::string bad = whole;
      bad[i] = static_cast<char>(bad[i] ^ mask);
      const auto picture = DecodePng(bad);
      if (picture.ok()) {
        EXPECT_EQ(picture->rgb.size(), static_cast<size_t>(picture->width * picture->height * 3));
      }
    }
  }
}

TEST(Png, ASizeThatWouldNotFitIsRefusedBeforeMemoryIsTaken) {
  std::string bytes = PngBytes(1, 1, 1, {0});
  const std::string side("\x00\x00\xFF\xFF", 4);  // 65535 x 65535
  bytes.replace(16, 8, side + side);
  EXPECT_THAT(Message(DecodePng(bytes)), HasSubstr("65535 x 65535"));
}

TEST(Png, AHugePictureOfFewBytesIsAnError) {
  std::string bytes = PngBytes(1, 1, 1, {0});
  const std::string side("\x00\x00\x1F\xFF", 4);  // 8191 x 8191, with the pixels of one
  bytes.replace(16, 8, side + side);
  EXPECT_THAT(Message(DecodePng(bytes)), HasSubstr("complete PNG"));
}

TEST(Pnm, TextAndBinaryGreyAreRead) {
  const auto text = DecodePnm("P2\n# a comment\n2 2 # another\n15\n0 15\n5 10\n");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(text->rgb, ElementsAre(0, 0, 0, 255, 255, 255, 85, 85, 85, 170, 170, 170));
  const auto binary = DecodePnm(absl::string_view("P5 2 1 255\n\x00\xFF", 13));
  ASSERT_TRUE(binary.ok()) << binary.status();
  EXPECT_THAT(binary->rgb, ElementsAre(0, 0, 0, 255, 255, 255));
}

TEST(Pnm, TextAndBinaryColourAreRead) {
  const auto text = DecodePnm("P3 1 1 255 10 20 30");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(text->rgb, ElementsAre(10, 20, 30));
  const auto binary = DecodePnm("P6\n1 1\n255\nabc");
  ASSERT_TRUE(binary.ok()) << binary.status();
  EXPECT_THAT(binary->rgb, ElementsAre('a', 'b', 'c'));
}

TEST(Pnm, SixteenBitsAreBigEndianAndScaledToEight) {
  const auto picture = DecodePnm(absl::string_view("P5 3 1 65535\n\x00\x00\x80\x00\xFF\xFF", 19));
  ASSERT_TRUE(picture.ok()) << picture.status();
  EXPECT_THAT(picture->rgb, ElementsAre(0, 0, 0, 128, 128, 128, 255, 255, 255));
}

TEST(Pnm, BadFilesAreNamedErrors) {
  EXPECT_THAT(Message(DecodePnm("P5 2 2 255\nab")), HasSubstr("expected 4 bytes of pixels, found 2"));
  EXPECT_THAT(Message(DecodePnm("P2 2 1 15\n3 16")), HasSubstr("found 16"));
  EXPECT_THAT(Message(DecodePnm("P2 2 1 15\n3 x")), HasSubstr("found none"));
  EXPECT_THAT(Message(DecodePnm("P5 2 2 0\nabcd")), HasSubstr("largest value"));
  EXPECT_THAT(Message(DecodePnm("P5 2")), HasSubstr("width, height"));
  EXPECT_THAT(Message(DecodePnm("P5 0 4 255\n")), HasSubstr("0 x 4"));
  EXPECT_THAT(Message(DecodePnm("P5 99999 99999 255\n")), HasSubstr("99999 x 99999"));
  EXPECT_THAT(Message(DecodePnm("P5 99999999999999999999 1 255\n")), HasSubstr("width, height"));
  EXPECT_THAT(Message(DecodePnm("P2 8000 8000 255\n1")), HasSubstr("expected 64000000 values"));
  EXPECT_FALSE(DecodePnm("P").ok());
  EXPECT_FALSE(DecodePnm("P5#").ok());
}

}  // namespace
}  // namespace halfwave::client
