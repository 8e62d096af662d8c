// Gathers waiting tasks into batches. Knows neither what a task computes nor where it came from.
//
// Batches form by themselves: whoever is free takes everything that waits, and tasks gather only while all slots are
// busy. Nothing is ever delayed on purpose.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/base/mutex.h"
#include "server/batching/permits.h"

namespace halfwave {

// One request's share of a batch. The scheduler owns it from Schedule on and destroys it after one call, either to
// Fail or, within a batch, to the executor.
class Task {
 public:
  virtual ~Task() = default;

  virtual int64_t rows() const = 0;  // 1 to max_batch_rows
  virtual size_t bytes() const = 0;  // held until the task is done
  virtual absl::Time deadline() const = 0;
  virtual bool cancelled() const = 0;  // thread-safe

  // The task will not be run: DEADLINE_EXCEEDED, CANCELLED or UNAVAILABLE. Called at most once, from any thread.
  virtual void Fail(const absl::Status& status) = 0;

  absl::Time scheduled_at;  // set by Schedule
};

struct SchedulerOptions {
  // Batches that may run at once, each in a slot of its own, with a worker thread each.
  size_t slots = 1;
  // Rows in one batch. A task never has more.
  int64_t max_batch_rows = 128;
  // Each batch that runs holds one: a limit over all schedulers that share them. Null: as many as there are slots.
  std::shared_ptr<Permits> permits = nullptr;
  // What may wait; a task beyond either bound is refused at once.
  int64_t max_queue_rows = 8192;
  size_t max_queue_bytes = size_t{256} << 20;
  // The longest a batch may be expected to take and still be run by Flush; 0: only workers run batches.
  absl::Duration inline_budget = absl::Milliseconds(1);
  // The clock, for tests.
  std::function<absl::Time()> now = absl::Now;
};

// Thread-safe.
class Scheduler {
 public:
  using Batch = std::vector<std::unique_ptr<Task>>;

  // Runs the tasks of one batch, all of them, and answers each. `slot` is below `slots`; no two calls use the same
  // slot at the same time. Must not throw.
  using Executor = std::function<void(size_t slot, std::span<const std::unique_ptr<Task>> batch)>;

  Scheduler(const SchedulerOptions& options, Executor executor);
  ~Scheduler();  // drains, without a deadline

  // Puts a task into the queue and returns without waiting; nothing runs before someone calls Flush. On OK the task is
  // accepted: it will be run or failed, exactly once. UNAVAILABLE if the queue is full or the scheduler drains; then
  // the task still belongs to the caller, untouched.
  absl::Status Schedule(std::unique_ptr<Task>& task);

  // To be called by a thread that has scheduled tasks and has no more at hand. Runs one batch right here if a slot and
  // a permit are free and the batch is expected to be short, and wakes workers for whatever remains.
  void Flush();

  // Refuses new tasks from now on, runs those that wait, and returns when all are answered. What still waits at the
  // deadline is failed with UNAVAILABLE instead. Idempotent.
  void Drain(absl::Time deadline = absl::InfiniteFuture());

  // Returns when nothing waits and nothing runs; somebody must have flushed.
  void WaitUntilIdle();

  // Tasks that wait now.
  size_t depth() const;

 private:
  void Work();
  bool CanRun() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool WorkerMayProceed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitForPermit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Batch TakeBatch(Batch& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RunBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const SchedulerOptions options_;
  const Executor executor_;
  const std::shared_ptr<Permits> permits_;

  mutable Mutex mutex_;
  CondVar work_;  // a worker may proceed
  CondVar idle_;
  std::deque<std::unique_ptr<Task>> queue_ ABSL_GUARDED_BY(mutex_);
  int64_t queued_rows_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<size_t> free_slots_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool released_ ABSL_GUARDED_BY(mutex_) = false;  // workers may take what waits
  // What a row took lately, smoothed; infinite before the first batch.
  absl::Duration row_duration_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();

  std::vector<std::thread> workers_;
};

}  // namespace halfwave
