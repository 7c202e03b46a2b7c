#include "hv/syscalls/waits.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>

namespace divisi::hv {

using Clock = Timers::Clock;

bool valid_time(const timespec& value) {
    return value.tv_sec >= 0 && value.tv_nsec >= 0 && value.tv_nsec < 1'000'000'000;
}

std::chrono::nanoseconds to_duration(const timespec& value) {
    constexpr std::int64_t kCentury = 3'200'000'000;
    return std::chrono::seconds(std::min<std::int64_t>(value.tv_sec, kCentury)) +
           std::chrono::nanoseconds(value.tv_nsec);
}

timespec to_timespec(std::chrono::nanoseconds duration) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration);
    return {seconds.count(), (duration - seconds).count()};
}

std::chrono::nanoseconds time_left(const Deadline& deadline) {
    if (!deadline) return {};
    return std::max<std::chrono::nanoseconds>(*deadline - Clock::now(), std::chrono::nanoseconds(0));
}

SysResult read_timeout(Call& call, Gva at, Deadline& deadline) {
    if (at == 0) return 0;
    const auto value = call.memory().read<timespec>(at);
    if (!value) return -EFAULT;
    if (!valid_time(*value)) return -EINVAL;
    deadline = Clock::now() + to_duration(*value);
    return 0;
}

SysResult wait_for_time(Call& call, const Deadline& deadline, std::function<SysResult(SysResult)> finish) {
    Thread& thread = call.thread;
    const std::uint64_t ticket = call.program.scheduler().prepare(thread, true);
    if (deadline) call.program.sleepers().add(call.program.services().timers, thread, ticket, *deadline);
    thread.on_resume = [&program = call.program, &thread, finish = std::move(finish)](SysResult result) {
        program.sleepers().remove(thread);
        return finish ? finish(result) : result;
    };
    return kWaits;
}

SysResult begin_mask(Call& call, Gva at, std::uint64_t bytes) {
    if (at == 0) return 0;
    if (bytes != sizeof(SignalSet)) return -EINVAL;
    const auto set = call.memory().read<SignalSet>(at);
    if (!set) return -EFAULT;
    call.thread.blocked_before_suspend = call.thread.blocked;
    call.thread.restore_blocked = true;
    call.thread.blocked = *set & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    call.program.pass_on_signals(call.thread, call.thread.blocked_before_suspend);
    return 0;
}

SysResult end_mask(Thread& thread, SysResult result) {
    if (result == kWaits || result == -EINTR || !thread.restore_blocked) return result;
    const SignalSet before = thread.blocked.exchange(thread.blocked_before_suspend);
    thread.restore_blocked = false;
    thread.program.pass_on_signals(thread, before);
    return result;
}

SysResult interrupted_or(Program& program, const Thread& thread, SysResult result) {
    return result == 0 && program.signals().has(thread, ~thread.blocked) ? -EINTR : result;
}

}  // namespace divisi::hv
