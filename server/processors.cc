#include "server/processors.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace halfwave {
namespace {

namespace fs = std::filesystem;

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// How many processors the affinity mask of this thread has; more than any machine has if it cannot be read.
int AffinityCount() {
  for (int size = 1024; size <= 1 << 20; size *= 2) {  // the kernel's mask must fit
    cpu_set_t* set = CPU_ALLOC(size);
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(size);
    const int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
  return std::numeric_limits<int>::max();
}

// "max 100000" or "150000 100000".
double QuotaV2(const fs::path& folder) {
  std::ifstream file(folder / "cpu.max");
  double quota = 0, period = 0;
  return file >> quota >> period && quota > 0 && period > 0 ? quota / period : kUnlimited;
}

// A quota of -1 is none.
double QuotaV1(const fs::path& folder) {
  std::ifstream quota_file(folder / "cpu.cfs_quota_us"), period_file(folder / "cpu.cfs_period_us");
  double quota = 0, period = 0;
  return quota_file >> quota && period_file >> period && quota > 0 && period > 0 ? quota / period : kUnlimited;
}

bool Contains(const std::string& list, const std::string& word) {
  const std::vector<std::string> words = absl::StrSplit(list, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The process's path in a hierarchy: v2's if `v1_controller` is empty. See cgroups(7), /proc/pid/cgroup.
std::string GroupOf(const fs::path& root, const std::string& v1_controller) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    if (v1_controller.empty() ? fields[0] == "0" && fields[1].empty() : Contains(fields[1], v1_controller)) {
      return fields[2];
    }
  }
  return "";
}

struct Mount {
  std::string root;   // the group that is mounted
  std::string point;  // where
  bool v2 = false;
};

// The mounted hierarchies that may hold CPU quotas. See proc(5), /proc/pid/mountinfo.
std::vector<Mount> CpuMounts(const fs::path& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::vector<std::string> halves = absl::StrSplit(line, absl::MaxSplits(" - ", 1));
    if (halves.size() != 2) continue;
    const std::vector<std::string> mount = absl::StrSplit(halves[0], ' '), type = absl::StrSplit(halves[1], ' ');
    if (mount.size() < 5 || type.size() < 3) continue;
    const bool v2 = type[0] == "cgroup2";
    if (v2 || (type[0] == "cgroup" && Contains(type[2], "cpu"))) mounts.push_back({mount[3], mount[4], v2});
  }
  return mounts;
}

// `path` below `root`; all of it where it is not.
fs::path Below(const std::string& path, const std::string& root) {
  const fs::path relative = fs::path(path).lexically_relative(root);
  return relative.empty() || *relative.begin() == ".." ? fs::path(path).relative_path() : relative;
}

void Limit(Processors& processors, double count, const std::string& limit) {
  if (std::floor(count) >= processors.count) return;
  processors = {std::max(1, static_cast<int>(count)), limit};
}

}  // namespace

Processors UsableProcessors(const fs::path& root) {
  Processors processors = {static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))), "the machine"};
  Limit(processors, AffinityCount(), "CPU affinity");
  for (const Mount& mount : CpuMounts(root)) {
    const fs::path point = root / fs::path(mount.point).relative_path();
    fs::path group = Below(GroupOf(root, mount.v2 ? "" : "cpu"), mount.root);
    while (true) {
      const double quota = mount.v2 ? QuotaV2(point / group) : QuotaV1(point / group);
      Limit(processors, quota, absl::StrCat("the CPU quota of cgroup /", group == "." ? "" : group.string()));
      if (group.empty() || group == ".") break;
      group = group.parent_path();
    }
  }
  return processors;
}

ThreadCounts FitThreads(int64_t workers, int64_t intra_op_threads, int64_t processors) {
  ThreadCounts counts;
  counts.intra_op = std::min(intra_op_threads, processors);
  const int64_t fitting = processors / counts.intra_op;
  counts.workers = workers == 0 ? fitting : std::min(workers, fitting);
  counts.capped = counts.intra_op < intra_op_threads || counts.workers < workers;
  return counts;
}

}  // namespace halfwave
