#include "server/rpc/health_watch.h"

#include <gtest/gtest.h>

namespace halfwave {
namespace {

constexpr uint64_t kWindow = 10;

// Each of the layers has two units; in a batch the first is active on all samples, the second on those given.
class States : public testing::Test {
 protected:
  explicit States(std::vector<ActivationFamily> families = {ActivationFamily::kRectifier})
      : families_(std::move(families)), monitor_(Layers(families_), kWindow) {}

  void Record(uint64_t samples, uint32_t second) {
    BatchActivity batch;
    batch.samples = samples;
    batch.layers.assign(families_.size(), {{static_cast<uint32_t>(samples), second}, 0, 0});
    monitor_.Record(batch);
  }
  std::vector<v1::HealthChange> Update() { return states_.Update(monitor_.Snapshot()); }

  ActivityMonitor& monitor() { return monitor_; }

 private:
  static std::vector<ActivationLayer> Layers(const std::vector<ActivationFamily>& families) {
    std::vector<ActivationLayer> layers;
    for (const ActivationFamily family : families) layers.push_back({"layer", "Op", family, 2, 2, false});
    return layers;
  }

  std::vector<ActivationFamily> families_;
  ActivityMonitor monitor_;
  UnitStates states_;
};

TEST_F(States, AreNotReportedBeforeTheWindowIsFull) {
  EXPECT_TRUE(Update().empty());
  Record(kWindow - 1, 0);
  EXPECT_TRUE(Update().empty());
  Record(1, 1);                    // not yet known to active
  EXPECT_EQ(Update().size(), 1u);  // the first unit, always on by now
}

TEST_F(States, AtTheStartAreMarkedAsSuch) {
  Record(kWindow, 0);
  const auto changes = Update();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_TRUE(changes[1].initial());
  EXPECT_EQ(changes[1].now(), v1::UnitHealth::SILENT);
  EXPECT_TRUE(Update().empty());
}

TEST_F(States, AreReportedOncePerChange) {
  Update();
  Record(kWindow, 0);
  ASSERT_EQ(Update().size(), 2u);
  EXPECT_TRUE(Update().empty());
  Record(5, 1);
  const auto changes = Update();
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_FALSE(changes[0].initial());
  EXPECT_EQ(changes[0].unit(), 1u);
  EXPECT_EQ(changes[0].before(), v1::UnitHealth::SILENT);
  EXPECT_EQ(changes[0].now(), v1::UnitHealth::ACTIVE);
  EXPECT_EQ(changes[0].samples_seen(), 15u);
}

class StatesOfSaturatingLayers : public States {
 protected:
  StatesOfSaturatingLayers() : States({ActivationFamily::kSaturating, ActivationFamily::kLeaky}) {}
};

TEST_F(StatesOfSaturatingLayers, AreReportedOnlyIfUnitsWentSilent) {
  Update();
  Record(kWindow, 0);
  for (const v1::HealthChange& change : Update()) EXPECT_EQ(change.family(), v1::LayerHealth::LEAKY);
  monitor().SetReference({1000, {{1000, 1000}, {1000, 1000}}});
  Record(kWindow, 0);
  const auto changes = Update();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].family(), v1::LayerHealth::SATURATING);
  EXPECT_EQ(changes[0].now(), v1::UnitHealth::WENT_SILENT);
}

TEST(IntervalOfAWatch, HasADefaultAndALeast) {
  v1::WatchHealthRequest request;
  EXPECT_EQ(*IntervalOf(request), absl::Seconds(1));
  request.set_interval_ms(100);
  EXPECT_EQ(*IntervalOf(request), absl::Milliseconds(100));
  request.set_interval_ms(99);
  EXPECT_TRUE(absl::IsInvalidArgument(IntervalOf(request).status()));
}

}  // namespace
}  // namespace halfwave
