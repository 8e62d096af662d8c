// How many processors this process may use, and how its threads are cut to that.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace halfwave {

struct Processors {
  int count = 1;
  std::string limit;  // what allows no more, in words: "the machine", "CPU affinity", "the CPU quota of cgroup /x"
};

// The least of what the machine has, what the CPU affinity of the calling thread allows, and what the CPU quotas of the
// process's cgroup and of those above it (v2 cpu.max, v1 cpu.cfs_quota_us) allow, rounded down but 1 or more. A file
// that is missing or unreadable sets no limit. root: where /proc and the mounted cgroups are looked for; for tests.
Processors UsableProcessors(const std::filesystem::path& root = "/");

// What one model may use at once.
struct ThreadCounts {
  int64_t workers = 1;   // forward passes
  int64_t intra_op = 1;  // threads in each
  bool capped = false;   // more was asked for
};

// workers * intra_op is at most the number of processors. What was asked for is kept as far as that allows, threads
// before workers; workers 0 asks for as many as fit. Both are validated options.
ThreadCounts FitThreads(int64_t workers, int64_t intra_op_threads, int64_t processors);

}  // namespace halfwave
