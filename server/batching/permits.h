// A number of permits, for what may not happen more often at a time.
#pragma once

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "model/base/mutex.h"

namespace halfwave {

// Thread-safe. Who waits longest is served first.
class Permits {
 public:
  explicit Permits(size_t count) : free_(count) {}

  // Waits for a permit.
  void Acquire() {
    const MutexLock lock(mutex_);
    const uint64_t ticket = next_++;
    while (ticket != served_ || free_ == 0) changed_.Wait(mutex_);
    ++served_;
    --free_;
    changed_.NotifyAll();  // the next may find another one
  }
  // Takes one if nobody has to wait for it.
  bool TryAcquire() {
    const MutexLock lock(mutex_);
    if (served_ != next_ || free_ == 0) return false;
    --free_;
    return true;
  }
  void Release() {
    const MutexLock lock(mutex_);
    ++free_;
    changed_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  size_t free_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ ABSL_GUARDED_BY(mutex_) = 0;    // ticket
  uint64_t served_ ABSL_GUARDED_BY(mutex_) = 0;  // tickets
};

}  // namespace halfwave
