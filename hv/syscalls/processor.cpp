// System calls about the processors that threads run on, and how they are scheduled there.
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

// ---- policies and priorities: all threads are equal ----

bool real_time(int policy) {
    return policy == SCHED_FIFO || policy == SCHED_RR;
}
bool ordinary(int policy) {
    return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE;
}

// `policy` is -1 where it stays as it is.
SysResult set_policy(Call& call, int policy, int priority) {
    const auto thread = thread_of(call, call.int_arg(0));
    if (thread == nullptr) return -ESRCH;
    policy = policy == -1 ? thread->policy.load() : policy & ~SCHED_RESET_ON_FORK;
    if (!real_time(policy) && !ordinary(policy)) return -EINVAL;
    if (ordinary(policy) ? priority != 0 : priority < 1 || priority > 99) return -EINVAL;
    if (real_time(policy)) return -EPERM;
    thread->policy = policy;
    return 0;
}

SysResult sys_sched_getparam(Call& call) {
    if (call.int_arg(0) < 0 || call.arg(1) == 0) return -EINVAL;
    if (thread_of(call, call.int_arg(0)) == nullptr) return -ESRCH;
    return call.memory().write(call.arg(1), 0) ? 0 : -EFAULT;
}
SysResult sys_sched_setparam(Call& call) {
    if (call.int_arg(0) < 0 || call.arg(1) == 0) return -EINVAL;
    const auto priority = call.memory().read<int>(call.arg(1));
    return priority ? set_policy(call, -1, *priority) : -EFAULT;
}
SysResult sys_sched_getscheduler(Call& call) {
    if (call.int_arg(0) < 0) return -EINVAL;
    const auto thread = thread_of(call, call.int_arg(0));
    return thread != nullptr ? thread->policy.load() : -ESRCH;
}
SysResult sys_sched_setscheduler(Call& call) {
    if (call.int_arg(0) < 0 || call.int_arg(1) < 0 || call.arg(2) == 0) return -EINVAL;
    const auto priority = call.memory().read<int>(call.arg(2));
    return priority ? set_policy(call, call.int_arg(1), *priority) : -EFAULT;
}
SysResult sys_sched_priority_bound(Call& call) {
    if (ordinary(call.int_arg(0)) || call.int_arg(0) == 6 /* SCHED_DEADLINE */) return 0;
    if (!real_time(call.int_arg(0))) return -EINVAL;
    return call.number == SYS_sched_get_priority_max ? 99 : 1;
}
SysResult sys_sched_rr_get_interval(Call& call) {
    if (call.int_arg(0) < 0) return -EINVAL;
    if (thread_of(call, call.int_arg(0)) == nullptr) return -ESRCH;
    const timespec slice{0, 10'000'000};  // the scheduler's
    return call.memory().write(call.arg(1), slice) ? 0 : -EFAULT;
}

// The kernel's sched_attr, in its first version.
struct SchedulingAttributes {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
};
static_assert(sizeof(SchedulingAttributes) == 48);

SysResult sys_sched_getattr(Call& call) {
    if (call.int_arg(0) < 0 || call.arg(1) == 0 || call.arg(3) != 0) return -EINVAL;
    if (call.arg(2) < sizeof(SchedulingAttributes) || call.arg(2) > kPageBytes) return -EINVAL;
    const auto thread = thread_of(call, call.int_arg(0));
    if (thread == nullptr) return -ESRCH;
    SchedulingAttributes attributes{};
    attributes.size = sizeof attributes;
    attributes.policy = static_cast<std::uint32_t>(thread->policy.load());
    return call.memory().write(call.arg(1), attributes) ? 0 : -EFAULT;
}
SysResult sys_sched_setattr(Call& call) {
    if (call.int_arg(0) < 0 || call.arg(1) == 0 || call.arg(2) != 0) return -EINVAL;
    const auto attributes = call.memory().read<SchedulingAttributes>(call.arg(1));
    if (!attributes) return -EFAULT;
    if (attributes->policy > INT32_MAX || attributes->priority > INT32_MAX) return -EINVAL;
    return set_policy(call, static_cast<int>(attributes->policy), static_cast<int>(attributes->priority));
}

// ---- memory between processors ----

// The host's barrier over everything that runs is one over the nodes, too: leaving and entering a guest is a barrier.
SysResult sys_membarrier(Call& call) {
    constexpr int kServed =
        MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    if (call.arg(1) != 0) return -EINVAL;
    switch (call.int_arg(0)) {
        case MEMBARRIER_CMD_QUERY: return kServed;
        case MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED: call.program.membarrier_registered = true; return 0;
        case MEMBARRIER_CMD_PRIVATE_EXPEDITED:
            if (!call.program.membarrier_registered) return -EPERM;
            [[fallthrough]];
        case MEMBARRIER_CMD_GLOBAL: return host_result(::syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
        default: return -EINVAL;
    }
}

// One memory, near to all: every policy that names it is as good as any other.
SysResult sys_get_mempolicy(Call& call) {
    const auto flags = call.arg(4);
    if ((flags & ~7ULL) != 0) return -EINVAL;
    const bool asks_nodes = (flags & 4) != 0;  // MPOL_F_MEMS_ALLOWED
    if (call.arg(0) != 0 && !call.memory().write(call.arg(0), 0)) return -EFAULT;
    if (call.arg(1) == 0) return 0;
    if (call.arg(2) < 1) return -EINVAL;
    const std::uint64_t nodes = asks_nodes ? 1 : 0;
    return call.memory().write(call.arg(1), nodes) ? 0 : -EFAULT;
}
SysResult set_memory_policy(Call& call, int policy, Gva nodes) {
    constexpr int kHighest = 6;
    constexpr int kFlags = 0xf000;
    if ((policy & ~kFlags) < 0 || (policy & ~kFlags) > kHighest) return -EINVAL;
    if (nodes == 0) return 0;
    const auto mask = call.memory().read<std::uint64_t>(nodes);
    if (!mask) return -EFAULT;
    return (*mask & ~1ULL) != 0 ? -EINVAL : 0;
}
SysResult sys_set_mempolicy(Call& call) {
    return set_memory_policy(call, call.int_arg(0), call.arg(1));
}
SysResult sys_mbind(Call& call) {
    if (call.arg(0) % kPageBytes != 0) return -EINVAL;
    return set_memory_policy(call, call.int_arg(2), call.arg(3));
}

constexpr SyscallEntry kEntries[] = {
    {SYS_sched_yield, "sched_yield", sys_sched_yield, Served::kFully, ""},
    {SYS_sched_getaffinity, "sched_getaffinity", sys_sched_getaffinity, Served::kFully, "the program's nodes"},
    {SYS_sched_setaffinity, "sched_setaffinity", sys_sched_setaffinity, Served::kFully, "moves between nodes"},
    {SYS_getcpu, "getcpu", sys_getcpu, Served::kFully, "the number of the node within the program"},
    {SYS_sched_setparam, "sched_setparam", sys_sched_setparam, Served::kPartly, "priority 0"},
    {SYS_sched_rr_get_interval, "sched_rr_get_interval", sys_sched_rr_get_interval, Served::kFully, ""},
    {SYS_sched_getattr, "sched_getattr", sys_sched_getattr, Served::kFully, ""},
    {SYS_sched_setattr, "sched_setattr", sys_sched_setattr, Served::kPartly,
     "no real-time policies; the others change nothing"},
    {SYS_membarrier, "membarrier", sys_membarrier, Served::kPartly, "global and private expedited"},
    {SYS_get_mempolicy, "get_mempolicy", sys_get_mempolicy, Served::kPartly, "one memory: the default"},
    {SYS_set_mempolicy, "set_mempolicy", sys_set_mempolicy, Served::kPartly, "one memory: accepted"},
    {SYS_mbind, "mbind", sys_mbind, Served::kPartly, "one memory: accepted"},
    {SYS_sched_getparam, "sched_getparam", sys_sched_getparam, Served::kPartly, "priority 0"},
    {SYS_sched_getscheduler, "sched_getscheduler", sys_sched_getscheduler, Served::kFully, ""},
    {SYS_sched_setscheduler, "sched_setscheduler", sys_sched_setscheduler, Served::kPartly,
     "no real-time policies; the others change nothing"},
    {SYS_sched_get_priority_max, "sched_get_priority_max", sys_sched_priority_bound, Served::kFully, ""},
    {SYS_sched_get_priority_min, "sched_get_priority_min", sys_sched_priority_bound, Served::kFully, ""},
};

}  // namespace

SyscallList processor_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
