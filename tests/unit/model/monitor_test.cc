#include "model/activity/monitor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <iostream>
#include <random>
#include <thread>

#include "model/activity/health.h"
#include "model/engine/session.h"
#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"

namespace halfwave {
namespace {

ActivationLayer DenseLayer(int64_t units) {
  return {"relu", "Relu", ActivationFamily::kRectifier, units, units, false};
}

// A batch in which unit i was active on active[i] samples.
BatchActivity Batch(uint64_t samples, const std::vector<uint32_t>& active, uint64_t zeros = 0) {
  return {samples, 0, {{active, zeros, 0}}};
}

TEST(ActivityMonitor, KnowsNothingBeforeItsFirstSample) {
  const ActivityMonitor monitor({DenseLayer(2)}, 100);
  const ActivitySnapshot snapshot = monitor.Snapshot();
  EXPECT_EQ(snapshot.window_size, 100u);
  EXPECT_EQ(snapshot.window_samples, 0u);
  EXPECT_FALSE(snapshot.window_full);
  const LayerHealth health = Summarize(snapshot)[0];
  EXPECT_EQ(health.always_on_units, 0u);
  EXPECT_EQ(health.sparsity, 0);
  EXPECT_EQ(health.activity, 0);
  EXPECT_EQ(SilentActivityBound(snapshot), 1);
}

TEST(ActivityMonitor, IsNotFullBeforeWSamples) {
  ActivityMonitor monitor({DenseLayer(1)}, 100);
  for (int i = 0; i < 99; ++i) monitor.Record(Batch(1, {0}));
  EXPECT_FALSE(monitor.Snapshot().window_full);
  monitor.Record(Batch(1, {0}));
  EXPECT_TRUE(monitor.Snapshot().window_full);
}

// After every batch: full from W samples on and never again not, and no longer than promised.
void ExpectWindowLength(uint64_t window, const std::function<uint64_t()>& next_batch) {
  ActivityMonitor monitor({DenseLayer(1)}, window);
  uint64_t samples = 0, largest = 0;
  for (int i = 0; i < 500; ++i) {
    const uint64_t batch = next_batch();
    largest = std::max(largest, batch);
    monitor.Record(Batch(batch, {0}));
    samples += batch;
    const ActivitySnapshot snapshot = monitor.Snapshot();
    ASSERT_EQ(snapshot.samples, samples);
    ASSERT_EQ(snapshot.window_full, snapshot.window_samples >= window);
    ASSERT_EQ(snapshot.window_full, samples >= window) << "after " << samples << " samples, W = " << window;
    ASSERT_LE(static_cast<double>(snapshot.window_samples),
              1.1 * static_cast<double>(window) + static_cast<double>(largest))
        << "after " << samples << " samples, W = " << window << ", batches of up to " << largest;
  }
}

TEST(ActivityMonitor, TheWindowHoldsFromWToElevenTenthsOfW) {
  for (const uint64_t batch : {1, 5, 10}) ExpectWindowLength(100, [=] { return batch; });
  ExpectWindowLength(10000, [] { return 1000; });
}

TEST(ActivityMonitor, TheWindowKeepsItsLengthWhenBatchesDoNotDivideIt) {
  for (const uint64_t batch : {3, 7, 51, 99}) ExpectWindowLength(1000, [=] { return batch; });
}

TEST(ActivityMonitor, TheWindowKeepsItsLengthUnderMixedBatches) {
  std::cout << "seed 5\n";
  std::mt19937 random(5);
  ExpectWindowLength(1000, [&] { return 1 + random() % 99; });
}

TEST(ActivityMonitor, TheWindowKeepsItsLengthWhenTenDoesNotDivideIt) {
  for (const uint64_t window : {1, 2, 9, 11, 15, 101}) ExpectWindowLength(window, [] { return 1; });
}

TEST(ActivityMonitor, AUnitSilentForAFullWindowIsSilentAndWakesUpAgain) {
  ActivityMonitor monitor({DenseLayer(2)}, 100);
  monitor.Record(Batch(1, {1, 1}));
  for (int i = 0; i < 11; ++i) monitor.Record(Batch(10, {0, 10}));
  ActivitySnapshot snapshot = monitor.Snapshot();
  EXPECT_TRUE(snapshot.window_full);
  EXPECT_EQ(Summarize(snapshot)[0].silent_units, 1u);
  EXPECT_EQ(snapshot.layers[0].samples_since_active[0], 110u);
  EXPECT_EQ(snapshot.layers[0].samples_since_active[1], 0u);
  monitor.Record(Batch(10, {1, 10}));
  snapshot = monitor.Snapshot();
  EXPECT_EQ(Summarize(snapshot)[0].silent_units, 0u);
  EXPECT_EQ(snapshot.layers[0].samples_since_active[0], 0u);
  EXPECT_EQ(snapshot.layers[0].unit_woke_up, (std::vector<uint32_t>{1, 0}));
  EXPECT_EQ(snapshot.layers[0].woke_up, 1u);
}

TEST(ActivityMonitor, AUnitThatWasNeverActiveHasBeenSilentSinceTheStart) {
  ActivityMonitor monitor({DenseLayer(1)}, 10);
  for (int i = 0; i < 50; ++i) monitor.Record(Batch(1, {0}));
  EXPECT_EQ(monitor.Snapshot().layers[0].samples_since_active[0], 50u);
}

TEST(Summarize, AlwaysOnMeansEverySampleOfTheWindow) {
  ActivityMonitor monitor({DenseLayer(3)}, 100);
  for (int i = 0; i < 20; ++i) monitor.Record(Batch(10, {10, 10, i == 19 ? 9u : 10u}));
  EXPECT_EQ(Summarize(monitor.Snapshot())[0].always_on_units, 2u);
}

TEST(Summarize, FeatureMapsAreNeverAlwaysOn) {
  ActivationLayer maps = DenseLayer(2);
  maps.feature_maps = true;
  ActivityMonitor monitor({maps}, 10);
  for (int i = 0; i < 20; ++i) monitor.Record(Batch(1, {1, 1}));
  EXPECT_EQ(Summarize(monitor.Snapshot())[0].always_on_units, 0u);
}

TEST(Summarize, SharesAreOfOutputsAndOfUnitSamplePairs) {
  ActivationLayer layer = DenseLayer(2);
  layer.elements = 8;  // two maps of four positions
  ActivityMonitor monitor({layer}, 100);
  monitor.Record({10, 3, {{{5, 10}, 20, 40}}});
  const LayerHealth health = Summarize(monitor.Snapshot())[0];
  EXPECT_DOUBLE_EQ(health.activity, 15.0 / 20);
  EXPECT_DOUBLE_EQ(health.sparsity, 20.0 / 80);
  EXPECT_DOUBLE_EQ(health.saturated, 40.0 / 80);
}

TEST(ActivityMonitor, SamplesThatWereNotCountedAreKeptApart) {
  ActivityMonitor monitor({DenseLayer(1)}, 10);
  monitor.Record({2, 3, {{{1}, 1, 0}}});
  monitor.Record({0, 4, {{{0}, 0, 0}}});
  const ActivitySnapshot snapshot = monitor.Snapshot();
  EXPECT_EQ(snapshot.samples, 2u);
  EXPECT_EQ(snapshot.samples_not_counted, 7u);
  EXPECT_EQ(snapshot.window_samples, 2u);
}

TEST(SilentActivityBound, IsTheUnionBoundOverAllUnits) {
  ActivityMonitor monitor({DenseLayer(60), DenseLayer(40)}, 1000);
  monitor.Record({1000, 0, {{std::vector<uint32_t>(60, 0), 0, 0}, {std::vector<uint32_t>(40, 0), 0, 0}}});
  EXPECT_NEAR(SilentActivityBound(monitor.Snapshot()), std::log(100 / 0.05) / 1000, 1e-12);
  ActivityMonitor few({DenseLayer(100)}, 1000);
  few.Record(Batch(2, std::vector<uint32_t>(100, 0)));
  EXPECT_EQ(SilentActivityBound(few.Snapshot()), 1) << "a share is never above one";
}

TEST(ActivityMonitor, LifetimeCountersOnlyGrow) {
  ActivityMonitor monitor({DenseLayer(1)}, 10);
  uint64_t active = 0, zeros = 0;
  for (uint32_t i = 0; i < 100; ++i) {
    monitor.Record(Batch(3, {i % 4}, 3 - i % 4 % 3));
    const LayerSnapshot layer = monitor.Snapshot().layers[0];
    active += i % 4;
    zeros += 3 - i % 4 % 3;
    EXPECT_EQ(layer.total_active, active);
    EXPECT_EQ(layer.total_zeros, zeros);
  }
}

TEST(ActivityMonitor, SessionsRecordWhileOthersLook) {
  OnnxBuilder network;
  network.Input("x", {-1, 8})
      .Weight("w", {8, 16}, Noise(128, 1))
      .Node("Gemm", {"x", "w"}, {"g"})
      .Node("Relu", {"g"}, {"y"});
  network.Output("y");
  const auto model = LoadModel(network.Bytes());
  ASSERT_TRUE(model.ok());
  ActivityMonitor monitor((*model)->activations(), 200);
  constexpr int kThreads = 3, kBatches = 200, kRows = 5;
  std::atomic<int> running = kThreads;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Session session(*model, kRows);
      for (int i = 0; i < kBatches; ++i) {
        const auto x = Noise(8 * kRows, t * kBatches + i);
        std::copy(x.begin(), x.end(), session.input(0).begin());
        session.Run(kRows);
        monitor.Record(session.activity());
      }
      --running;
    });
  }
  uint64_t before = 0;
  do {
    const ActivitySnapshot snapshot = monitor.Snapshot();
    EXPECT_GE(snapshot.samples, before);
    for (const uint64_t active : snapshot.layers[0].window_active) EXPECT_LE(active, snapshot.window_samples);
    before = snapshot.samples;
  } while (running > 0);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(monitor.Snapshot().samples, static_cast<uint64_t>(kThreads * kBatches * kRows));
}

}  // namespace
}  // namespace halfwave
