// One thread that calls back at points of time: sleeps, time-outs and time slices of all guest threads of a VMM.
//
// Threads: `at` and `cancel` may be called from any thread, and from a callback. Callbacks run on the timer thread,
// one at a time, and must not block.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

namespace divisi::hv {

class Timers {
public:
    using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC, the clock guests see
    using Id = std::uint64_t;

    Timers();
    Timers(const Timers&) = delete;
    Timers& operator=(const Timers&) = delete;
    ~Timers();

    Id at(Clock::time_point when, std::function<void()> callback);
    // False when the callback has run or is about to: it may run once more after this returns, concurrently.
    bool cancel(Id id);

private:
    void loop();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::multimap<Clock::time_point, std::pair<Id, std::function<void()>>> queue_;
    std::map<Id, Clock::time_point> when_;
    Id last_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace divisi::hv
