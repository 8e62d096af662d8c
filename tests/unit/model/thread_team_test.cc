#include "model/base/thread_team.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace halfwave
