// A timer that expires once or again and again, by a clock of its owner's: real time or processor time.
//
// Threads: all members may be called from several threads.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "hv/timers.hpp"

namespace divisi::hv {

class IntervalTimer {
public:
    // The clock that it goes by. Processor time passes `fastest` times as fast as real time, or more slowly, or not at
    // all: how far it is must be looked up now and then.
    struct Clockwork {
        std::function<std::chrono::nanoseconds()> now;
        unsigned fastest = 1;
        bool looked_up = false;
    };
    // `expire` is called on the timers' thread at every expiry, with how many more have passed unseen; never after the
    // destructor has returned.
    IntervalTimer(Timers& timers, Clockwork clockwork, std::function<void(std::uint64_t missed)> expire);
    IntervalTimer(const IntervalTimer&) = delete;
    IntervalTimer& operator=(const IntervalTimer&) = delete;
    ~IntervalTimer();

    // Of CLOCK_REALTIME, CLOCK_MONOTONIC …
    static Clockwork host_clock(int clock);

    struct Setting {
        std::chrono::nanoseconds left{0};      // until the next expiry; 0: disarmed
        std::chrono::nanoseconds interval{0};  // between later ones; 0: only once
    };
    // Replaces the setting; gives the old one. `absolute`: `left` is a time of the clock.
    Setting set(const Setting& setting, bool absolute = false);
    [[nodiscard]] Setting get() const;

private:
    // Shared with callbacks that come late: they find another serial, or no owner.
    struct State {
        std::mutex mutex;
        Timers* timers = nullptr;
        Clockwork clockwork;
        std::function<void(std::uint64_t)> expire;
        std::chrono::nanoseconds interval{0};
        std::chrono::nanoseconds due{0};
        Timers::Id id = 0;
        std::uint64_t serial = 0;
        bool armed = false;
    };
    static void arm(const std::shared_ptr<State>& state, std::chrono::nanoseconds now, std::chrono::nanoseconds least);
    static void elapsed(const std::shared_ptr<State>& state, std::uint64_t serial);
    [[nodiscard]] static Setting read(const State& state);

    std::shared_ptr<State> state_;
};

}  // namespace divisi::hv
