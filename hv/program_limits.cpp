// What a program may use at most, and who sees to it.
#include <algorithm>
#include <csignal>

#include "hv/program.hpp"

namespace divisi::hv {

int Program::set_limit(int resource, const Limits::Limit& wanted) {
    const std::lock_guard lock(limits_mutex_);
    const int result = limits_.set(resource, wanted);
    if (result == 0) apply_limit(resource);
    return result;
}

// The others are asked for where they count: sizes of files, threads, core files.
void Program::apply_limit(int resource) {
    switch (resource) {
        case RLIMIT_AS:
        case RLIMIT_DATA:
        case RLIMIT_STACK:
            memory_.bound({limits_.soft(RLIMIT_AS), limits_.soft(RLIMIT_DATA), limits_.soft(RLIMIT_STACK)});
            return;
        case RLIMIT_NOFILE: files_.limit(limits_.soft(RLIMIT_NOFILE)); return;
        case RLIMIT_CPU: {
            IntervalTimer::Setting setting;
            constexpr std::uint64_t kLongest = 1ULL << 32U;  // seconds: more than any program runs
            // A limit of nothing is one of a second.
            const std::uint64_t seconds = std::max<std::uint64_t>(limits_.soft(RLIMIT_CPU), 1);
            if (seconds < kLongest) setting = {std::chrono::seconds(seconds), std::chrono::seconds(1)};
            processor_limit_.set(setting, true);
            return;
        }
        default: return;
    }
}

// At the soft limit and every second from then on, until the hard one.
IntervalTimer Program::make_processor_limit() {
    return IntervalTimer(services_.timers, processor_clock(), [this](std::uint64_t) {
        const auto spent = std::chrono::duration_cast<std::chrono::seconds>(cpu_times_.program()).count();
        SignalInfo info;
        info.signo = static_cast<std::uint64_t>(spent) >= limits_.get(RLIMIT_CPU).hard ? SIGKILL : SIGXCPU;
        info.code = SI_KERNEL;
        send_signal(info);
    });
}

}  // namespace divisi::hv
