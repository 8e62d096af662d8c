#include "model/base/thread_team.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <mutex>
#include <set>
#include <vector>

namespace halfwave {
namespace {

TEST(ThreadTeam, RunsEachShareOnceAndSeesWhatItWrote) {
  ThreadTeam team(4);
  EXPECT_EQ(team.size(), 4);
  std::vector<int> calls(4);  // not atomic: the thread sanitizer is to see that Run orders what it should
  std::vector<int> expected(4);
  int input = 0;
  for (int round = 0; round < 300; ++round) {
    const int shares = round % 4 + 1;
    input = round;
    team.Run(shares, [&](int share) { calls[share] += input; });
    for (int share = 0; share < shares; ++share) expected[share] += round;
    ASSERT_EQ(calls, expected) << "round " << round;
  }
}

TEST(ThreadTeam, SharesRunAtTheSameTimeOnThreadsOfTheirOwnTheFirstOnTheCallers) {
  ThreadTeam team(3);
  std::atomic<int> arrived = 0;
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::thread::id first;
  team.Run(3, [&](int share) {
    ++arrived;
    while (arrived < 3) std::this_thread::yield();  // for ever, if one waited for another
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
    if (share == 0) first = std::this_thread::get_id();
  });
  EXPECT_EQ(threads.size(), 3u);
  EXPECT_EQ(first, std::this_thread::get_id());
}

TEST(ThreadTeam, SharesThatMeetSeeWhatTheOthersWroteBefore) {
  ThreadTeam team(4);
  for (const int shares : {3, 4, 1, 2}) {
    std::vector<int> numbers(shares);  // not atomic, as above
    std::vector<int> wrong(shares);
    team.Run(shares, [&](int share) {
      for (int meeting = 1; meeting <= 500; ++meeting) {
        numbers[share] = meeting;
        team.Meet();
        for (const int number : numbers) wrong[share] += number == meeting ? 0 : 1;
        team.Meet();
      }
    });
    EXPECT_EQ(wrong, std::vector<int>(shares)) << shares << " shares";
  }
}

TEST(ThreadTeam, OfOneIsTheCallerAlone) {
  ThreadTeam team(1);
  int calls = 0;
  team.Run(1, [&](int) { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST(ThreadTeam, EndsWithoutEverHavingWorked) { const ThreadTeam team(5); }

TEST(ThreadTeam, AHelperLeavesTheProcessorThatItsCallerMovedTo) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  if (CPU_COUNT(&allowed) < 2) GTEST_SKIP() << "this process may use one processor only";
  ThreadTeam team(2);
  constexpr int kRounds = 100;
  int together = 0, helpers = -1;
  for (int round = 0; round < kRounds; ++round) {
    if (helpers >= 0) {
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(helpers, &one);
      ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
      ASSERT_EQ(sched_setaffinity(0, sizeof(allowed), &allowed), 0);
    }
    int callers = -1;
    team.Run(2, [&](int share) { (share == 0 ? callers : helpers) = sched_getcpu(); });
    together += callers == helpers ? 1 : 0;
  }
  EXPECT_LE(together, kRounds / 10);  // the caller may be moved at any time
}

}  // namespace
}  // namespace halfwave
