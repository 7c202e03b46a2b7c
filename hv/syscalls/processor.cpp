// System calls about the processors that threads run on, and how they are scheduled there.
#include <sched.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "hv/syscalls/call.hpp"

namespace divisi::hv {
namespace {

SysResult sys_sched_yield(Call& /*call*/) {
    return 0;
}  // the program's loop gives way

std::shared_ptr<Thread> thread_of(Call& call, int tid) {
    return call.program.find_thread(tid == 0 ? call.thread.tid : tid);
}

SysResult sys_sched_getaffinity(Call& call) {
    const auto thread = thread_of(call, call.int_arg(0));
    if (thread == nullptr) return -ESRCH;
    const unsigned cpus = call.program.scheduler().cpus();
    const std::size_t bytes = (cpus + 63) / 64 * 8;
    if (call.arg(1) < bytes || call.arg(1) % 8 != 0) return -EINVAL;
    const CpuSet affinity = call.program.scheduler().affinity(*thread);
    std::vector<std::uint64_t> mask(bytes / 8);
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
        if (affinity.test(cpu)) mask[cpu / 64] |= 1ULL << (cpu % 64);
    }
    return call.memory().copy_out(call.arg(2), mask.data(), bytes) ? static_cast<SysResult>(bytes) : -EFAULT;
}

SysResult sys_sched_setaffinity(Call& call) {
    const auto thread = thread_of(call, call.int_arg(0));
    if (thread == nullptr) return -ESRCH;
    std::array<std::uint64_t, kMaxCpus / 64> mask{};
    if (!call.memory().copy_in(mask.data(), call.arg(2), std::min<std::uint64_t>(call.arg(1), sizeof mask)))
        return -EFAULT;
    CpuSet affinity;
    for (unsigned cpu = 0; cpu < call.program.scheduler().cpus(); ++cpu)
        affinity.set(cpu, ((mask[cpu / 64] >> (cpu % 64)) & 1U) != 0);
    if (affinity.none()) return -EINVAL;
    call.program.scheduler().set_affinity(*thread, affinity);
    return 0;
}

SysResult sys_getcpu(Call& call) {
    const auto cpu = static_cast<std::uint32_t>(call.cpu);
    if (call.arg(0) != 0 && !call.memory().write(call.arg(0), cpu)) return -EFAULT;
    if (call.arg(1) != 0 && !call.memory().write(call.arg(1), std::uint32_t{0})) return -EFAULT;
    return 0;
}

SysResult sys_sched_getparam(Call& call) {
    return call.memory().write(call.arg(1), 0) ? 0 : -EFAULT;
}
SysResult sys_sched_getscheduler(Call& /*call*/) {
    return SCHED_OTHER;
}
SysResult sys_sched_setscheduler(Call& call) {
    return call.int_arg(1) == SCHED_OTHER ? 0 : -EPERM;
}
SysResult sys_sched_priority_bound(Call& call) {
    const int policy = call.int_arg(0);
    if (policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE) return 0;
    if (policy != SCHED_FIFO && policy != SCHED_RR) return -EINVAL;
    return call.number == SYS_sched_get_priority_max ? 99 : 1;
}

constexpr SyscallEntry kEntries[] = {
    {SYS_sched_yield, "sched_yield", sys_sched_yield, Served::kFully, ""},
    {SYS_sched_getaffinity, "sched_getaffinity", sys_sched_getaffinity, Served::kFully, "the program's nodes"},
    {SYS_sched_setaffinity, "sched_setaffinity", sys_sched_setaffinity, Served::kFully, "moves between nodes"},
    {SYS_getcpu, "getcpu", sys_getcpu, Served::kFully, "the number of the node within the program"},
    {SYS_sched_getparam, "sched_getparam", sys_sched_getparam, Served::kPartly, "priority 0"},
    {SYS_sched_getscheduler, "sched_getscheduler", sys_sched_getscheduler, Served::kPartly, "SCHED_OTHER"},
    {SYS_sched_setscheduler, "sched_setscheduler", sys_sched_setscheduler, Served::kPartly, "SCHED_OTHER only"},
    {SYS_sched_get_priority_max, "sched_get_priority_max", sys_sched_priority_bound, Served::kFully, ""},
    {SYS_sched_get_priority_min, "sched_get_priority_min", sys_sched_priority_bound, Served::kFully, ""},
};

}  // namespace

SyscallList processor_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
