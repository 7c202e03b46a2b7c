// System calls about time: the host's clocks, and sleeping.
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "hv/syscalls/waits.hpp"

namespace divisi::hv {
namespace {

using Clock = Timers::Clock;

bool known_clock(int clock) {
    return clock >= CLOCK_REALTIME && clock <= CLOCK_TAI && clock != 10;
}

IntervalTimer::Clockwork program_clock(Call& call) {
    return {[&program = call.program] { return program.cpu_times().program(); }, call.program.scheduler().cpus(), true};
}
IntervalTimer::Clockwork thread_clock(Call& call, std::shared_ptr<Thread> thread) {
    return {[&program = call.program, thread = std::move(thread)] { return program.cpu_times().thread(*thread); }, 1,
            true};
}

// Source: the kernel's include/linux/posix-timers_types.h.
std::optional<IntervalTimer::Clockwork> processor_clock(Call& call, int id) {
    const int owner = ~(id >> 3);
    if ((id & 3) == 3) return std::nullopt;
    if ((id & 4) == 0) {
        if (owner != 0 && owner != call.program.pid()) return std::nullopt;
        return program_clock(call);
    }
    auto thread = call.program.find_thread(owner == 0 ? call.thread.tid : owner);
    if (thread == nullptr) return std::nullopt;
    return thread_clock(call, std::move(thread));
}

// The same time that the vDSO tells: what a program reads one way must not contradict what it reads the other way.
SysResult read_clock(Call& call, int clock, timespec& now) {
    GuestClock* const own = call.program.spec().clock;
    std::optional<std::chrono::nanoseconds> time;
    if (own != nullptr && known_clock(clock)) time = own->now(clock);
    if (!time) {
        const auto clockwork = find_clock(call, clock);
        if (!clockwork) return -EINVAL;
        time = clockwork->now();
    }
    now = to_timespec(*time);
    return 0;
}

SysResult sys_clock_gettime(Call& call) {
    timespec now{};
    if (const SysResult error = read_clock(call, call.int_arg(0), now); error != 0) return error;
    return call.memory().write(call.arg(1), now) ? 0 : -EFAULT;
}

SysResult sys_clock_getres(Call& call) {
    timespec resolution{};
    if (!find_clock(call, call.int_arg(0))) return -EINVAL;
    if (call.int_arg(0) < 0) {
        resolution.tv_nsec = 1;
    } else if (::clock_getres(call.int_arg(0), &resolution) != 0) {
        return -errno;
    }
    return call.arg(1) == 0 || call.memory().write(call.arg(1), resolution) ? 0 : -EFAULT;
}

SysResult sys_gettimeofday(Call& call) {
    timespec time{};
    if (const SysResult error = read_clock(call, CLOCK_REALTIME, time); error != 0) return error;
    const timeval now{time.tv_sec, time.tv_nsec / 1000};
    if (call.arg(0) != 0 && !call.memory().write(call.arg(0), now)) return -EFAULT;
    const std::array<int, 2> zone{};
    if (call.arg(1) != 0 && !call.memory().write(call.arg(1), zone)) return -EFAULT;
    return 0;
}

SysResult sys_time(Call& call) {
    timespec time{};
    if (const SysResult error = read_clock(call, CLOCK_REALTIME, time); error != 0) return error;
    const std::int64_t now = time.tv_sec;
    if (call.arg(0) != 0 && !call.memory().write(call.arg(0), now)) return -EFAULT;
    return now;
}

SysResult sys_times(Call& call) {
    constexpr std::chrono::nanoseconds kTick = std::chrono::milliseconds(10);
    tms usage{};
    const clock_t now = ::times(&usage);
    usage = {};
    usage.tms_utime = call.program.cpu_times().program() / kTick;
    if (call.arg(0) != 0 && !call.memory().write(call.arg(0), usage)) return -EFAULT;
    return now;
}

// Sleeps until `deadline`; on a signal the rest goes to `remainder`, where that is asked for.
SysResult sleep_until(Call& call, Clock::time_point deadline, Gva remainder) {
    return wait_for_time(call, deadline, [&memory = call.memory(), deadline, remainder](SysResult result) -> SysResult {
        if (result != -EINTR || remainder == 0) return result;
        return memory.write(remainder, to_timespec(time_left(deadline))) ? result : -EFAULT;
    });
}

SysResult sys_nanosleep(Call& call) {
    const auto wanted = call.memory().read<timespec>(call.arg(0));
    if (!wanted) return -EFAULT;
    if (!valid_time(*wanted)) return -EINVAL;
    return sleep_until(call, Clock::now() + to_duration(*wanted), call.arg(1));
}

SysResult sys_clock_nanosleep(Call& call) {
    const int clock = call.int_arg(0);
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME && clock != CLOCK_TAI)
        return clock == CLOCK_THREAD_CPUTIME_ID ? -EINVAL : -ENOTSUP;
    const auto wanted = call.memory().read<timespec>(call.arg(2));
    if (!wanted) return -EFAULT;
    if (!valid_time(*wanted)) return -EINVAL;
    if ((call.int_arg(1) & TIMER_ABSTIME) == 0)
        return sleep_until(call, Clock::now() + to_duration(*wanted), call.arg(3));
    timespec now{};
    ::clock_gettime(clock, &now);
    return sleep_until(call, Clock::now() + (to_duration(*wanted) - to_duration(now)), 0);
}

constexpr SyscallEntry kEntries[] = {
    {SYS_clock_gettime, "clock_gettime", sys_clock_gettime, Served::kFully, "no clocks of devices"},
    {SYS_clock_getres, "clock_getres", sys_clock_getres, Served::kForwarded, ""},
    {SYS_gettimeofday, "gettimeofday", sys_gettimeofday, Served::kForwarded, ""},
    {SYS_time, "time", sys_time, Served::kForwarded, ""},
    {SYS_times, "times", sys_times, Served::kPartly, "system time counts as user time"},
    {SYS_nanosleep, "nanosleep", sys_nanosleep, Served::kFully, ""},
    {SYS_clock_nanosleep, "clock_nanosleep", sys_clock_nanosleep, Served::kFully, ""},
};

}  // namespace

std::optional<IntervalTimer::Clockwork> find_clock(Call& call, int id) {
    if (id < 0) return processor_clock(call, id);
    if (!known_clock(id)) return std::nullopt;
    if (id == CLOCK_PROCESS_CPUTIME_ID) return program_clock(call);
    if (id == CLOCK_THREAD_CPUTIME_ID) return thread_clock(call, call.program.find_thread(call.thread.tid));
    return IntervalTimer::host_clock(id);
}

SyscallList time_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
