#include "model/base/thread_team.h"

namespace halfwave {

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
  work_ = &work;
  for (int share = 1; share < shares; ++share) {
    helpers_[share - 1].state.store(kAtWork, std::memory_order_release);
    helpers_[share - 1].state.notify_all();
  }
  work(0);
  for (int share = 1; share < shares; ++share) helpers_[share - 1].state.wait(kAtWork, std::memory_order_acquire);
}

void ThreadTeam::Help(int share) {
  std::atomic<uint32_t>& state = helpers_[share - 1].state;
  while (true) {
    state.wait(kIdle, std::memory_order_acquire);
    if (state.load(std::memory_order_acquire) == kGone) return;
    (*work_)(share);
    state.store(kIdle, std::memory_order_release);
    state.notify_all();
  }
}

}  // namespace halfwave
