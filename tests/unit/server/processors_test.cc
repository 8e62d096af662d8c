#include "server/processors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <fstream>

namespace halfwave {
namespace {

namespace fs = std::filesystem;

// A folder with /proc and cgroups of its own.
class ProcessorsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(root_);
    fs::create_directories(root_);
    CPU_ZERO(&affinity_);
    ASSERT_EQ(sched_getaffinity(0, sizeof(affinity_), &affinity_), 0);
    if (UsableProcessors(root_).count < 2) GTEST_SKIP() << "SKIPPED: there is one processor only";
  }
  void TearDown() override {
    ASSERT_EQ(sched_setaffinity(0, sizeof(affinity_), &affinity_), 0);
    fs::remove_all(root_);
  }
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }

  fs::path root_;
  cpu_set_t affinity_;
};

constexpr char kV2Mount[] = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr char kV1Mount[] =
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n";

TEST_F(ProcessorsTest, WithoutCgroupsTheMachineIsTheLimit) {
  EXPECT_GE(UsableProcessors(root_).count, 2);
  EXPECT_EQ(UsableProcessors().limit.empty(), false);
}

TEST_F(ProcessorsTest, AffinityIsALimit) {
  int first = 0;
  while (!CPU_ISSET(first, &affinity_)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  const Processors processors = UsableProcessors(root_);
  EXPECT_EQ(processors.count, 1);
  EXPECT_EQ(processors.limit, "CPU affinity");
}

TEST_F(ProcessorsTest, AQuotaOfTheOwnGroupIsALimitRoundedDown) {
  Write("proc/self/mountinfo", kV2Mount);
  Write("proc/self/cgroup", "0::/pods/server\n");
  Write("sys/fs/cgroup/pods/server/cpu.max", "190000 100000\n");
  const Processors processors = UsableProcessors(root_);
  EXPECT_EQ(processors.count, 1);
  EXPECT_EQ(processors.limit, "the CPU quota of cgroup /pods/server");
}

TEST_F(ProcessorsTest, LessThanOneProcessorIsOne) {
  Write("proc/self/mountinfo", kV2Mount);
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/cpu.max", "20000 100000\n");
  const Processors processors = UsableProcessors(root_);
  EXPECT_EQ(processors.count, 1);
  EXPECT_EQ(processors.limit, "the CPU quota of cgroup /");
}

TEST_F(ProcessorsTest, AQuotaAboveTheOwnGroupIsALimit) {
  Write("proc/self/mountinfo", kV2Mount);
  Write("proc/self/cgroup", "0::/pods/server/main\n");
  Write("sys/fs/cgroup/pods/server/main/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/pods/cpu.max", "100000 100000\n");
  const Processors processors = UsableProcessors(root_);
  EXPECT_EQ(processors.count, 1);
  EXPECT_EQ(processors.limit, "the CPU quota of cgroup /pods");
}

TEST_F(ProcessorsTest, AGroupThatIsMountedIsTheRootOfWhatAContainerSees) {
  Write("proc/self/mountinfo", "31 23 0:28 /docker/4711 /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
  Write("proc/self/cgroup", "0::/docker/4711\n");
  Write("sys/fs/cgroup/cpu.max", "100000 100000\n");
  EXPECT_EQ(UsableProcessors(root_).count, 1);
}

TEST_F(ProcessorsTest, VersionOneIsReadWhereverItsCpuControllerIsMounted) {
  Write("proc/self/mountinfo", kV1Mount);
  Write("proc/self/cgroup", "3:cpuset:/\n2:cpuacct,cpu:/pods\n0::/\n");
  Write("sys/fs/cgroup/cpu,cpuacct/pods/cpu.cfs_quota_us", "150000\n");
  Write("sys/fs/cgroup/cpu,cpuacct/pods/cpu.cfs_period_us", "100000\n");
  const Processors processors = UsableProcessors(root_);
  EXPECT_EQ(processors.count, 1);
  EXPECT_EQ(processors.limit, "the CPU quota of cgroup /pods");
}

TEST_F(ProcessorsTest, NoQuotaOrNonsenseIsNoLimit) {
  const int all = UsableProcessors(root_).count;
  Write("proc/self/mountinfo", std::string(kV1Mount) + kV2Mount + "garbage\n");
  Write("proc/self/cgroup", "garbage\n2:cpu,cpuacct:/\n0::/a\n");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/a/cpu.max", "much 100000\n");
  Write("sys/fs/cgroup/cpu.max", "100000 0\n");
  EXPECT_EQ(UsableProcessors(root_).count, all);
}

TEST(FitThreads, GivesEachProcessorAWorkerUnlessToldOtherwise) {
  const ThreadCounts counts = FitThreads(0, 1, 8);
  EXPECT_EQ(counts.workers, 8);
  EXPECT_EQ(counts.intra_op, 1);
  EXPECT_FALSE(counts.capped);
}

TEST(FitThreads, WorkersTimesThreadsNeverExceedTheProcessors) {
  for (int64_t processors = 1; processors <= 9; ++processors) {
    for (int64_t workers = 0; workers <= 9; ++workers) {
      for (int64_t threads = 1; threads <= 9; ++threads) {
        const ThreadCounts counts = FitThreads(workers, threads, processors);
        EXPECT_GE(counts.workers, 1);
        EXPECT_GE(counts.intra_op, 1);
        EXPECT_LE(counts.workers * counts.intra_op, processors);
        const bool fits = std::max<int64_t>(workers, 1) * threads <= processors;
        EXPECT_EQ(counts.capped, !fits) << workers << " x " << threads << " on " << processors;
        if (!fits) continue;
        EXPECT_EQ(counts.intra_op, threads);
        EXPECT_EQ(counts.workers, workers == 0 ? processors / threads : workers);
      }
    }
  }
}

TEST(FitThreads, KeepsThreadsBeforeWorkers) {
  const ThreadCounts counts = FitThreads(4, 3, 8);
  EXPECT_EQ(counts.intra_op, 3);
  EXPECT_EQ(counts.workers, 2);
}

}  // namespace
}  // namespace halfwave
