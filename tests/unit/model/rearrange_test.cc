// Copies and sums by position.
#include "model/layers/rearrange.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "tests/support/run_model.h"
#include "tests/unit/model/run_layer.h"

namespace halfwave {
namespace {

using Ints = std::vector<int64_t>;
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

void CheckRearrange(int64_t inputs, int64_t block, const Ints& map) {
  constexpr int64_t kGroups = 2;
  const auto outputs = static_cast<int64_t>(map.size());
  for (const int64_t rows : {0, 1, 3}) {
    const auto x = Noise(rows * kGroups * inputs * block, 1);
    const auto y = RunLayer(Rearrange(inputs * block, block, map, 7.5f, kGroups), rows, {x}, kGroups * outputs * block);
    ASSERT_EQ(y.size(), rows * kGroups * outputs * block);
    for (int64_t i = 0; i < rows * kGroups * outputs * block; ++i) {
      const int64_t source = map[i / block % outputs], group = i / (outputs * block);
      ASSERT_EQ(y[i], source < 0 ? 7.5f : x[(group * inputs + source) * block + i % block]);
    }
  }
}

TEST(Rearrange, FollowsAnyMapAtAnyBlock) {
  std::mt19937 random(1);
  for (const int64_t block : {1, 2, 3, 8, 17}) {
    for (const Ints& map : std::vector<Ints>{{},
                                             {0},
                                             {-1},
                                             {0, 1, 2, 3, 4, 5},
                                             {-1, -1, 0, 1, -1, -1},
                                             {2, 3, 0, 1, 4, 5},
                                             {0, 1, 2, -1, -1, -1, 3, 4, 5},
                                             {1, 2, 3, 4},
                                             {0, 0, 0},
                                             {5, 4, 3, 2, 1, 0},
                                             {0, 1, 0, 1, 0, 1}}) {
      CheckRearrange(6, block, map);
    }
    for (int trial = 0; trial < 20; ++trial) {
      Ints map(random() % 30);
      for (int64_t& source : map) source = static_cast<int64_t>(random() % 8) - 1;
      CheckRearrange(7, block, map);
    }
  }
}

TEST(SparseMap, SumsWeightedEntriesAndFillsWhereThereAreNone) {
  const SparseMap::Entries entries = {
      .begins = {0, 2, 2, 5}, .indices = {0, 3, 1, 1, 2}, .weights = {0.5f, -2, 1, 0.25f, 4}};
  for (const int64_t block : {1, 3, 8, 17}) {
    for (const int64_t rows : {0, 1, 3}) {
      const auto x = Noise(rows * 2 * 4 * block, 1);
      const auto y = RunLayer(SparseMap(4, block, entries, -3, 2), rows, {x}, 2 * 3 * block);
      ASSERT_EQ(y.size(), rows * 2 * 3 * block);
      for (int64_t i = 0; i < rows * 2 * 3 * block; ++i) {
        const auto in = [&](int64_t k) -> double { return x[(i / (3 * block) * 4 + k) * block + i % block]; };
        const double want[] = {0.5 * in(0) - 2 * in(3), -3, 1.25 * in(1) + 4 * in(2)};
        ASSERT_NEAR(y[i], want[i / block % 3], 1e-6);
      }
    }
  }
}

TEST(Gather, TakesEachRowAtItsOwnIndices) {
  for (const int64_t groups : {1, 2, 5}) {
    for (const int64_t block : {1, 3, 8}) {
      constexpr int64_t kLength = 4, kCount = 7, kRows = 3;
      const auto data = Noise(kRows * groups * kLength * block, 1);
      auto indices = Noise(kRows * kCount, 2, -4, 4);
      for (float& index : indices) index = std::floor(index);
      for (const bool constant : {false, true}) {
        const auto table = std::vector<float>(data.begin(), data.begin() + groups * kLength * block);
        const auto y =
            constant
                ? RunLayer(Gather(groups, kLength, block, kCount, table), kRows, {indices}, groups * kCount * block)
                : RunLayer(Gather(groups, kLength, block, kCount), kRows, {data, indices}, groups * kCount * block);
        ASSERT_EQ(y.size(), kRows * groups * kCount * block);
        for (int64_t i = 0; i < kRows * groups * kCount * block; ++i) {
          const int64_t row = i / (groups * kCount * block), group = i / (kCount * block) % groups;
          auto index = static_cast<int64_t>(indices[row * kCount + i / block % kCount]);
          if (index < 0) index += kLength;
          const int64_t source = (((constant ? 0 : row) * groups + group) * kLength + index) * block + i % block;
          ASSERT_EQ(y[i], data[source]);
        }
      }
    }
  }
}

TEST(Gather, NoIndexReadsOutsideTheData) {
  const std::vector<float> data = {10, 11, 12};
  const std::vector<float> indices = {kNan, kInfinity, -kInfinity, 3,  -4,    1e30f, -1e30f,
                                      2.5f, -0.5f,     -3,         -1, 9e18f, 1e19f, std::numeric_limits<float>::max()};
  EXPECT_EQ(RunLayer(Gather(1, 3, 1, 14), 1, {data, indices}, 14),
            (std::vector<float>{10, 12, 10, 12, 10, 12, 10, 12, 12, 10, 12, 12, 12, 12}));
  EXPECT_EQ(RunLayer(Gather(1, 0, 1, 2), 1, {{}, {0, 1}}, 2), (std::vector<float>{0, 0}));
}

}  // namespace
}  // namespace halfwave
