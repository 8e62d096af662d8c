#include "model/base/thread_team.h"

#include <pthread.h>
#include <sched.h>

#include <chrono>

namespace halfwave {
namespace {

// How long a thread looks for a change before it sleeps: about what it takes to wake one, on a virtual machine. So
// waiting costs at most twice what the better choice would have, and between batches that follow each other at once
// nobody sleeps; an idle team does.
constexpr std::chrono::microseconds kLook(50);

// Returns once `state` is not `old`.
void WaitForChange(const std::atomic<uint32_t>& state, uint32_t old) {
  const auto sleep = std::chrono::steady_clock::now() + kLook;
  while (state.load(std::memory_order_acquire) == old) {
    if (std::chrono::steady_clock::now() > sleep) state.wait(old, std::memory_order_acquire);
    std::this_thread::yield();  // whoever is waited for may want this very processor
  }
}

}  // namespace

ThreadTeam::ThreadTeam(int size) : helpers_(size - 1) {
  for (int share = 1; share < size; ++share) helpers_[share - 1].thread = std::thread([this, share] { Help(share); });
}

ThreadTeam::~ThreadTeam() {
  for (Helper& helper : helpers_) {
    helper.state.store(kGone, std::memory_order_release);
    helper.state.notify_all();
  }
  for (Helper& helper : helpers_) helper.thread.join();
}

void ThreadTeam::Run(int shares, absl::FunctionRef<void(int)> work) {
  if (shares > 1) KeepOffCallersProcessor();
  work_ = &work;
  shares_ = shares;
  for (int share = 1; share < shares; ++share) {
    helpers_[share - 1].state.store(kAtWork, std::memory_order_release);
    helpers_[share - 1].state.notify_all();
  }
  work(0);
  for (int share = 1; share < shares; ++share) WaitForChange(helpers_[share - 1].state, kAtWork);
}

void ThreadTeam::Meet() {
  const uint32_t meeting = meetings_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < shares_) return WaitForChange(meetings_, meeting);
  arrived_.store(0, std::memory_order_relaxed);
  meetings_.store(meeting + 1, std::memory_order_release);
  meetings_.notify_all();
}

// Linux may wake a helper on the caller's processor though another idles, and leave both there for many batches: they
// take turns, and neither waits long enough to be moved.
void ThreadTeam::KeepOffCallersProcessor() {
  const int here = sched_getcpu();
  if (here == processor_) return;
  processor_ = here;
  cpu_set_t others;
  if (here < 0 || sched_getaffinity(0, sizeof(others), &others) != 0) return;
  CPU_CLR(here, &others);
  if (CPU_COUNT(&others) == 0) return;
  for (Helper& helper : helpers_) pthread_setaffinity_np(helper.thread.native_handle(), sizeof(others), &others);
}

void ThreadTeam::Help(int share) {
  std::atomic<uint32_t>& state = helpers_[share - 1].state;
  while (true) {
    WaitForChange(state, kIdle);
    if (state.load(std::memory_order_acquire) == kGone) return;
    (*work_)(share);
    state.store(kIdle, std::memory_order_release);
    state.notify_all();
  }
}

}  // namespace halfwave
