#include "server/batching/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <map>
#include <optional>

#include "model/base/mutex.h"

namespace halfwave {
namespace {

// What became of each task, by its number.
class Outcomes {
 public:
  void Add(int task, const std::string& outcome) {
    const MutexLock lock(mutex_);
    outcomes_[task].push_back(outcome);
  }
  std::vector<std::string> Of(int task) {
    const MutexLock lock(mutex_);
    return outcomes_[task];
  }
  size_t size() {
    const MutexLock lock(mutex_);
    return outcomes_.size();
  }
  // Every task that was ever heard of was answered once.
  bool EachOnce() {
    const MutexLock lock(mutex_);
    return std::all_of(outcomes_.begin(), outcomes_.end(), [](const auto& entry) { return entry.second.size() == 1; });
  }

 private:
  Mutex mutex_;
  std::map<int, std::vector<std::string>> outcomes_;
};

struct TestTask : Task {
  TestTask(int number, Outcomes& outcomes, int64_t row_count = 1)
      : number(number), outcomes(outcomes), row_count(row_count) {}
  int64_t rows() const override { return row_count; }
  size_t bytes() const override { return 100 * static_cast<size_t>(row_count); }
  absl::Time deadline() const override { return due; }
  bool cancelled() const override { return is_cancelled; }
  void Fail(const absl::Status& status) override { outcomes.Add(number, absl::StatusCodeToString(status.code())); }

  int number;
  Outcomes& outcomes;
  int64_t row_count;
  absl::Time due = absl::InfiniteFuture();
  std::atomic<bool> is_cancelled{false};
};

// An executor that says of each task how many rows its batch had, and can be made to wait.
class Recorder {
 public:
  Scheduler::Executor Executor() {
    return [this](size_t, std::span<const std::unique_ptr<Task>> batch) {
      if (!entered_.try_wait()) entered_.count_down();
      if (gate_) gate_->wait();
      int64_t rows = 0;
      for (const auto& task : batch) rows += task->rows();
      for (const auto& task : batch) {
        auto& test_task = static_cast<TestTask&>(*task);
        test_task.outcomes.Add(test_task.number, "ran with " + std::to_string(rows));
      }
    };
  }
  void Close() { gate_.emplace(1); }
  void Open() { gate_->count_down(); }
  void WaitUntilEntered() { entered_.wait(); }

 private:
  std::latch entered_{1};
  std::optional<std::latch> gate_;
};

void MustSchedule(Scheduler& scheduler, std::unique_ptr<Task> task) { ASSERT_TRUE(scheduler.Schedule(task).ok()); }

TEST(Scheduler, TasksThatWaitTogetherRunAsOneBatch) {
  Outcomes outcomes;
  Recorder recorder;
  Scheduler scheduler({.slots = 1}, recorder.Executor());
  for (int i = 0; i < 5; ++i) MustSchedule(scheduler, std::make_unique<TestTask>(i, outcomes));
  scheduler.Flush();
  scheduler.Drain();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(outcomes.Of(i), std::vector<std::string>{"ran with 5"});
}

TEST(Scheduler, TasksGatherWhileTheOnlySlotIsBusy) {
  Outcomes outcomes;
  Recorder recorder;
  recorder.Close();
  Scheduler scheduler({.slots = 1}, recorder.Executor());
  MustSchedule(scheduler, std::make_unique<TestTask>(0, outcomes));
  scheduler.Flush();
  recorder.WaitUntilEntered();
  for (int i = 1; i <= 3; ++i) {
    MustSchedule(scheduler, std::make_unique<TestTask>(i, outcomes));
    scheduler.Flush();
  }
  EXPECT_EQ(scheduler.depth(), 3u);
  recorder.Open();
  scheduler.Drain();
  EXPECT_EQ(outcomes.Of(0), std::vector<std::string>{"ran with 1"});
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(outcomes.Of(i), std::vector<std::string>{"ran with 3"});
}

TEST(Scheduler, ABatchNeverExceedsItsRows) {
  Outcomes outcomes;
  Recorder recorder;
  Scheduler scheduler({.slots = 1, .max_batch_rows = 4}, recorder.Executor());
  MustSchedule(scheduler, std::make_unique<TestTask>(0, outcomes, 3));
  MustSchedule(scheduler, std::make_unique<TestTask>(1, outcomes, 2));
  MustSchedule(scheduler, std::make_unique<TestTask>(2, outcomes, 2));
  scheduler.Flush();
  scheduler.Drain();
  EXPECT_EQ(outcomes.Of(0), std::vector<std::string>{"ran with 3"});
  EXPECT_EQ(outcomes.Of(1), std::vector<std::string>{"ran with 4"});
  EXPECT_EQ(outcomes.Of(2), std::vector<std::string>{"ran with 4"});
}

TEST(Scheduler, AFullQueueRefusesAtOnceAndLeavesTheTaskWithTheCaller) {
  Outcomes outcomes;
  Recorder recorder;
  recorder.Close();
  Scheduler scheduler({.slots = 1, .max_batch_rows = 2, .max_queue_rows = 2}, recorder.Executor());
  MustSchedule(scheduler, std::make_unique<TestTask>(0, outcomes));
  MustSchedule(scheduler, std::make_unique<TestTask>(1, outcomes));
  std::unique_ptr<Task> task = std::make_unique<TestTask>(2, outcomes);
  const absl::Status status = scheduler.Schedule(task);
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(status.message(), testing::HasSubstr("Exceeds maximum queue size"));
  EXPECT_NE(task, nullptr);
  EXPECT_TRUE(outcomes.Of(2).empty());
  recorder.Open();
  scheduler.Flush();
}

TEST(Scheduler, BytesBoundTheQueueToo) {
  Outcomes outcomes;
  Recorder recorder;
  Scheduler scheduler({.slots = 1, .max_queue_bytes = 150}, recorder.Executor());
  MustSchedule(scheduler, std::make_unique<TestTask>(0, outcomes));
  std::unique_ptr<Task> task = std::make_unique<TestTask>(1, outcomes);
  EXPECT_TRUE(absl::IsUnavailable(scheduler.Schedule(task)));
}

TEST(Scheduler, ExpiredAndCancelledTasksAreFailedAndNotRun) {
  Outcomes outcomes;
  Recorder recorder;
  absl::Time now = absl::FromUnixSeconds(1000);
  SchedulerOptions options{.slots = 1};
  options.now = [&] { return now; };
  Scheduler scheduler(options, recorder.Executor());
  auto expired = std::make_unique<TestTask>(0, outcomes);
  expired->due = now + absl::Seconds(1);
  auto cancelled = std::make_unique<TestTask>(1, outcomes);
  cancelled->is_cancelled = true;
  MustSchedule(scheduler, std::move(expired));
  MustSchedule(scheduler, std::move(cancelled));
  MustSchedule(scheduler, std::make_unique<TestTask>(2, outcomes));
  now += absl::Seconds(2);
  scheduler.Flush();
  scheduler.Drain();
  EXPECT_EQ(outcomes.Of(0), std::vector<std::string>{"DEADLINE_EXCEEDED"});
  EXPECT_EQ(outcomes.Of(1), std::vector<std::string>{"CANCELLED"});
  EXPECT_EQ(outcomes.Of(2), std::vector<std::string>{"ran with 1"});
}

TEST(Scheduler, DrainAnswersWhatWasAcceptedEvenIfNobodyFlushed) {
  Outcomes outcomes;
  Recorder recorder;
  Scheduler scheduler({.slots = 2, .max_batch_rows = 3}, recorder.Executor());
  for (int i = 0; i < 20; ++i) MustSchedule(scheduler, std::make_unique<TestTask>(i, outcomes));
  scheduler.Drain();
  EXPECT_EQ(outcomes.size(), 20u);
  EXPECT_TRUE(outcomes.EachOnce());
  std::unique_ptr<Task> late = std::make_unique<TestTask>(99, outcomes);
  EXPECT_TRUE(absl::IsUnavailable(scheduler.Schedule(late)));
}

TEST(Scheduler, WhatStillWaitsAtTheDrainsDeadlineIsFailedNotLost) {
  Outcomes outcomes;
  Recorder recorder;
  recorder.Close();
  Scheduler scheduler({.slots = 1}, recorder.Executor());
  MustSchedule(scheduler, std::make_unique<TestTask>(0, outcomes));
  scheduler.Flush();
  recorder.WaitUntilEntered();
  MustSchedule(scheduler, std::make_unique<TestTask>(1, outcomes));
  std::thread drain([&] { scheduler.Drain(absl::InfinitePast()); });
  while (outcomes.Of(1).empty()) std::this_thread::yield();
  recorder.Open();
  drain.join();
  EXPECT_EQ(outcomes.Of(0), std::vector<std::string>{"ran with 1"});
  EXPECT_EQ(outcomes.Of(1), std::vector<std::string>{"UNAVAILABLE"});
}

// Runs tasks one after the other, each taking `cost`, and returns how many of them the flushing thread ran itself.
int CountInline(absl::Duration cost) {
  std::atomic<int64_t> microseconds{0};
  SchedulerOptions options{.slots = 1};
  options.now = [&] { return absl::FromUnixMicros(microseconds.load()); };
  Outcomes outcomes;
  std::atomic<int> finished{0};
  int on_caller = 0;
  const auto caller = std::this_thread::get_id();
  Scheduler scheduler(options, [&](size_t, std::span<const std::unique_ptr<Task>>) {
    if (std::this_thread::get_id() == caller) ++on_caller;
    microseconds += absl::ToInt64Microseconds(cost);
    ++finished;
  });
  for (int i = 0; i < 10; ++i) {
    MustSchedule(scheduler, std::make_unique<TestTask>(i, outcomes));
    scheduler.Flush();
    scheduler.WaitUntilIdle();
  }
  EXPECT_EQ(finished, 10);
  return on_caller;
}

TEST(Scheduler, OnlyShortBatchesRunOnTheFlushingThreadAndOnlyOnceTheirDurationIsKnown) {
  EXPECT_EQ(CountInline(absl::Microseconds(10)), 9);
  EXPECT_EQ(CountInline(absl::Milliseconds(20)), 0);
}

TEST(Scheduler, SchedulersThatSharePermitsRunNoMoreBatchesAtATimeThanThereAre) {
  constexpr int kSchedulers = 3;
  constexpr int kTasks = 300;
  constexpr int kPermits = 2;
  const auto permits = std::make_shared<Permits>(kPermits);
  Outcomes outcomes;
  std::atomic<int> running = 0, most = 0;
  {
    std::vector<std::unique_ptr<Scheduler>> schedulers;
    for (int i = 0; i < kSchedulers; ++i) {
      schedulers.push_back(std::make_unique<Scheduler>(
          SchedulerOptions{.slots = kPermits, .permits = permits},
          [&](size_t, std::span<const std::unique_ptr<Task>> batch) {
            const int now = ++running;
            for (int before = most; now > before && !most.compare_exchange_weak(before, now);) {
            }
            std::this_thread::yield();
            for (const auto& task : batch) outcomes.Add(static_cast<TestTask&>(*task).number, "ran");
            --running;
          }));
    }
    std::vector<std::thread> threads;
    for (int t = 0; t < kSchedulers; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kTasks; ++i) {
          MustSchedule(*schedulers[t], std::make_unique<TestTask>(t * kTasks + i, outcomes));
          schedulers[t]->Flush();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(outcomes.size(), static_cast<size_t>(kSchedulers * kTasks));
  EXPECT_TRUE(outcomes.EachOnce());
  EXPECT_LE(most, kPermits);
}

TEST(Scheduler, WhoFlushesDoesNotWaitForAPermitThatAnotherHolds) {
  const auto permits = std::make_shared<Permits>(1);
  Outcomes outcomes;
  Recorder recorder;
  Scheduler scheduler({.slots = 1, .permits = permits}, recorder.Executor());
  MustSchedule(scheduler, std::make_unique<TestTask>(0, outcomes));
  scheduler.Flush();
  scheduler.WaitUntilIdle();  // from here on its batches are known to be short
  permits->Acquire();
  MustSchedule(scheduler, std::make_unique<TestTask>(1, outcomes));
  scheduler.Flush();
  EXPECT_EQ(scheduler.depth(), 1u);
  permits->Release();
  scheduler.WaitUntilIdle();
  EXPECT_EQ(outcomes.Of(1), std::vector<std::string>{"ran with 1"});
}

TEST(Scheduler, EveryTaskOfManyThreadsIsAnsweredExactlyOnce) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 500;
  Outcomes outcomes;
  std::atomic<int> refused{0};
  {
    Scheduler scheduler({.slots = 3, .max_batch_rows = 7, .max_queue_rows = 40},
                        [&](size_t, std::span<const std::unique_ptr<Task>> batch) {
                          for (const auto& task : batch) {
                            outcomes.Add(static_cast<TestTask&>(*task).number, "ran");
                          }
                        });
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kTasks; ++i) {
          auto task = std::make_unique<TestTask>(t * kTasks + i, outcomes, 1 + i % 5);
          task->is_cancelled = i % 11 == 0;
          std::unique_ptr<Task> base = std::move(task);
          if (!scheduler.Schedule(base).ok()) ++refused;
          if (i % 3 == 0) scheduler.Flush();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(outcomes.size() + refused, static_cast<size_t>(kThreads * kTasks));
  EXPECT_TRUE(outcomes.EachOnce());
}

}  // namespace
}  // namespace halfwave
