#include "hv/scheduler.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <future>
#include <utility>
#include <vector>

#include "hv/program.hpp"

namespace divisi::hv {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::ElementsAre;

// Threads that never run: only their places matter. The program is never touched.
class SchedulerTest : public ::testing::Test {
protected:
    Thread& thread(int tid) {
        static std::byte nothing[sizeof(Program)];
        threads_.push_back(std::make_unique<Thread>(tid, *reinterpret_cast<Program*>(nothing)));
        return *threads_.back();
    }

    // Starts a thread, and has the node that it was put on take it up. Gives the node.
    unsigned run_new(Scheduler& scheduler) {
        Thread& fresh = thread(static_cast<int>(threads_.size()) + 1);
        scheduler.start(fresh);
        const auto cpu = static_cast<unsigned>(fresh.sched.cpu);
        EXPECT_EQ(scheduler.acquire(cpu), &fresh);
        return cpu;
    }

    Timers timers_;
    std::atomic<unsigned> kicks_{0};
    std::atomic<unsigned> kicked_{0};
    const std::function<void(unsigned)> kick_ = [this](unsigned cpu) {
        kicked_ = cpu;
        ++kicks_;
    };
    std::vector<std::unique_ptr<Thread>> threads_;
    Scheduler scheduler_{{{0, 0}, {1, 1}}, Spread::kScatter, timers_, kick_};
};

// Four nodes on each of two PUs, with a core of its own each.
const std::vector<CpuPlace> kTwoPus{{0, 0}, {0, 0}, {0, 0}, {0, 0}, {1, 1}, {1, 1}, {1, 1}, {1, 1}};

TEST_F(SchedulerTest, SpreadsThreadsOverFreeNodes) {
    Thread& a = thread(1);
    Thread& b = thread(2);
    scheduler_.start(a);
    Thread* first = scheduler_.acquire(0);
    scheduler_.start(b);
    Thread* second = scheduler_.acquire(1);
    EXPECT_EQ(first, &a);
    EXPECT_EQ(second, &b);
}

TEST_F(SchedulerTest, ScattersThreadsOverPus) {
    Scheduler scheduler(kTwoPus, Spread::kScatter, timers_, kick_);
    std::vector<unsigned> nodes;
    for (int i = 0; i < 8; ++i) nodes.push_back(run_new(scheduler));
    EXPECT_THAT(nodes, ElementsAre(0, 4, 1, 5, 2, 6, 3, 7));
}

TEST_F(SchedulerTest, CompactFillsOnePuAfterTheOther) {
    Scheduler scheduler(kTwoPus, Spread::kCompact, timers_, kick_);
    std::vector<unsigned> nodes;
    for (int i = 0; i < 8; ++i) nodes.push_back(run_new(scheduler));
    EXPECT_THAT(nodes, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
}

TEST_F(SchedulerTest, TakesACoreOfItsOwnBeforeASiblingOfABusyOne) {
    Scheduler scheduler({{0, 0}, {0, 1}, {1, 2}, {1, 3}}, Spread::kScatter, timers_, kick_);
    std::vector<unsigned> nodes;
    for (int i = 0; i < 4; ++i) nodes.push_back(run_new(scheduler));
    EXPECT_THAT(nodes, ElementsAre(0, 2, 1, 3));
}

TEST_F(SchedulerTest, MoreThreadsThanNodesAreDealtOutEvenly) {
    Scheduler scheduler(kTwoPus, Spread::kScatter, timers_, kick_);
    std::array<int, 8> counts{};
    for (int tid = 1; tid <= 512; ++tid) {
        Thread& fresh = thread(tid);
        scheduler.start(fresh);
        ++counts.at(static_cast<std::size_t>(fresh.sched.cpu));
    }
    EXPECT_THAT(counts, Each(64));
}

TEST_F(SchedulerTest, AThreadLeavesACrowdedPuForOneThatStaysIdle) {
    Scheduler scheduler(kTwoPus, Spread::kScatter, timers_, kick_);
    for (int i = 0; i < 4; ++i) run_new(scheduler);  // on 0, 4, 1, 5
    scheduler.exit(*threads_[1]);
    scheduler.exit(*threads_[3]);
    while (kicks_ == 0) std::this_thread::yield();
    Thread& moving = *threads_[kicked_ == 0 ? 0 : 2];
    ASSERT_TRUE(scheduler.misplaced(moving));
    scheduler.migrate(moving);
    EXPECT_GE(moving.sched.cpu, 4);
    EXPECT_EQ(scheduler.acquire(static_cast<unsigned>(moving.sched.cpu)), &moving);
    EXPECT_FALSE(scheduler.misplaced(moving));
}

TEST_F(SchedulerTest, AThreadThatMayNotLeaveACrowdedPuStays) {
    Scheduler scheduler(kTwoPus, Spread::kScatter, timers_, kick_);
    CpuSet first_pu;
    for (unsigned cpu = 0; cpu < 4; ++cpu) first_pu.set(cpu);
    for (int tid = 1; tid <= 2; ++tid) {
        Thread& bound = thread(tid);
        scheduler.set_affinity(bound, first_pu);
        scheduler.start(bound);
        ASSERT_EQ(scheduler.acquire(static_cast<unsigned>(bound.sched.cpu)), &bound);
    }
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(kicks_, 0U);
    EXPECT_FALSE(scheduler.misplaced(*threads_[0]));
    EXPECT_FALSE(scheduler.misplaced(*threads_[1]));
}

TEST_F(SchedulerTest, CompactLeavesThreadsWhereTheyAre) {
    Scheduler scheduler(kTwoPus, Spread::kCompact, timers_, kick_);
    for (int i = 0; i < 4; ++i) run_new(scheduler);
    std::this_thread::sleep_for(50ms);
    EXPECT_EQ(kicks_, 0U);
}

TEST_F(SchedulerTest, TellsWhetherThreadsShareAPu) {
    Scheduler scheduler(kTwoPus, Spread::kScatter, timers_, kick_);
    std::vector<bool> told;
    scheduler.watch_crowds([&told](bool crowded) { told.push_back(crowded); });
    run_new(scheduler);
    run_new(scheduler);
    EXPECT_THAT(told, ElementsAre(false));
    run_new(scheduler);
    EXPECT_THAT(told, ElementsAre(false, true));
    scheduler.exit(*threads_[0]);
    scheduler.exit(*threads_[1]);
    EXPECT_THAT(told, ElementsAre(false, true, false));
}

TEST_F(SchedulerTest, AQueuedThreadFollowsItsAffinity) {
    Thread& a = thread(1);
    Thread& b = thread(2);
    CpuSet first;
    first.set(0);
    scheduler_.set_affinity(b, first);
    scheduler_.start(a);
    ASSERT_EQ(scheduler_.acquire(0), &a);
    scheduler_.start(b);
    ASSERT_EQ(b.sched.cpu, 0);
    scheduler_.set_affinity(b, CpuSet().set(1));
    EXPECT_EQ(b.sched.cpu, 1);
    EXPECT_EQ(scheduler_.acquire(1), &b);
}

TEST_F(SchedulerTest, AnIdleNodeTakesFromABusyOnesQueue) {
    for (int tid = 1; tid <= 3; ++tid) scheduler_.start(thread(tid));
    Thread* first = scheduler_.acquire(0);
    Thread* second = scheduler_.acquire(0);
    Thread* third = scheduler_.acquire(0);
    EXPECT_TRUE(first != second && second != third && first != third);
}

TEST_F(SchedulerTest, AWakeBeforeTheParkIsNotLost) {
    Thread& a = thread(1);
    scheduler_.start(a);
    ASSERT_EQ(scheduler_.acquire(0), &a);
    const std::uint64_t ticket = scheduler_.prepare(a, false);
    scheduler_.wake(a, ticket, 7);
    EXPECT_FALSE(scheduler_.park(a));
    EXPECT_EQ(a.sched.wake_result, 7);
}

TEST_F(SchedulerTest, ALateWakeDoesNotEndTheNextWait) {
    Thread& a = thread(1);
    scheduler_.start(a);
    ASSERT_EQ(scheduler_.acquire(0), &a);
    const std::uint64_t old = scheduler_.prepare(a, false);
    scheduler_.wake(a, old, 0);
    ASSERT_FALSE(scheduler_.park(a));
    const std::uint64_t ticket = scheduler_.prepare(a, false);
    ASSERT_TRUE(scheduler_.park(a));
    scheduler_.wake(a, old, -1);
    EXPECT_EQ(a.sched.state, Thread::Scheduling::State::kBlocked);
    scheduler_.wake(a, ticket, 5);
    EXPECT_EQ(scheduler_.acquire(0), &a);
    EXPECT_EQ(a.sched.wake_result, 5);
}

TEST_F(SchedulerTest, WhomAThreadWakesAsItFallsAsleepComesOnceItIsParked) {
    Thread& waker = thread(1);
    Thread& sleeper = thread(2);
    scheduler_.start(waker);
    ASSERT_EQ(scheduler_.acquire(0), &waker);
    scheduler_.start(sleeper);
    ASSERT_EQ(scheduler_.acquire(1), &sleeper);
    const std::uint64_t ticket = scheduler_.prepare(sleeper, false);
    ASSERT_TRUE(scheduler_.park(sleeper));
    std::atomic<bool> parked{false};
    auto woken = std::async(std::launch::async, [&] {
        Thread* const found = scheduler_.acquire(1);
        return std::pair(found, parked.load());
    });
    ASSERT_EQ(woken.wait_for(50ms), std::future_status::timeout);
    Rousing rousing;
    scheduler_.wake(sleeper, ticket, 0, rousing);
    scheduler_.rouse_when_parked(waker, std::move(rousing));
    (void)scheduler_.prepare(waker, false);
    EXPECT_EQ(woken.wait_for(50ms), std::future_status::timeout);
    parked = true;
    ASSERT_TRUE(scheduler_.park(waker));
    EXPECT_EQ(woken.get(), std::pair(&sleeper, true));
}

TEST_F(SchedulerTest, AParkedThreadComesBackToTheNodeThatHoldsItsState) {
    Thread& a = thread(1);
    scheduler_.start(a);
    ASSERT_EQ(scheduler_.acquire(1), &a);
    const std::uint64_t ticket = scheduler_.prepare(a, false);
    ASSERT_TRUE(scheduler_.park(a));
    scheduler_.wake(a, ticket, 0);
    auto other = std::async(std::launch::async, [&] { return scheduler_.acquire(0); });
    EXPECT_EQ(other.wait_for(50ms), std::future_status::timeout);
    EXPECT_EQ(scheduler_.acquire(1), &a);
    scheduler_.close();
    EXPECT_EQ(other.get(), nullptr);
}

TEST_F(SchedulerTest, AffinityIsKept) {
    Thread& a = thread(1);
    CpuSet only_second;
    only_second.set(1);
    scheduler_.set_affinity(a, only_second);
    scheduler_.start(a);
    auto first = std::async(std::launch::async, [&] { return scheduler_.acquire(0); });
    EXPECT_EQ(first.wait_for(50ms), std::future_status::timeout);
    EXPECT_EQ(scheduler_.acquire(1), &a);
    scheduler_.close();
    EXPECT_EQ(first.get(), nullptr);
}

TEST_F(SchedulerTest, AThreadThatWaitsForItsTurnGetsTheNodeKicked) {
    Thread& a = thread(1);
    Thread& b = thread(2);
    CpuSet only_first;
    only_first.set(0);
    scheduler_.set_affinity(a, only_first);
    scheduler_.set_affinity(b, only_first);
    scheduler_.start(a);
    ASSERT_EQ(scheduler_.acquire(0), &a);
    EXPECT_FALSE(scheduler_.yield(a, false));
    scheduler_.start(b);
    while (kicks_ == 0) std::this_thread::yield();
    EXPECT_TRUE(scheduler_.yield(a, false));
    EXPECT_EQ(scheduler_.acquire(0), &b);
}

TEST_F(SchedulerTest, ClosingReleasesEveryNode) {
    auto waiting = std::async(std::launch::async, [&] { return scheduler_.acquire(0); });
    scheduler_.close();
    EXPECT_EQ(waiting.get(), nullptr);
    scheduler_.start(thread(1));
    EXPECT_EQ(scheduler_.acquire(1), nullptr);
}

}  // namespace
}  // namespace divisi::hv
