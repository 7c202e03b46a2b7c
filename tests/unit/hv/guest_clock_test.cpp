#include "hv/guest_clock.hpp"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <thread>

namespace divisi::hv {
namespace {

using std::chrono::nanoseconds;

nanoseconds host_now(int id) {
    timespec now{};
    ::clock_gettime(id, &now);
    return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

struct Fixture : testing::Test {
    void SetUp() override {
        auto created = GuestClock::create();
        ASSERT_TRUE(created) << created.error().message();
        clock = std::move(*created);
    }
    Timers timers;
    std::unique_ptr<GuestClock> clock;
};
using GuestClockTest = Fixture;

TEST_F(GuestClockTest, SaysNothingWhileNobodyHoldsIt) {
    EXPECT_FALSE(clock->now(CLOCK_MONOTONIC));
}

TEST_F(GuestClockTest, NeverLeavesTheHostsClocksAndNeverGoesBack) {
    const GuestClock::Hold hold(*clock, timers);
    if (!clock->now(CLOCK_MONOTONIC)) GTEST_SKIP() << "the time stamp counter of this machine is not steady";
    for (const int id : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME}) {
        nanoseconds last{};
        for (int i = 0; i < 2000; ++i) {
            const nanoseconds before = host_now(id);
            const auto now = clock->now(id);
            const nanoseconds after = host_now(id);
            ASSERT_TRUE(now);
            // Far more than it ever is off by: a wrong clock is off by seconds.
            ASSERT_GE(*now, before - std::chrono::milliseconds(1)) << "clock " << id;
            ASSERT_LE(*now, after + std::chrono::milliseconds(1)) << "clock " << id;
            ASSERT_GE(*now, last) << "clock " << id;
            last = *now;
            if (i % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
}

TEST_F(GuestClockTest, DoesNotKnowProcessorTimeClocks) {
    const GuestClock::Hold hold(*clock, timers);
    for (const int id : {CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_TAI, -1, 1000})
        EXPECT_FALSE(clock->now(id)) << id;
}

TEST_F(GuestClockTest, GoesOnForTheNextHolder) {
    for (int i = 0; i < 3; ++i) {
        const GuestClock::Hold hold(*clock, timers);
        const GuestClock::Hold second(*clock, timers);
        const auto before = clock->now(CLOCK_MONOTONIC);
        std::this_thread::sleep_for(std::chrono::milliseconds(12));
        EXPECT_EQ(clock->now(CLOCK_MONOTONIC).has_value(), before.has_value());
    }
    EXPECT_FALSE(clock->now(CLOCK_PROCESS_CPUTIME_ID));
}

TEST_F(GuestClockTest, ShowsItsPageReadOnlyAndThenASharedObject) {
    const std::vector<WindowPiece> window = clock->window();
    ASSERT_EQ(window.size(), 2U);
    EXPECT_FALSE(window[0].writable || window[0].executable || window[1].writable);
    EXPECT_TRUE(window[1].executable);
    EXPECT_EQ(window[0].size_bytes + window[1].size_bytes, GuestClock::window_bytes());
    auto image = Mapping::file(window[1].fd, window[1].offset, window[1].size_bytes, PROT_READ);
    ASSERT_TRUE(image);
    Elf64_Ehdr header{};
    std::memcpy(&header, image->data(), sizeof header);
    EXPECT_EQ(std::memcmp(header.e_ident, ELFMAG, SELFMAG), 0);
    EXPECT_EQ(header.e_type, ET_DYN);
}

}  // namespace
}  // namespace divisi::hv
