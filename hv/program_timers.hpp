// The timers that a program makes: timer_create(2) and its kin.
//
// Threads: all members may be called from several threads.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "hv/interval_timer.hpp"
#include "hv/thread.hpp"

namespace divisi::hv {

class ProgramTimers {
public:
    // `send` delivers a timer's signal, to the thread `tid` or, where that is 0, to the program.
    using Send = std::function<void(int tid, const SignalInfo& info)>;
    ProgramTimers(Timers& timers, Send send) : timers_(timers), send_(std::move(send)) {}

    // What a timer does when it expires; signal 0: nothing.
    struct Notification {
        int signo = 0;
        int tid = 0;
        std::optional<std::uint64_t> value;  // its number, where the program gives none
    };
    // Its number, or -EAGAIN.
    int create(IntervalTimer::Clockwork clockwork, const Notification& notification);
    bool remove(int id);
    void clear();
    // Nothing where there is no such timer.
    std::optional<IntervalTimer::Setting> set(int id, const IntervalTimer::Setting& setting, bool absolute);
    std::optional<IntervalTimer::Setting> get(int id) const;
    [[nodiscard]] bool any_armed() const;
    // How many expiries the last signal stood for, beyond its own.
    std::optional<int> overrun(int id) const;

private:
    struct Entry {
        std::shared_ptr<TimerSignal> signal;
        std::shared_ptr<IntervalTimer> timer;
    };
    [[nodiscard]] Entry find(int id) const;

    Timers& timers_;
    Send send_;
    mutable std::mutex mutex_;
    std::map<int, Entry> entries_;
};

}  // namespace divisi::hv
