#include "model/data/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"

namespace halfwave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Message(const absl::StatusOr<Table>& table) { return std::string(table.status().message()); }

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string Npy(const std::string& type, const std::string& shape, const std::string& data,
                const std::string& fortran = "False", char version = 1) {
  const std::string header =
      absl::StrCat("{'descr': '", type, "', 'fortran_order': ", fortran, ", 'shape': ", shape, ", }          \n");
  const auto size = static_cast<uint32_t>(header.size());
  return std::string("\x93NUMPY") + version + '\0' +
         std::string(reinterpret_cast<const char*>(&size), version == 1 ? 2 : 4) + header + data;
}

TEST(Csv, WithoutHeaderIsNumbersOnly) {
  const auto table = ParseCsv("1,2.5,-3e1\n4, 5 ,6\n");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->shape, ElementsAre(2, 3));
  EXPECT_THAT(table->values, ElementsAre(1, 2.5, -30, 4, 5, 6));
  EXPECT_THAT(table->answers, IsEmpty());
}

TEST(Csv, TheColumnLabelIsTheExpectedAnswerWhereverItStands) {
  const auto table = ParseCsv("p0,label,p1\r\n1,cat,2\r\n\r\n3,dog,4\r\n");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->shape, ElementsAre(2, 2));
  EXPECT_THAT(table->values, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(table->answers, ElementsAre("cat", "dog"));
}

TEST(Csv, AHeaderWithoutLabelIsSkipped) {
  EXPECT_THAT(ParseCsv("\xEF\xBB\xBF\"a\",\"b\"\n1,2")->values, ElementsAre(1, 2));
}

TEST(Csv, SemicolonsAndTabsSeparateToo) {
  EXPECT_THAT(ParseCsv("1;2\n3;4")->shape, ElementsAre(2, 2));
  EXPECT_THAT(ParseCsv("1\t2\n3\t4")->shape, ElementsAre(2, 2));
}

TEST(Csv, BadLinesAreNamed) {
  EXPECT_THAT(Message(ParseCsv("1,2\n3\n")), HasSubstr("line 2: expected 2 columns as in the first line, found 1"));
  EXPECT_THAT(Message(ParseCsv("a,b\n3,x\n")), HasSubstr("line 2: expected a number in column 2, found 'x'"));
  EXPECT_THAT(Message(ParseCsv("only,a,header\n")), HasSubstr("expected rows of numbers"));
  EXPECT_THAT(Message(ParseCsv("\n\n")), HasSubstr("expected rows of numbers"));
}

TEST(Npy, NumbersOfEveryKindAreRead) {
  EXPECT_THAT(ParseNpy(Npy("<f4", "(2, 1)", Bytes<float>({1.5, -2})))->values, ElementsAre(1.5, -2));
  EXPECT_THAT(ParseNpy(Npy("<f8", "(2,)", Bytes<double>({1.5, -2})))->values, ElementsAre(1.5, -2));
  EXPECT_THAT(ParseNpy(Npy("|u1", "(2,)", Bytes<uint8_t>({255, 0})))->values, ElementsAre(255, 0));
  EXPECT_THAT(ParseNpy(Npy("<i8", "(2,)", Bytes<int64_t>({-7, 9})))->values, ElementsAre(-7, 9));
  EXPECT_THAT(ParseNpy(Npy("<u2", "(1,)", Bytes<uint16_t>({65535})))->values, ElementsAre(65535));
  EXPECT_THAT(ParseNpy(Npy("|b1", "(2,)", Bytes<uint8_t>({0, 1}), "False", 2))->values, ElementsAre(0, 1));
}

TEST(Npy, TheShapeIsKept) {
  const auto table = ParseNpy(Npy("|u1", "(2, 1, 3)", "abcdef"));
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->shape, ElementsAre(2, 1, 3));
  EXPECT_THAT(ParseNpy(Npy("|u1", "()", "a"))->shape, IsEmpty());
}

TEST(Npy, WhatCannotBeReadSaysWhatToDo) {
  EXPECT_THAT(Message(ParseNpy(Npy(">f4", "(1,)", "abcd"))), HasSubstr("'>f4'; save array.astype('float32')"));
  EXPECT_THAT(Message(ParseNpy(Npy("<c8", "(1,)", "abcdefgh"))), HasSubstr("'<c8'"));
  EXPECT_THAT(Message(ParseNpy(Npy("<f4", "(2, 2)", Bytes<float>({1, 2, 3, 4}), "True"))),
              HasSubstr("ascontiguousarray"));
}

TEST(Npy, HostileFilesAreErrors) {
  EXPECT_THAT(Message(ParseNpy(Npy("<f4", "(2, 2)", "short"))), HasSubstr("cut off"));
  EXPECT_THAT(Message(ParseNpy(Npy("|u1", "(4294967296, 4294967296, 4294967296)", "x"))), HasSubstr("cut off"));
  EXPECT_FALSE(ParseNpy(Npy("|u1", "(99999999999999999999,)", "x")).ok());
  EXPECT_FALSE(ParseNpy(Npy("|u1", "(-1,)", "x")).ok());
  EXPECT_FALSE(ParseNpy(Npy("|u1", "(0,)", "x")).ok());
  EXPECT_FALSE(ParseNpy(Npy("|u1", "(1", "x")).ok());
  const std::string whole = Npy("<f4", "(2, 1)", Bytes<float>({1, 2}));
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(ParseNpy(whole.substr(0, size)).ok()) << size;
}

std::string Idx(char type, const std::vector<uint8_t>& shape, const std::string& data) {
  std::string bytes = {0, 0, type, static_cast<char>(shape.size())};
  for (const uint8_t size : shape) bytes += std::string{0, 0, 0, static_cast<char>(size)};
  return bytes + data;
}

TEST(Idx, HoldsBigEndianNumbersOfSeveralTypes) {
  const Table pixels = ParseIdx(Idx(8, {2, 1, 2}, "\x01\x02\xFF\x04")).value();
  EXPECT_THAT(pixels.shape, ElementsAre(2, 1, 2));
  EXPECT_THAT(pixels.values, ElementsAre(1, 2, 255, 4));
  EXPECT_THAT(ParseIdx(Idx(11, {1}, "\xFF\xFE"))->values, ElementsAre(-2));
  EXPECT_THAT(ParseIdx(Idx(13, {1}, std::string("\x3F\xC0\0\0", 4)))->values, ElementsAre(1.5f));
}

TEST(Idx, HostileFilesAreErrors) {
  EXPECT_THAT(Message(ParseIdx(Idx(8, {255, 255, 255, 255}, "x"))), HasSubstr("cut off"));
  EXPECT_THAT(Message(ParseIdx(Idx(10, {1}, "x"))), HasSubstr("found 10"));
  EXPECT_FALSE(ParseIdx(Idx(8, {0}, "x")).ok());
  const std::string whole = Idx(12, {1, 2}, "12345678");
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(ParseIdx(whole.substr(0, size)).ok()) << size;
}

TEST(ReadTable, UnpacksWhatGzipMadeAndSaysWhatIsDamaged) {
  const std::string path = ::testing::TempDir() + "/halfwave_packed_table.csv.gz";
  const auto write = [&](const std::string& text, size_t bytes_less) {
    gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, text.data(), text.size());
    gzclose(file);
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - bytes_less);
  };
  write("1,2\n3,4\n", 0);
  const Table table = ReadTable(path).value();
  EXPECT_THAT(table.shape, ElementsAre(2, 2));
  EXPECT_THAT(table.values, ElementsAre(1, 2, 3, 4));
  write("1,2\n3,4\n", 1);
  EXPECT_THAT(Message(ReadTable(path)), AllOf(HasSubstr(path), HasSubstr("damaged or cut off")));
  write(std::string(size_t{300} << 20, '1'), 0);
  EXPECT_THAT(Message(ReadTable(path)), HasSubstr("256 MiB")) << "a small file that becomes a large one";
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace halfwave
