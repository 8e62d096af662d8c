#include "model/activity/reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <numeric>
#include <random>

#include "model/activity/health.h"

namespace halfwave {
namespace {

TEST(BinomialUpperTail, IsTheSumOfTheTermsFromThereOn) {
  EXPECT_EQ(BinomialUpperTail(10, 0, 0.3), 1);
  EXPECT_EQ(BinomialUpperTail(10, 11, 0.3), 0);
  EXPECT_NEAR(BinomialUpperTail(1, 1, 0.3), 0.3, 1e-15);
  EXPECT_NEAR(BinomialUpperTail(3, 2, 0.5), 0.5, 1e-15);
  EXPECT_NEAR(BinomialUpperTail(10, 3, 0.1), 0.0701908264, 1e-10);
  EXPECT_NEAR(BinomialUpperTail(1000, 1, 1e-3), 1 - std::pow(0.999, 1000), 1e-12);
  // Far out, where only the first terms matter: p^n, and n p^(n-1) (1-p) more.
  EXPECT_NEAR(BinomialUpperTail(20, 20, 0.1) / 1e-20, 1, 1e-10);
  EXPECT_NEAR(BinomialUpperTail(20, 19, 0.1) / (1e-20 + 20 * 1e-19 * 0.9), 1, 1e-10);
}

Reference Of(uint64_t samples, const std::vector<uint64_t>& active) { return {samples, {active}}; }

// The bound has a closed form where a unit was active on every sample, and where it was on one.
TEST(WatchedUnits, FollowTheClopperPearsonBound) {
  for (const uint64_t window : {100, 1000, 10000}) {
    for (const uint64_t units : {1, 50, 100000}) {
      const double alpha = 1e-4 / static_cast<double>(units), silence = 1e-6 / static_cast<double>(units);
      for (uint64_t samples = 1; samples < 20000; samples = samples * 3 / 2 + 1) {
        std::vector<uint64_t> active(units, 0);
        active[0] = samples;
        const double r_all = std::pow(alpha, 1.0 / static_cast<double>(samples));
        const bool watched = std::pow(1 - r_all, window) <= silence;
        EXPECT_EQ(WatchedUnits(Of(samples, active), window)[0][0] != 0, watched)
            << samples << " samples, " << units << " units, window " << window;
      }
    }
  }
  // Active on one of a million: r = 1 - (1 - alpha)^(1/m), which no such window can tell from never.
  EXPECT_EQ(WatchedUnits(Of(1000000, {1}), 10000)[0][0], 0);
  EXPECT_EQ(WatchedUnits(Of(1000000, {0}), uint64_t{1} << 40)[0][0], 0) << "never active: nothing to go silent";
}

TEST(WatchedUnits, MoreActivityIsNeverLessWatched) {
  std::vector<uint64_t> active(2001);
  std::iota(active.begin(), active.end(), 0);
  const std::vector<uint8_t> watched = WatchedUnits(Of(2000, active), 1000)[0];
  EXPECT_TRUE(std::is_sorted(watched.begin(), watched.end()));
  EXPECT_EQ(watched.front(), 0);
  EXPECT_EQ(watched.back(), 1);
}

TEST(ShareDifference, IsItsFormulaForSharesNearAndFar) {
  for (const double a : {1e-6, 0.003, 0.2, 0.5, 0.9, 0.999999}) {
    for (const double factor : {1.0, 1 + 1e-5, 1.1, 1.2, 1.3, 2.9, 3.1, 100.0}) {
      const double b = a / factor, mean = (a + b) / 2;
      const ShareDifference got = DifferenceOf(a, b), turned = DifferenceOf(b, a);
      const double psi = (a - b) * std::log(a / b);
      const double js = (a * std::log2(a / mean) + b * std::log2(b / mean)) / 2;
      EXPECT_NEAR(got.psi, psi, 1e-7 * psi + 1e-18) << a << " " << b;
      EXPECT_NEAR(got.js, js, 1e-7 * js + 5e-16 * a) << a << " " << b;
      EXPECT_EQ(got.psi, turned.psi);
      EXPECT_EQ(got.js, turned.js);
    }
  }
}

TEST(ActivityDrift, IsAboutItsNoiseIfNothingChangedAndFarAboveItIfSomethingDid) {
  std::cout << "seed 3\n";
  std::mt19937 random(3);
  constexpr uint64_t kSamples = 10000, kReference = 5000;
  std::vector<uint64_t> same, moved, reference;
  for (int unit = 0; unit < 200; ++unit) {
    const double rate = std::uniform_real_distribution<double>(0.1, 0.9)(random);
    const auto draw = [&](uint64_t n, double p) { return std::binomial_distribution<uint64_t>(n, p)(random); };
    reference.push_back(draw(kReference, rate));
    same.push_back(draw(kSamples, rate));
    moved.push_back(draw(kSamples, rate > 0.5 ? rate - 0.1 : rate + 0.1));
  }
  const Drift none = ActivityDrift(same, kSamples, reference, kReference);
  EXPECT_DOUBLE_EQ(none.psi_noise, 1.0 / kSamples + 1.0 / kReference);
  EXPECT_NEAR(none.psi / none.psi_noise, 1, 0.3);
  EXPECT_LT(none.js, none.psi);
  const Drift some = ActivityDrift(moved, kSamples, reference, kReference);
  EXPECT_GT(some.psi, 50 * some.psi_noise);
  EXPECT_GT(some.js, 50 * none.js);
  // From never to always, with 10,000 samples of each, hardly leaves anything in common.
  EXPECT_NEAR(ActivityDrift({kSamples}, kSamples, {0}, kSamples).js, 1, 0.01);
}

TEST(ActivityDrift, IsTheMeanOfItsFormulaOverUnitsNearAndFar) {
  std::cout << "seed 4\n";
  std::mt19937 random(4);
  constexpr uint64_t kSamples = 10007, kReference = 3001;
  for (const double spread : {0.0, 0.01, 0.3, 1.0}) {  // how far the shares are from each other, at most
    for (const size_t units : {1, 63, 64, 65, 200}) {
      std::vector<uint64_t> active, reference;
      double psi = 0, js = 0;
      for (size_t unit = 0; unit < units; ++unit) {
        const double p = std::uniform_real_distribution<double>(0, 1)(random);
        const double q = std::clamp(p + std::uniform_real_distribution<double>(-spread, spread)(random), 0.0, 1.0);
        active.push_back(static_cast<uint64_t>(p * kSamples));
        reference.push_back(static_cast<uint64_t>(q * kReference));
        const double on[] = {(static_cast<double>(active.back()) + 0.5) / (kSamples + 1),
                             (static_cast<double>(reference.back()) + 0.5) / (kReference + 1)};
        for (const auto& [a, b] : {std::pair{on[0], on[1]}, std::pair{1 - on[0], 1 - on[1]}}) {
          psi += (a - b) * std::log(a / b) / static_cast<double>(units);
          js += (a * std::log2(2 * a / (a + b)) + b * std::log2(2 * b / (a + b))) / 2 / static_cast<double>(units);
        }
      }
      const Drift drift = ActivityDrift(active, kSamples, reference, kReference);
      EXPECT_NEAR(drift.psi, psi, 1e-7 * psi + 1e-14) << units << " units, " << spread;
      EXPECT_NEAR(drift.js, js, 1e-7 * js + 1e-14) << units << " units, " << spread;
    }
  }
}

ActivityMonitor MonitorOf(int64_t units, uint64_t window) {
  return ActivityMonitor({{"relu", "Relu", ActivationFamily::kRectifier, units, units, false}}, window);
}

TEST(WentSilent, FiresWithinAWindowAfterAUnitFreezesAndNotBefore) {
  ActivityMonitor monitor = MonitorOf(3, 1000);
  monitor.SetReference(Of(5000, {2500, 2500, 1}));
  const auto record = [&](uint32_t first) {
    monitor.Record({10, 0, {{{first, 5, 0}, 0, 0}}});
    return Summarize(monitor.Snapshot())[0].went_silent_units;
  };
  for (int i = 0; i < 300; ++i) ASSERT_EQ(record(5), 0u);
  for (int i = 1; i < 100; ++i) ASSERT_EQ(record(0), 0u) << i * 10 << " samples of silence are less than the window";
  EXPECT_EQ(record(0), 1u) << "the third unit never fires, but that says nothing: it is not watched";
  const ActivitySnapshot silent = monitor.Snapshot();
  EXPECT_EQ(StateOf(silent, 0, 0), UnitState::kWentSilent);
  EXPECT_EQ(StateOf(silent, 0, 1), UnitState::kActive);
  EXPECT_EQ(StateOf(silent, 0, 2), UnitState::kSilent);
  EXPECT_EQ(Summarize(silent)[0].not_watched_units, 1u);
  EXPECT_EQ(Summarize(silent)[0].woke_up, 0u);
  EXPECT_EQ(record(1), 0u);
  EXPECT_EQ(Summarize(monitor.Snapshot())[0].woke_up, 1u);
}

TEST(WentSilent, CanTakeTheFirstSamplesAsReference) {
  ActivityMonitor monitor = MonitorOf(2, 1000);
  monitor.TakeReferenceFromFirst(2000);
  for (int i = 0; i < 199; ++i) monitor.Record({10, 0, {{{5, 0}, 0, 0}}});
  EXPECT_EQ(monitor.Snapshot().reference, nullptr);
  monitor.Record({10, 0, {{{5, 0}, 0, 0}}});
  ASSERT_NE(monitor.Snapshot().reference, nullptr);
  EXPECT_EQ(monitor.Snapshot().reference->counts.samples, 2000u);
  EXPECT_EQ(Summarize(monitor.Snapshot())[0].not_watched_units, 1u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(Summarize(monitor.Snapshot())[0].went_silent_units, 0u) << "of what comes after them, less than a window";
    monitor.Record({10, 0, {{{0, 0}, 0, 0}}});
  }
  EXPECT_EQ(Summarize(monitor.Snapshot())[0].went_silent_units, 1u);
}

TEST(WokeUp, IsSeenAfterAFullWindowOfSilenceOnly) {
  ActivityMonitor monitor = MonitorOf(1, 100);
  const auto record = [&](uint64_t samples, uint32_t active) { monitor.Record({samples, 0, {{{active}, 0, 0}}}); };
  record(1, 1);
  record(99, 0);
  record(1, 1);
  EXPECT_EQ(monitor.Snapshot().layers[0].woke_up, 0u);
  record(100, 0);
  record(1, 1);
  EXPECT_EQ(monitor.Snapshot().layers[0].woke_up, 1u);
}

// A hundred streams of exchangeable rows, each with a profile drawn apart from it, of units of every activity.
TEST(WentSilent, NeverFiresOnHealthyStreams) {
  std::cout << "seeds 0 to 99\n";
  constexpr uint64_t kRows = 100000, kBatch = 500;
  uint64_t watched = 0;
  for (int stream = 0; stream < 100; ++stream) {
    std::mt19937 random(stream);
    const int64_t units = stream % 20 == 0 ? 4096 : stream % 4 == 0 ? 500 : 20;
    const uint64_t profile_rows = stream % 2 == 0 ? 300 : 10000, window = stream % 3 == 0 ? 1000 : 10000;
    std::vector<double> rates;
    std::vector<uint64_t> reference;
    for (int64_t unit = 0; unit < units; ++unit) {  // from one in a hundred thousand to always
      rates.push_back(std::pow(10, std::uniform_real_distribution<double>(-5, 0)(random)));
      reference.push_back(std::binomial_distribution<uint64_t>(profile_rows, rates.back())(random));
    }
    ActivityMonitor monitor = MonitorOf(units, window);
    monitor.SetReference(Of(profile_rows, reference));
    BatchActivity batch{kBatch, 0, {{std::vector<uint32_t>(units), 0, 0}}};
    for (uint64_t row = 0; row < kRows; row += kBatch) {
      for (int64_t unit = 0; unit < units; ++unit) {
        batch.layers[0].active[unit] = std::binomial_distribution<uint32_t>(kBatch, rates[unit])(random);
      }
      monitor.Record(batch);
      ASSERT_EQ(Summarize(monitor.Snapshot())[0].went_silent_units, 0u) << "stream " << stream << ", row " << row;
    }
    watched += units - Summarize(monitor.Snapshot())[0].not_watched_units;
  }
  EXPECT_GT(watched, 4000u) << "else the test would say nothing";
}

}  // namespace
}  // namespace halfwave
