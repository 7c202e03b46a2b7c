// What system calls that wait have in common: points of time, and signal masks for the time of the wait.
#pragma once

#include <time.h>

#include <functional>
#include <optional>

#include "hv/syscalls/call.hpp"

namespace divisi::hv {

using Deadline = std::optional<Timers::Clock::time_point>;

// A time that a program may pass: neither negative nor with more nanoseconds than a second has.
bool valid_time(const timespec& value);
// As far ahead as it matters.
std::chrono::nanoseconds to_duration(const timespec& value);
timespec to_timespec(std::chrono::nanoseconds duration);
// What is left until then; not negative.
std::chrono::nanoseconds time_left(const Deadline& deadline);
// What is left in the form that host calls take; null where there is no deadline.
class HostTimeout {
public:
    explicit HostTimeout(const Deadline& deadline) : set_(deadline), value_(to_timespec(time_left(deadline))) {}
    [[nodiscard]] const timespec* get() const { return set_ ? &value_ : nullptr; }

private:
    bool set_;
    timespec value_;
};

// How the clock `id` passes: one of CLOCK_…, or a program's or thread's processor time as clock_getcpuclockid(3) names
// it. Nothing where there is no such clock.
std::optional<IntervalTimer::Clockwork> find_clock(Call& call, int id);

// Reads a relative timespec; none where `at` is 0. -EFAULT, -EINVAL.
SysResult read_timeout(Call& call, Gva at, Deadline& deadline);

// Waits until the deadline (for ever, if there is none) or a signal; `finish` gets 0 or -EINTR.
SysResult wait_for_time(Call& call, const Deadline& deadline, std::function<SysResult(SysResult)> finish);

// Puts a signal mask in place for the time of the call, as ppoll(2) does; `at` 0: none. -EINVAL, -EFAULT.
SysResult begin_mask(Call& call, Gva at, std::uint64_t bytes);
// At the call's end: the old mask again, unless a signal handler is to run first. Gives the result on.
SysResult end_mask(Thread& thread, SysResult result);
// A wait that timed out while a signal was on its way was interrupted.
SysResult interrupted_or(Program& program, const Thread& thread, SysResult result);

}  // namespace divisi::hv
