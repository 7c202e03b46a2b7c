// A program's real-time interval timer: setitimer(ITIMER_REAL) and alarm.
//
// Threads: all members may be called from several threads.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "hv/timers.hpp"

namespace divisi::hv {

class IntervalTimer {
public:
    // `expire` is called on the timers' thread at every expiry; never after the destructor has returned.
    IntervalTimer(Timers& timers, std::function<void()> expire);
    IntervalTimer(const IntervalTimer&) = delete;
    IntervalTimer& operator=(const IntervalTimer&) = delete;
    ~IntervalTimer();

    struct Setting {
        std::chrono::nanoseconds left{0};      // until the next expiry; 0: disarmed
        std::chrono::nanoseconds interval{0};  // between later ones; 0: only once
    };
    // Replaces the setting; gives the old one.
    Setting set(const Setting& setting);
    [[nodiscard]] Setting get() const;

private:
    // Shared with callbacks that come late: they find another serial, or no owner.
    struct State {
        std::mutex mutex;
        Timers* timers = nullptr;
        std::function<void()> expire;
        std::chrono::nanoseconds interval{0};
        Timers::Clock::time_point due;
        Timers::Id id = 0;
        std::uint64_t serial = 0;
        bool armed = false;
    };
    static void arm(const std::shared_ptr<State>& state);
    static void expired(const std::shared_ptr<State>& state, std::uint64_t serial);
    [[nodiscard]] static Setting read(const State& state);

    std::shared_ptr<State> state_;
};

}  // namespace divisi::hv
