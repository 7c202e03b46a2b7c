#include "hv/timers.hpp"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace divisi::hv {
namespace {

using namespace std::chrono_literals;

TEST(Timers, CallBackInTheOrderOfTheirTimes) {
    Timers timers;
    std::vector<int> order;
    std::promise<void> done;
    const auto now = Timers::Clock::now();
    timers.at(now + 30ms, [&] {
        order.push_back(3);
        done.set_value();
    });
    timers.at(now + 10ms, [&] { order.push_back(1); });
    timers.at(now + 20ms, [&] { order.push_back(2); });
    done.get_future().wait();
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Timers, ACanceledOneDoesNotCallBack) {
    Timers timers;
    bool called = false;
    const Timers::Id id = timers.at(Timers::Clock::now() + 1h, [&] { called = true; });
    EXPECT_TRUE(timers.cancel(id));
    EXPECT_FALSE(timers.cancel(id));
    EXPECT_FALSE(called);
}

TEST(Timers, ACallbackMaySetTheNext) {
    Timers timers;
    std::promise<void> done;
    timers.at(Timers::Clock::now(), [&] { timers.at(Timers::Clock::now(), [&] { done.set_value(); }); });
    EXPECT_EQ(done.get_future().wait_for(10s), std::future_status::ready);
}

}  // namespace
}  // namespace divisi::hv
