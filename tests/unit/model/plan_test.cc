#include "model/engine/plan.h"

#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <random>

#include "tests/support/onnx_builder.h"
#include "tests/support/run_model.h"
#include "tests/unit/model/random_network.h"

namespace halfwave {
namespace {

void ExpectPlaced(const Plan& plan) {
  int64_t largest_end = 0;
  for (size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& a = plan.buffers[i];
    EXPECT_GE(a.offset, 0);
    EXPECT_EQ(a.offset % 16, 0) << "buffer " << i << " does not start on a cache line";
    largest_end = std::max(largest_end, a.offset + a.elements);
    for (size_t k = 0; k < i; ++k) {
      const Buffer& b = plan.buffers[k];
      const bool same_time = a.first_step <= b.last_step && b.first_step <= a.last_step;
      const bool same_place = a.offset < b.offset + b.elements && b.offset < a.offset + a.elements;
      EXPECT_FALSE(same_time && same_place) << "buffers " << k << " and " << i << " are alive at the same time";
    }
  }
  EXPECT_GE(plan.elements_per_row, largest_end);
  EXPECT_EQ(plan.elements_per_row % 16, 0);
}

TEST(PlaceBuffers, WhatLivesAtTheSameTimeNeverOverlaps) {
  std::cout << "seeds 1 to 300\n";
  for (uint32_t seed = 1; seed <= 300 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Plan plan;
    const int64_t steps = 1 + random() % 30;
    for (uint32_t i = 0; i < 1 + random() % 40; ++i) {
      const int64_t first = static_cast<int64_t>(random() % (steps + 1)) - 1;
      const int64_t last = std::min<int64_t>(steps, first + static_cast<int64_t>(random() % 6));
      plan.buffers.push_back({1 + static_cast<int64_t>(random() % 100), first, last, 0});
    }
    PlaceBuffers(plan);
    ExpectPlaced(plan);
  }
}

TEST(PlaceBuffers, ValuesOfDifferentTimesShareMemory) {
  Plan plan;
  for (int64_t step = 0; step < 10; ++step) plan.buffers.push_back({64, step, step + 1, 0});
  PlaceBuffers(plan);
  ExpectPlaced(plan);
  EXPECT_EQ(plan.elements_per_row, 128) << "a chain needs two buffers, however long it is";
}

// Walks through the steps and keeps book of whose value each float holds.
void ExpectEveryReadFindsItsValue(const Plan& plan) {
  std::vector<int64_t> owner(plan.elements_per_row, -1);
  const auto take = [&](size_t buffer) {
    const Buffer& b = plan.buffers[buffer];
    std::fill_n(owner.begin() + b.offset, b.elements, static_cast<int64_t>(buffer));
  };
  const auto intact = [&](size_t buffer) {
    const Buffer& b = plan.buffers[buffer];
    return std::all_of(owner.begin() + b.offset, owner.begin() + b.offset + b.elements,
                       [&](int64_t whose) { return whose == static_cast<int64_t>(buffer); });
  };
  for (const size_t input : plan.inputs) take(input);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    for (const size_t input : step.inputs) EXPECT_TRUE(intact(input)) << "step " << i << " reads buffer " << input;
    take(step.output);
    for (const size_t input : step.inputs) {
      EXPECT_TRUE(input == step.output || intact(input)) << "step " << i << " writes over buffer " << input;
    }
  }
  for (const size_t output : plan.outputs) EXPECT_TRUE(intact(output)) << "output in buffer " << output;
}

TEST(Plan, NoStepOfARandomNetworkReadsMemoryThatWasGivenAway) {
  std::cout << "seeds 1 to 200\n";
  for (uint32_t seed = 1; seed <= 200 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto model = LoadModel(RandomNetwork(seed).Bytes());
    ASSERT_TRUE(model.ok()) << model.status();
    ExpectPlaced((*model)->plan());
    ExpectEveryReadFindsItsValue((*model)->plan());
  }
}

}  // namespace
}  // namespace halfwave
