// System calls about timers: setitimer(2), alarm(2), timer_create(2) and their kin.
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>

#include "hv/syscalls/waits.hpp"

namespace divisi::hv {
namespace {

using Setting = IntervalTimer::Setting;
using std::chrono::nanoseconds;

// ---- the three that every program has ----

timeval to_timeval(nanoseconds duration) {
    const auto micro = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
    return {micro / 1'000'000, micro % 1'000'000};
}

bool valid_interval(const timeval& value) {
    return value.tv_sec >= 0 && value.tv_usec >= 0 && value.tv_usec < 1'000'000;
}

nanoseconds from_timeval(const timeval& value) {
    return to_duration({value.tv_sec, value.tv_usec * 1000});
}

bool write_setting(Call& call, Gva to, const Setting& setting) {
    const itimerval value{to_timeval(setting.interval), to_timeval(setting.left)};
    return to == 0 || call.memory().write(to, value);
}

bool known_timer(int which) {
    static_assert(ITIMER_REAL == 0 && ITIMER_VIRTUAL == 1 && ITIMER_PROF == 2);
    return which >= ITIMER_REAL && which <= ITIMER_PROF;
}

SysResult sys_setitimer(Call& call) {
    Setting setting;
    if (call.arg(1) != 0) {
        const auto wanted = call.memory().read<itimerval>(call.arg(1));
        if (!wanted) return -EFAULT;
        if (!valid_interval(wanted->it_value) || !valid_interval(wanted->it_interval)) return -EINVAL;
        setting = {from_timeval(wanted->it_value), from_timeval(wanted->it_interval)};
    }
    if (!known_timer(call.int_arg(0))) return -EINVAL;
    IntervalTimer& timer = call.program.interval_timer(static_cast<std::size_t>(call.int_arg(0)));
    return write_setting(call, call.arg(2), timer.set(setting)) ? 0 : -EFAULT;
}

SysResult sys_getitimer(Call& call) {
    if (!known_timer(call.int_arg(0))) return -EINVAL;
    const Setting setting = call.program.interval_timer(static_cast<std::size_t>(call.int_arg(0))).get();
    return call.arg(1) != 0 && write_setting(call, call.arg(1), setting) ? 0 : -EFAULT;
}

SysResult sys_alarm(Call& call) {
    const auto old = call.program.interval_timer(ITIMER_REAL)
                         .set({std::chrono::seconds(static_cast<std::uint32_t>(call.arg(0))), {}});
    // Rounded, and never down to 0 while there is something left.
    const auto seconds = std::chrono::round<std::chrono::seconds>(old.left).count();
    return old.left.count() > 0 ? std::max<SysResult>(seconds, 1) : 0;
}

// ---- those that it makes ----

// The kernel's sigevent.
struct Event {
    std::uint64_t value;
    std::int32_t signo, notify, tid;
    std::array<std::int32_t, 11> padding;
};
static_assert(sizeof(Event) == 64);

SysResult read_event(Call& call, Gva at, ProgramTimers::Notification& to) {
    to.signo = SIGALRM;
    if (at == 0) return 0;
    const auto event = call.memory().read<Event>(at);
    if (!event) return -EFAULT;
    to.value = event->value;
    to.signo = 0;
    if (event->notify == SIGEV_NONE) return 0;
    if ((event->notify & ~SIGEV_THREAD_ID) != SIGEV_SIGNAL) return -EINVAL;
    if (event->signo < 1 || event->signo > kSignalCount) return -EINVAL;
    to.signo = event->signo;
    if ((event->notify & SIGEV_THREAD_ID) == 0) return 0;
    to.tid = event->tid;
    return call.program.find_thread(to.tid) != nullptr ? 0 : -EINVAL;
}

SysResult sys_timer_create(Call& call) {
    ProgramTimers::Notification notification;
    if (const SysResult error = read_event(call, call.arg(1), notification); error != 0) return error;
    auto clockwork = find_clock(call, call.int_arg(0));
    if (!clockwork) return -EINVAL;
    ProgramTimers& timers = call.program.timers();
    const int id = timers.create(std::move(*clockwork), notification);
    if (id < 0 || call.memory().write(call.arg(2), id)) return std::min(id, 0);
    timers.remove(id);
    return -EFAULT;
}

bool write_timer(Call& call, Gva to, const Setting& setting) {
    const itimerspec value{to_timespec(setting.interval), to_timespec(setting.left)};
    return call.memory().write(to, value);
}

SysResult sys_timer_settime(Call& call) {
    if (call.arg(2) == 0) return -EINVAL;
    const auto wanted = call.memory().read<itimerspec>(call.arg(2));
    if (!wanted) return -EFAULT;
    if (!valid_time(wanted->it_value) || !valid_time(wanted->it_interval)) return -EINVAL;
    const Setting setting{to_duration(wanted->it_value), to_duration(wanted->it_interval)};
    const auto old = call.program.timers().set(call.int_arg(0), setting, (call.int_arg(1) & TIMER_ABSTIME) != 0);
    if (!old) return -EINVAL;
    return call.arg(3) == 0 || write_timer(call, call.arg(3), *old) ? 0 : -EFAULT;
}

SysResult sys_timer_gettime(Call& call) {
    const auto setting = call.program.timers().get(call.int_arg(0));
    if (!setting) return -EINVAL;
    return write_timer(call, call.arg(1), *setting) ? 0 : -EFAULT;
}

SysResult sys_timer_getoverrun(Call& call) {
    return call.program.timers().overrun(call.int_arg(0)).value_or(-EINVAL);
}

SysResult sys_timer_delete(Call& call) {
    return call.program.timers().remove(call.int_arg(0)) ? 0 : -EINVAL;
}

constexpr std::string_view kProcessorTime = "system time counts as user time";
constexpr SyscallEntry kEntries[] = {
    {SYS_setitimer, "setitimer", sys_setitimer, Served::kFully, kProcessorTime},
    {SYS_getitimer, "getitimer", sys_getitimer, Served::kFully, ""},
    {SYS_alarm, "alarm", sys_alarm, Served::kFully, ""},
    {SYS_timer_create, "timer_create", sys_timer_create, Served::kFully, "no alarm clocks"},
    {SYS_timer_settime, "timer_settime", sys_timer_settime, Served::kFully, ""},
    {SYS_timer_gettime, "timer_gettime", sys_timer_gettime, Served::kFully, ""},
    {SYS_timer_getoverrun, "timer_getoverrun", sys_timer_getoverrun, Served::kFully, ""},
    {SYS_timer_delete, "timer_delete", sys_timer_delete, Served::kFully, ""},
};

}  // namespace

SyscallList timer_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
