#include "client/resample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace halfwave::client {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

TEST(Resample, TheSameSizeChangesNothing) {
  const Plane plane{2, 2, {1, 2, 3, 4}};
  EXPECT_EQ(Resample(plane, {0, 0, 2, 2}, 2, 2, 0, Enlarging::kBilinear).values, plane.values);
}

TEST(Resample, ShrinkingAveragesByArea) {
  const Plane plane{3, 1, {0, 6, 12}};
  // Each of the two cells covers one and a half pixels.
  EXPECT_THAT(Resample(plane, {0, 0, 3, 1}, 2, 1, 0, Enlarging::kArea).values, ElementsAre(FloatEq(2), FloatEq(10)));
}

TEST(Resample, WhatLiesOutsideIsBackground) {
  const Plane plane{1, 1, {100}};
  EXPECT_THAT(Resample(plane, {-1, 0, 3, 1}, 3, 1, 40, Enlarging::kArea).values, ElementsAre(40, 100, 40));
  EXPECT_THAT(Resample(plane, {-0.5, 0, 1, 1}, 1, 1, 40, Enlarging::kArea).values, ElementsAre(70));
  EXPECT_THAT(Resample(plane, {50, -70, 1, 1}, 1, 1, 40, Enlarging::kArea).values, ElementsAre(40));
}

TEST(Resample, EnlargingIsBilinearBetweenCentresAndFlatBeyondThem) {
  const Plane plane{2, 1, {0, 8}};
  EXPECT_THAT(Resample(plane, {0, 0, 2, 1}, 4, 1, 0, Enlarging::kBilinear).values, ElementsAre(0, 2, 6, 8));
}

TEST(Resample, EnlargingByAreaKeepsEdges) {
  const Plane plane{2, 1, {0, 8}};
  EXPECT_THAT(Resample(plane, {0, 0, 2, 1}, 4, 1, 0, Enlarging::kArea).values, ElementsAre(0, 0, 8, 8));
}

}  // namespace
}  // namespace halfwave::client
