// A thread with helpers, for work that is cut into shares.
//
//   ThreadTeam team(4);
//   team.Run(3, [&](int share) { Work(share); });  // Work(0) here, Work(1) and Work(2) beside it
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"

namespace halfwave {

// Used by one thread at a time.
class ThreadTeam {
 public:
  // Starts size - 1 threads, which sleep while there is no work. size: 1 or more.
  explicit ThreadTeam(int size);
  ~ThreadTeam();  // ends them

  int size() const { return static_cast<int>(helpers_.size()) + 1; }

  // Calls work(0) here, and work(1) to work(shares - 1) at the same time, each on a thread of its own; returns when all
  // have returned. shares: 1 to size(). Allocates nothing. Each sees what this thread wrote before, and this thread
  // sees what they wrote.
  void Run(int shares, absl::FunctionRef<void(int)> work);

  // Inside `work`: returns when all shares of the Run have called it as often as this one. Each sees what the others
  // wrote before. Every share has to call it equally often, or the others wait for ever.
  void Meet();

 private:
  enum State : uint32_t { kIdle, kAtWork, kGone };
  struct alignas(64) Helper {
    std::atomic<uint32_t> state = kIdle;
    std::thread thread;
  };

  void Help(int share);
  void KeepOffCallersProcessor();

  std::vector<Helper> helpers_;
  const absl::FunctionRef<void(int)>* work_ = nullptr;
  int shares_ = 0;      // of the present Run
  int processor_ = -1;  // that the helpers keep off
  alignas(64) std::atomic<int> arrived_ = 0;
  alignas(64) std::atomic<uint32_t> meetings_ = 0;
};

}  // namespace halfwave
