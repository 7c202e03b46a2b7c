#include "hv/scheduler.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <vector>

#include "hv/program.hpp"

namespace divisi::hv {
namespace {

using namespace std::chrono_literals;

// Threads that never run: only their places matter. The program is never touched.
class SchedulerTest : public ::testing::Test {
protected:
    Thread& thread(int tid) {
        static std::byte nothing[sizeof(Program)];
        threads_.push_back(std::make_unique<Thread>(tid, *reinterpret_cast<Program*>(nothing)));
        return *threads_.back();
    }

    Timers timers_;
    std::atomic<unsigned> kicks_{0};
    std::vector<std::unique_ptr<Thread>> threads_;
    Scheduler scheduler_{2, timers_, [this](unsigned) { ++kicks_; }};
};

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
