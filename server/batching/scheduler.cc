#include "server/batching/scheduler.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace halfwave {

Scheduler::Scheduler(const SchedulerOptions& options, Executor executor)
    : options_(options),
      executor_(std::move(executor)),
      permits_(options.permits != nullptr ? options.permits : std::make_shared<Permits>(options.slots)) {
  for (size_t slot = options_.slots; slot-- > 0;) free_slots_.push_back(slot);
  for (size_t i = 0; i < options_.slots; ++i) workers_.emplace_back([this] { Work(); });
}

Scheduler::~Scheduler() { Drain(); }

absl::Status Scheduler::Schedule(std::unique_ptr<Task>& task) {
  const MutexLock lock(mutex_);
  if (draining_) return absl::UnavailableError("the server is shutting down; send the request to another one");
  if (queued_rows_ + task->rows() > options_.max_queue_rows ||
      queued_bytes_ + task->bytes() > options_.max_queue_bytes) {
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
  const MutexLock lock(mutex_);
  const int64_t rows = std::min(queued_rows_, options_.max_batch_rows);
  released_ = true;  // what does not fit into the batch run here
  if (CanRun() && row_duration_ * rows <= options_.inline_budget && permits_->TryAcquire()) {
    RunBatch();
    permits_->Release();
  }
  released_ = !queue_.empty();
  if (CanRun()) work_.NotifyOne();
}

void Scheduler::Drain(absl::Time deadline) {
  Batch late;
  {
    const MutexLock lock(mutex_);
    draining_ = true;
    released_ = true;
    work_.NotifyAll();
    while (!Idle() && idle_.WaitUntil(mutex_, deadline)) {
    }
    if (!Idle()) {
      std::move(queue_.begin(), queue_.end(), std::back_inserter(late));
      queue_.clear();
      queued_rows_ = 0;
      queued_bytes_ = 0;
      work_.NotifyAll();  // idle workers may go home
    }
  }
  for (const auto& task : late) task->Fail(absl::UnavailableError("the server stopped before the request's turn"));
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
  WaitUntilIdle();  // a batch may still run on a thread that flushed
}

void Scheduler::WaitUntilIdle() {
  const MutexLock lock(mutex_);
  while (!Idle()) idle_.Wait(mutex_);
}

size_t Scheduler::depth() const {
  const MutexLock lock(mutex_);
  return queue_.size();
}

bool Scheduler::CanRun() const { return !queue_.empty() && !free_slots_.empty(); }

bool Scheduler::Idle() const { return queue_.empty() && free_slots_.size() == options_.slots; }

bool Scheduler::WorkerMayProceed() const { return (released_ && CanRun()) || (draining_ && queue_.empty()); }

void Scheduler::Work() {
  const MutexLock lock(mutex_);
  while (true) {
    while (!WorkerMayProceed()) work_.Wait(mutex_);
    if (queue_.empty()) return;
    WaitForPermit();
    if (CanRun()) RunBatch();  // somebody else may have
    permits_->Release();
  }
}

void Scheduler::WaitForPermit() {
  if (permits_->TryAcquire()) return;
  mutex_.Unlock();
  permits_->Acquire();
  mutex_.Lock();
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
  if (released_ && CanRun()) work_.NotifyOne();  // there is more, and somebody could take it
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
  if (Idle()) {
    idle_.NotifyAll();
    if (draining_) work_.NotifyAll();  // workers may go home
  }
  if (rows == 0) return;
  const absl::Duration per_row = duration / rows;
  row_duration_ = row_duration_ == absl::InfiniteDuration() ? per_row : row_duration_ + (per_row - row_duration_) / 8;
}

}  // namespace halfwave
