#include "model/data/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace halfwave {
namespace {

using ::testing::HasSubstr;

TEST(Files, AreRecognisedByWhatTheyHold) {
  EXPECT_EQ(RecogniseFile("\x89PNG\r\n").value(), FileKind::kPng);
  EXPECT_EQ(RecogniseFile("P5 1 1 255\nx").value(), FileKind::kPnm);
  EXPECT_EQ(RecogniseFile("P2\n1 1 255 7").value(), FileKind::kPnm);
  EXPECT_EQ(RecogniseFile("\x93NUMPY\x01").value(), FileKind::kNpy);
  EXPECT_EQ(RecogniseFile("label,p0\n1,2\n").value(), FileKind::kCsv);
  EXPECT_EQ(RecogniseFile("P5,P6\n1,2\n").value(), FileKind::kCsv);
}

TEST(Files, OfOtherKindsAreNamed) {
  EXPECT_THAT(std::string(RecogniseFile("\xFF\xD8\xFF\xE0 JFIF").status().message()), HasSubstr("a JPEG"));
  EXPECT_THAT(std::string(RecogniseFile("PK\x03\x04").status().message()), HasSubstr(".npz"));
  EXPECT_THAT(std::string(RecogniseFile(absl::string_view("\x08\x00\x07", 3)).status().message()),
              HasSubstr("other binary data"));
}

TEST(Files, ThatCannotBeReadSayWhy) {
  const std::string folder = testing::TempDir();
  EXPECT_THAT(std::string(ReadFile(folder).status().message()), HasSubstr("found a folder"));
  EXPECT_THAT(std::string(ReadFile(folder + "/halfwave_no_such_file").status().message()), HasSubstr("No such file"));
  const std::string empty = folder + "/halfwave_empty_file";
  std::ofstream(empty).flush();
  EXPECT_THAT(std::string(ReadFile(empty).status().message()), HasSubstr("empty"));
  std::filesystem::remove(empty);
}

TEST(Files, WithoutAnEndAreCutOffAtTheLimit) {
  EXPECT_THAT(std::string(ReadFile("/dev/zero").status().message()), HasSubstr("256 MiB"));
}

}  // namespace
}  // namespace halfwave
