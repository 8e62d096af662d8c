#include "client/render.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

namespace halfwave::client {
namespace {

constexpr Style kPlain{};
constexpr Style kUnicode{.unicode = true};

TEST(Bar, FillsWithTheShare) {
  EXPECT_EQ(Bar(0, 10, kPlain), "");
  EXPECT_EQ(Bar(0.5, 10, kPlain), "#####");
  EXPECT_EQ(Bar(1, 10, kPlain), "##########");
  EXPECT_EQ(Bar(1, 3, kUnicode), "███");
}

TEST(Bar, ShowsEighthsInUnicode) {
  EXPECT_EQ(Bar(0.5, 3, kUnicode), "█▌");
  EXPECT_EQ(Bar(0.25, 1, kUnicode), "▎");
}

TEST(Bar, ShowsThatSomethingIsThere) {
  EXPECT_EQ(Bar(1e-9, 10, kPlain), "#");
  EXPECT_EQ(Bar(1e-9, 10, kUnicode), "▏");
}

TEST(Bar, StaysInItsCellsWhateverComes) {
  EXPECT_EQ(Bar(7, 4, kPlain), "####");
  EXPECT_EQ(Bar(-1, 4, kPlain), "");
  EXPECT_EQ(Bar(std::strtod("nan", nullptr), 4, kPlain), "");
}

TEST(Heat, IsOneCellOfTheShare) {
  EXPECT_EQ(Heat(0, kPlain), "0");
  EXPECT_EQ(Heat(0.57, kPlain), "5");
  EXPECT_EQ(Heat(1, kPlain), "9");
  EXPECT_EQ(Heat(0, kUnicode), "▁");
  EXPECT_EQ(Heat(0.5, kUnicode), "▅");
  EXPECT_EQ(Heat(1, kUnicode), "█");
  EXPECT_EQ(DisplayWidth(Heat(0.5, {.unicode = true, .colour = true})), 1u);
}

TEST(Heat, StaysInItsCellWhateverComes) {
  EXPECT_EQ(Heat(7, kPlain), "9");
  EXPECT_EQ(Heat(-1, kPlain), "0");
  EXPECT_EQ(Heat(std::strtod("nan", nullptr), kPlain), "0");
}

TEST(Numbers, AreWrittenForPeople) {
  EXPECT_EQ(Thousands(0), "0");
  EXPECT_EQ(Thousands(999), "999");
  EXPECT_EQ(Thousands(1000), "1,000");
  EXPECT_EQ(Thousands(1234567), "1,234,567");
  EXPECT_EQ(Percent(0.1234), "12.3 %");
  EXPECT_EQ(Plural(1, "row"), "1 row");
  EXPECT_EQ(Plural(2000, "row"), "2,000 rows");
}

TEST(Table, AlignsByWhatIsSeen) {
  TextTable table({1});
  table.Add({"é", "1", "x"});
  table.Add({Paint("abc", Colour::kRed, {.colour = true}), "22"});
  std::ostringstream out;
  table.Print(out, "> ");
  EXPECT_EQ(out.str(), "> é     1  x\n> \033[31mabc\033[0m  22\n");
}

TEST(Printable, TakesTheTerminalOutOfForeignHands) {
  EXPECT_EQ(Printable("a\033[31mb\nc\x7F"), "a?[31mb c?");
  EXPECT_EQ(Printable("größe"), "größe");
}

TEST(Style, UnicodeFollowsTheLocalesName) {
  setenv("LC_ALL", "de_DE.UTF-8", 1);
  EXPECT_TRUE(DetectStyle().unicode);
  setenv("LC_ALL", "C.utf8", 1);
  EXPECT_TRUE(DetectStyle().unicode);
  setenv("LC_ALL", "C", 1);
  EXPECT_FALSE(DetectStyle().unicode);
  unsetenv("LC_ALL");
}

}  // namespace
}  // namespace halfwave::client
