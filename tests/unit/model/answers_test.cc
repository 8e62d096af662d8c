#include "model/activity/answers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace halfwave {
namespace {

AnswerCounts Counts(const std::vector<uint64_t>& predicted) {
  AnswerCounts counts(static_cast<int64_t>(predicted.size()), /*probabilities=*/false);
  counts.predicted = predicted;
  for (const uint64_t count : predicted) counts.samples += count;
  return counts;
}

TEST(AnswerCounts, CountClassesAndHowSureTheyAre) {
  AnswerCounts counts(3, /*probabilities=*/true);
  counts.Add(std::vector<float>{0.2f, 0.5f, 0.3f});
  counts.Add(std::vector<float>{1, 0, 0});
  counts.Add(std::vector<float>{0.01f, 0.98f, 0.01f});
  EXPECT_EQ(counts.samples, 3u);
  EXPECT_EQ(counts.predicted, (std::vector<uint64_t>{1, 2, 0}));
  EXPECT_EQ(counts.confidence[10], 1u);
  EXPECT_EQ(counts.confidence[19], 2u) << "1 belongs to the last bin";
}

TEST(AnswerMonitor, SpeaksOfTheLastSamplesOnly) {
  AnswerMonitor monitor(AnswerCounts(2, false), 100);
  for (int i = 0; i < 50; ++i) monitor.Record(Counts({10, 0}));
  for (int i = 0; i < 11; ++i) monitor.Record(Counts({0, 10}));
  const AnswerSnapshot snapshot = monitor.Snapshot();
  EXPECT_EQ(snapshot.window.predicted[0], 0u);
  EXPECT_GE(snapshot.window.samples, 100u);
  EXPECT_LE(snapshot.window.samples, 110u);
  EXPECT_EQ(snapshot.reference, nullptr);
}

TEST(AnswerMonitor, CanTakeItsReferenceFromTheFirstSamples) {
  AnswerMonitor monitor(AnswerCounts(2, false), 100);
  monitor.TakeReferenceFromFirst(25);
  for (int i = 0; i < 20; ++i) monitor.Record(Counts({i < 3 ? 7u : 0u, i < 3 ? 3u : 10u}));
  ASSERT_NE(monitor.Snapshot().reference, nullptr);
  EXPECT_EQ(monitor.Snapshot().reference->predicted, (std::vector<uint64_t>{21, 9}));
}

TEST(ShareDrift, IsSmallForSamplesOfTheSameSharesAndLargeForOthers) {
  std::mt19937 random(7);
  std::discrete_distribution<int> shares({5, 1, 1, 2, 1});
  std::discrete_distribution<int> others({1, 5, 1, 2, 1});
  const auto draw = [&](std::discrete_distribution<int>& distribution, int samples) {
    std::vector<uint64_t> counts(5, 0);
    for (int i = 0; i < samples; ++i) ++counts[distribution(random)];
    return counts;
  };
  double sum = 0, noise = 0;
  constexpr int kTrials = 200;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Drift same = ShareDrift(draw(shares, 2000), draw(shares, 500));
    sum += same.psi;
    noise += same.psi_noise;
    const Drift changed = ShareDrift(draw(others, 2000), draw(shares, 500));
    EXPECT_GT(changed.psi, 20 * changed.psi_noise);
    EXPECT_GT(changed.js, 0.05);
    EXPECT_LT(changed.js, 1);
  }
  EXPECT_NEAR(sum / noise, 1, 0.15) << "what is expected without a change is what comes without one";
}

TEST(ShareDrift, SaysNothingWhereThereIsNothingToCompare) {
  EXPECT_EQ(ShareDrift({0, 0}, {5, 5}).psi, 0);
  EXPECT_EQ(ShareDrift({5}, {5}).psi_noise, 0);
  EXPECT_EQ(ShareDrift({5, 5}, {5, 5, 5}).psi_noise, 0);
  EXPECT_TRUE(std::isfinite(ShareDrift({10, 0}, {0, 10}).psi));
}

}  // namespace
}  // namespace halfwave
