#include "model/base/shape.h"

#include <gtest/gtest.h>

#include <limits>

#include "model/tensor/layout.h"

namespace halfwave {
namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

TEST(Shape, ElementsAreTheProductOfTheDimensions) {
  EXPECT_EQ(NumElements(Shape{}), 1);
  EXPECT_EQ(NumElements(Shape{7}), 7);
  EXPECT_EQ(NumElements(Shape{3, 5, 2}), 30);
  EXPECT_EQ(NumElements(Shape{3, 0, 2}), 0);
  EXPECT_EQ(NumElements(Shape{int64_t{1} << 62}), int64_t{1} << 62);
}

TEST(Shape, HostileDimensionsHaveNoProductInsteadOfAWrappedOne) {
  EXPECT_FALSE(NumElements(Shape{-1, 3}));
  EXPECT_FALSE(NumElements(Shape{kHuge}));
  EXPECT_FALSE(NumElements(Shape{kHuge, kHuge, kHuge}));
  EXPECT_FALSE(NumElements(Shape{int64_t{1} << 32, int64_t{1} << 32}));
  EXPECT_FALSE(NumElements(Shape{0, kHuge, kHuge})) << "a zero does not excuse the others";
  EXPECT_FALSE(NumElements(Shape{0, -1}));
}

TEST(Shape, NegativeAxesCountFromTheEnd) {
  EXPECT_EQ(NormalizeAxis(0, 4), 0u);
  EXPECT_EQ(NormalizeAxis(3, 4), 3u);
  EXPECT_EQ(NormalizeAxis(-1, 4), 3u);
  EXPECT_EQ(NormalizeAxis(-4, 4), 0u);
  EXPECT_FALSE(NormalizeAxis(4, 4));
  EXPECT_FALSE(NormalizeAxis(-5, 4));
  EXPECT_FALSE(NormalizeAxis(0, 0));
  EXPECT_FALSE(NormalizeAxis(std::numeric_limits<int64_t>::min(), 4));
  EXPECT_FALSE(NormalizeAxis(kHuge, 4));
}

TEST(Shape, ARowIsAllButTheBatchAndReadsAsOnTheWire) {
  EXPECT_EQ(RowElements({kBatch, 3, 32, 32}), 3072);
  EXPECT_EQ(RowElements({kBatch}), 1);
  EXPECT_EQ(ShapeToString(Shape{kBatch, 3, 32}), "[-1,3,32]");
  EXPECT_EQ(ShapeToString(Shape{}), "[]");
}

TEST(RowLayout, BothOrdersAreTheSameWithOneChannelOrOnePosition) {
  EXPECT_FALSE(LayoutOf({kBatch, 3, 4, 5}, true).IsRowMajor());
  EXPECT_FALSE(LayoutOf({kBatch, 3, 4, 5}, false).IsChannelsLast());
  for (const bool channels_last : {false, true}) {
    for (const Shape& shape : {Shape{kBatch, 1, 4, 5}, Shape{kBatch, 3, 1, 1}, Shape{kBatch, 3}}) {
      EXPECT_TRUE(LayoutOf(shape, channels_last).IsRowMajor());
      EXPECT_TRUE(LayoutOf(shape, channels_last).IsChannelsLast());
    }
  }
}

TEST(RowLayout, AConstantIsBroadcastInTheOrderTheRowHas) {
  const Shape shape = {kBatch, 2, 1, 3};
  EXPECT_EQ(BroadcastToRow({5}, {}, shape, false), (std::vector<float>{5, 5, 5, 5, 5, 5}));
  EXPECT_EQ(BroadcastToRow({1, 2}, {2, 1, 1}, shape, false), (std::vector<float>{1, 1, 1, 2, 2, 2}));
  EXPECT_EQ(BroadcastToRow({1, 2}, {2, 1, 1}, shape, true), (std::vector<float>{1, 2, 1, 2, 1, 2}));
  EXPECT_EQ(BroadcastToRow({1, 2, 3}, {3}, shape, false), (std::vector<float>{1, 2, 3, 1, 2, 3}));
  EXPECT_EQ(BroadcastToRow({1, 2, 3}, {3}, shape, true), (std::vector<float>{1, 1, 2, 2, 3, 3}));
  EXPECT_EQ(BroadcastToRow({1, 2, 3, 4, 5, 6}, {1, 2, 1, 3}, shape, true), (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

}  // namespace
}  // namespace halfwave
