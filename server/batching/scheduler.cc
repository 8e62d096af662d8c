#include "server/batching/scheduler.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace halfwave {

Scheduler::Scheduler(const SchedulerOptions& options, Executor executor)
    : options_(options), executor_(std::move(executor)) {
  for (size_t slot = options_.slots; slot-- > 0;) free_slots_.push_back(slot);
  for (size_t i = 0; i < options_.slots; ++i) workers_.emplace_back([this] { Work(); });
}

Scheduler::~Scheduler() { Drain(); }

absl::Status Scheduler::Schedule(std::unique_ptr<Task>& task) {
  const absl::MutexLock lock(&mutex_);
  if (draining_) return absl::UnavailableError("the server is shutting down; send the request to another one");
  if (queued_rows_ + task->rows() > options_.max_queue_rows || queued_bytes_ + task->bytes() > options_.max_queue_bytes) {
    return absl::UnavailableError(absl::StrCat("Exceeds maximum queue size: ", queued_rows_, " rows (", queued_bytes_,
                                               " bytes) are waiting, at most ", options_.max_queue_rows, " rows (",
                                               options_.max_queue_bytes, " bytes) may; try again later"));
  }
  task->scheduled_at = options_.now();
  queued_rows_ += task->rows();
  queued_bytes_ += task->bytes();
  queue_.push_back(std::move(task));
  return absl::OkStatus();
}

void Scheduler::Flush() {
  const absl::MutexLock lock(&mutex_);
  const int64_t rows = std::min(queued_rows_, options_.max_batch_rows);
  if (CanRun() && row_duration_ * rows <= options_.inline_budget) RunBatch();
  released_ = !queue_.empty();
}

void Scheduler::Drain() {
  {
    const absl::MutexLock lock(&mutex_);
    draining_ = true;
    released_ = true;
  }
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
  // An inline batch may still run on a thread of the caller's.
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](Scheduler* self) ABSL_NO_THREAD_SAFETY_ANALYSIS { return self->free_slots_.size() == self->options_.slots; },
      this));
}

size_t Scheduler::depth() const {
  const absl::MutexLock lock(&mutex_);
  return queue_.size();
}

bool Scheduler::CanRun() const { return !queue_.empty() && !free_slots_.empty(); }

bool Scheduler::WorkerMayProceed() const { return (released_ && CanRun()) || (draining_ && queue_.empty()); }

void Scheduler::Work() {
  const absl::MutexLock lock(&mutex_);
  while (true) {
    mutex_.Await(absl::Condition(this, &Scheduler::WorkerMayProceed));
    if (queue_.empty()) return;
    RunBatch();
  }
}

Scheduler::Batch Scheduler::TakeBatch(Batch& dropped) {
  Batch batch;
  const absl::Time now = options_.now();
  int64_t rows = 0;
  while (!queue_.empty()) {
    std::unique_ptr<Task>& next = queue_.front();
    const bool drop = next->cancelled() || next->deadline() <= now;
    if (!drop && rows + next->rows() > options_.max_batch_rows) break;
    queued_rows_ -= next->rows();
    queued_bytes_ -= next->bytes();
    if (!drop) rows += next->rows();
    (drop ? dropped : batch).push_back(std::move(next));
    queue_.pop_front();
  }
  return batch;
}

// Takes and runs one batch, with the lock released meanwhile.
void Scheduler::RunBatch() {
  Batch dropped;
  const Batch batch = TakeBatch(dropped);
  const size_t slot = free_slots_.back();
  free_slots_.pop_back();
  mutex_.Unlock();
  for (const auto& task : dropped) {
    task->Fail(task->cancelled() ? absl::CancelledError("the client cancelled the request while it waited")
                                 : absl::DeadlineExceededError("the deadline passed while the request waited"));
  }
  absl::Duration duration;
  int64_t rows = 0;
  if (!batch.empty()) {
    const absl::Time start = options_.now();
    executor_(slot, batch);
    duration = options_.now() - start;
    for (const auto& task : batch) rows += task->rows();
  }
  mutex_.Lock();
  free_slots_.push_back(slot);
  if (rows == 0) return;
  const absl::Duration per_row = duration / rows;
  row_duration_ = row_duration_ == absl::InfiniteDuration() ? per_row : row_duration_ + (per_row - row_duration_) / 8;
}

}  // namespace halfwave
