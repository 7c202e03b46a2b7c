#include "hv/bell.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace divisi::hv {
namespace {

TEST(Bell, DoesNotLetSleepWhoHasNotHeardTheLastRing) {
    Bell bell;
    const std::uint32_t heard = bell.heard();
    bell.ring(1);
    bell.wait(heard, 2);  // returns, though it rang for another place
    EXPECT_NE(bell.heard(), heard);
}

TEST(Bell, OneRingWakesSeveral) {
    Bell bell;
    std::atomic<unsigned> ready{0};
    std::atomic<unsigned> woken{0};
    std::vector<std::thread> sleepers;
    for (unsigned place = 0; place < 4; ++place) {
        sleepers.emplace_back([&, place] {
            const std::uint32_t heard = bell.heard();
            ++ready;
            while (bell.heard() == heard) bell.wait(heard, 1U << place);
            ++woken;
        });
    }
    while (ready < 4) std::this_thread::yield();
    bell.ring(0b1111);
    for (std::thread& sleeper : sleepers) sleeper.join();
    EXPECT_EQ(woken, 4U);
}

}  // namespace
}  // namespace divisi::hv
