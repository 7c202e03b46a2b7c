// System calls about threads: clone(2), futex(2), affinity, and what glibc and musl call at a thread's start and end.
#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "hv/syscalls/call.hpp"

namespace divisi::hv {
namespace {

// What a thread shares with its creator. A call without these would make a process.
constexpr std::uint64_t kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

struct CloneRequest {
    std::uint64_t flags = 0;
    Gva stack = 0;
    Gva parent_tid = 0;
    Gva child_tid = 0;
    std::uint64_t tls = 0;
};

SysResult make_thread(Call& call, const CloneRequest& request) {
    // One program a node: no processes in it (fork, vfork).
    if ((request.flags & kThreadFlags) != kThreadFlags) {
        call.program.count_unserved(call.number);
        return -ENOSYS;
    }
    if (call.program.thread_ids().size() >= 32768) return -EAGAIN;
    if (request.stack >= kUserBytes) return -EINVAL;
    // The child starts with the creator's vector state.
    if (auto saved = call.vcpu.save(call.thread.context); !saved) return -EAGAIN;
    Thread& child = call.program.create_thread(call.thread);
    child.context.regs.rax = 0;
    if (request.stack != 0) child.context.regs.rsp = request.stack;
    if ((request.flags & CLONE_SETTLS) != 0) child.context.fs_base = request.tls;
    if ((request.flags & CLONE_CHILD_CLEARTID) != 0) child.clear_child_tid = request.child_tid;
    const int tid = child.tid;
    if ((request.flags & CLONE_PARENT_SETTID) != 0) call.memory().write(request.parent_tid, tid);
    if ((request.flags & CLONE_CHILD_SETTID) != 0) call.memory().write(request.child_tid, tid);
    call.program.scheduler().start(child);
    return tid;
}

SysResult sys_clone(Call& call) {
    CloneRequest request;
    request.flags = call.arg(0);
    request.stack = call.arg(1);
    request.parent_tid = call.arg(2);
    request.child_tid = call.arg(3);
    request.tls = call.arg(4);
    return make_thread(call, request);
}

SysResult sys_clone3(Call& call) {
    clone_args args{};
    const std::uint64_t size = call.arg(1);
    if (size < CLONE_ARGS_SIZE_VER0) return -EINVAL;
    if (size > kPageBytes) return -E2BIG;
    if (!call.memory().copy_in(&args, call.arg(0), std::min<std::uint64_t>(size, sizeof args))) return -EFAULT;
    if (args.stack == 0 ? args.stack_size != 0 : args.stack_size == 0) return -EINVAL;
    if (args.stack > kUserBytes || args.stack_size > kUserBytes) return -EINVAL;
    CloneRequest request;
    request.flags = args.flags;
    request.stack = args.stack + args.stack_size;
    request.parent_tid = args.parent_tid;
    request.child_tid = args.child_tid;
    request.tls = args.tls;
    return make_thread(call, request);
}

// Source: Documentation/locking/robust-futexes.rst of the kernel.
void release_robust_futexes(Call& call) {
    AddressSpace& memory = call.memory();
    struct Head {
        Gva next;
        std::int64_t offset;
        Gva pending;
    };
    const auto head = memory.read<Head>(call.thread.robust_list);
    if (call.thread.robust_list == 0 || !head) return;
    const auto release = [&](Gva entry) {
        const Gva at = (entry & ~1ULL) + static_cast<Gva>(head->offset);
        std::uint32_t* word = memory.word(at);
        if (word == nullptr) return;
        const std::atomic_ref value(*word);
        std::uint32_t seen = value.load();
        while ((seen & FUTEX_TID_MASK) == static_cast<std::uint32_t>(call.thread.tid)) {
            if (!value.compare_exchange_weak(seen, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED)) continue;
            if ((seen & FUTEX_WAITERS) != 0) call.program.services().futexes.wake(call.program.futex_key(at), 1, ~0U);
            return;
        }
    };
    Gva entry = head->next;
    // The list is the program's: it may be circular or endless.
    for (int limit = 0; limit < 2048 && (entry & ~1ULL) != call.thread.robust_list; ++limit) {
        const auto next = memory.read<Gva>(entry & ~1ULL);
        if (entry != head->pending) release(entry);
        if (!next) return;
        entry = *next;
    }
    if (head->pending != 0) release(head->pending);
}

SysResult sys_exit(Call& call) {
    release_robust_futexes(call);
    if (call.thread.clear_child_tid != 0 && call.memory().write(call.thread.clear_child_tid, std::uint32_t{0}))
        call.program.services().futexes.wake(call.program.futex_key(call.thread.clear_child_tid), 1, ~0U);
    call.program.exit_thread(call.thread, call.int_arg(0) & 0xff);
    return 0;
}

SysResult sys_exit_group(Call& call) {
    call.program.exit_group(call.int_arg(0));
    return kLeavesRegisters;
}

SysResult sys_set_tid_address(Call& call) {
    call.thread.clear_child_tid = call.arg(0);
    return call.thread.tid;
}

SysResult sys_set_robust_list(Call& call) {
    if (call.arg(1) != 24) return -EINVAL;
    call.thread.robust_list = call.arg(0);
    return 0;
}

SysResult sys_gettid(Call& call) {
    return call.thread.tid;
}

// ---- futex ----

using Clock = Timers::Clock;

// The time at which a wait ends. `absolute` times are of CLOCK_MONOTONIC or, with `realtime`, of CLOCK_REALTIME.
SysResult read_deadline(Call& call, Gva at, bool absolute, bool realtime, std::optional<Clock::time_point>& deadline) {
    if (at == 0) return 0;
    const auto value = call.memory().read<timespec>(at);
    if (!value) return -EFAULT;
    if (value->tv_sec < 0 || value->tv_nsec < 0 || value->tv_nsec >= 1'000'000'000) return -EINVAL;
    // Beyond a century is for ever; and it must not overflow.
    constexpr std::int64_t kCentury = 3'200'000'000;
    const auto duration = std::chrono::seconds(std::min<std::int64_t>(value->tv_sec, kCentury)) +
                          std::chrono::nanoseconds(value->tv_nsec);
    if (!absolute) {
        deadline = Clock::now() + duration;
    } else if (realtime) {
        const auto left = duration - std::chrono::duration_cast<std::chrono::nanoseconds>(
                                         std::chrono::system_clock::now().time_since_epoch());
        deadline = Clock::now() + left;
    } else {
        deadline = Clock::time_point(duration);
    }
    return 0;
}

FutexTable::Word word_at(Call& call, Gva address, std::uint32_t expected) {
    return {call.program.futex_key(address), call.memory().word(address), expected};
}

SysResult futex_wait(Call& call, std::uint32_t bitset, bool absolute, bool realtime) {
    if (bitset == 0) return -EINVAL;
    std::optional<Clock::time_point> deadline;
    if (const SysResult error = read_deadline(call, call.arg(3), absolute, realtime, deadline); error != 0)
        return error;
    const FutexTable::Word word = word_at(call, call.arg(0), static_cast<std::uint32_t>(call.arg(2)));
    if (word.host == nullptr) return call.arg(0) % 4 != 0 ? -EINVAL : -EFAULT;
    const SysResult queued = call.program.services().futexes.wait(call.thread, {word}, bitset, deadline);
    return queued == 0 ? kWaits : queued;
}

SysResult sys_futex(Call& call) {
    const int operation = call.int_arg(1);
    const int command = operation & FUTEX_CMD_MASK;
    const bool realtime = (operation & FUTEX_CLOCK_REALTIME) != 0;
    FutexTable& futexes = call.program.services().futexes;
    const auto count = static_cast<std::uint32_t>(std::clamp(call.int_arg(2), 0, INT32_MAX));
    const auto second_count = static_cast<std::uint32_t>(std::clamp(call.int_arg(3), 0, INT32_MAX));
    if (call.arg(0) % 4 != 0) return -EINVAL;
    const FutexTable::Key key = call.program.futex_key(call.arg(0));
    switch (command) {
        case FUTEX_WAIT: return futex_wait(call, ~0U, false, false);
        case FUTEX_WAIT_BITSET: return futex_wait(call, static_cast<std::uint32_t>(call.arg(5)), true, realtime);
        case FUTEX_WAKE: return futexes.wake(key, std::max(count, 1U), ~0U);
        case FUTEX_WAKE_BITSET:
            if (call.arg(5) == 0) return -EINVAL;
            return futexes.wake(key, std::max(count, 1U), static_cast<std::uint32_t>(call.arg(5)));
        case FUTEX_REQUEUE:
            if (call.memory().word(call.arg(4)) == nullptr) return -EFAULT;
            return futexes.requeue(key, call.program.futex_key(call.arg(4)), count, second_count, std::nullopt);
        case FUTEX_CMP_REQUEUE: {
            const auto check = word_at(call, call.arg(0), static_cast<std::uint32_t>(call.arg(5)));
            if (check.host == nullptr || call.memory().word(call.arg(4)) == nullptr) return -EFAULT;
            return futexes.requeue(key, call.program.futex_key(call.arg(4)), count, second_count, check);
        }
        case FUTEX_WAKE_OP: {
            std::uint32_t* target = call.memory().word(call.arg(4));
            if (target == nullptr) return -EFAULT;
            return futexes.wake_op(key, count, call.program.futex_key(call.arg(4)), second_count, target,
                                   static_cast<std::uint32_t>(call.arg(5)));
        }
        default: return -ENOSYS;  // priority inheritance
    }
}

SysResult sys_futex_waitv(Call& call) {
    constexpr std::uint64_t kMaxWords = 128;
    const std::uint64_t count = call.arg(1);
    if (count == 0 || count > kMaxWords || call.arg(2) != 0) return -EINVAL;
    std::vector<futex_waitv> requests(count);
    if (!call.memory().copy_in(requests.data(), call.arg(0), count * sizeof requests[0])) return -EFAULT;
    std::optional<Clock::time_point> deadline;
    const bool realtime = call.int_arg(4) == CLOCK_REALTIME;
    if (const SysResult error = read_deadline(call, call.arg(3), true, realtime, deadline); error != 0) return error;
    std::vector<FutexTable::Word> words;
    for (const futex_waitv& request : requests) {
        if ((request.flags & ~static_cast<std::uint32_t>(FUTEX_PRIVATE_FLAG)) != FUTEX_32 || request.__reserved != 0)
            return -EINVAL;
        words.push_back(word_at(call, request.uaddr, static_cast<std::uint32_t>(request.val)));
        if (words.back().host == nullptr) return request.uaddr % 4 != 0 ? -EINVAL : -EFAULT;
    }
    const SysResult queued = call.program.services().futexes.wait(call.thread, words, ~0U, deadline);
    return queued == 0 ? kWaits : queued;
}

// ---- processors ----

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

SysResult sys_arch_prctl(Call& call) {
    ThreadContext& context = call.thread.context;
    switch (call.int_arg(0)) {
        case ARCH_SET_FS:
        case ARCH_SET_GS: {
            if (call.arg(1) >= kUserBytes) return -EPERM;
            const bool fs = call.int_arg(0) == ARCH_SET_FS;
            (fs ? context.fs_base : context.gs_base) = call.arg(1);
            const auto set = fs ? call.vcpu.set_fs_base(call.arg(1)) : call.vcpu.set_gs_base(call.arg(1));
            return set ? 0 : -EIO;
        }
        case ARCH_GET_FS: return call.memory().write(call.arg(1), context.fs_base) ? 0 : -EFAULT;
        case ARCH_GET_GS: return call.memory().write(call.arg(1), context.gs_base) ? 0 : -EFAULT;
        default: return -EINVAL;
    }
}

SysResult sys_prctl(Call& call) {
    constexpr std::size_t kNameBytes = 16;
    std::array<char, kNameBytes> name{};
    switch (call.int_arg(0)) {
        case PR_SET_NAME: {
            const auto text = call.memory().copy_string_in(call.arg(1), kPageBytes);
            if (!text) return -EFAULT;
            call.thread.name.set(*text);
            return 0;
        }
        case PR_GET_NAME:
            call.thread.name.get().copy(name.data(), kNameBytes - 1);
            return call.memory().write(call.arg(1), name) ? 0 : -EFAULT;
        case PR_GET_DUMPABLE: return 1;
        case PR_SET_DUMPABLE:
        case PR_SET_PDEATHSIG:
        case PR_SET_TIMERSLACK:
        case PR_SET_NO_NEW_PRIVS: return 0;
        default: return -EINVAL;
    }
}

constexpr SyscallEntry kEntries[] = {
    {SYS_clone, "clone", sys_clone, Served::kPartly, "threads; no processes (fork)"},
    {SYS_clone3, "clone3", sys_clone3, Served::kPartly, "threads; no processes"},
    {SYS_exit, "exit", sys_exit, Served::kFully, ""},
    {SYS_exit_group, "exit_group", sys_exit_group, Served::kFully, ""},
    {SYS_set_tid_address, "set_tid_address", sys_set_tid_address, Served::kFully, ""},
    {SYS_set_robust_list, "set_robust_list", sys_set_robust_list, Served::kFully, ""},
    {SYS_gettid, "gettid", sys_gettid, Served::kFully, ""},
    {SYS_futex, "futex", sys_futex, Served::kPartly, "no priority inheritance"},
    {SYS_futex_waitv, "futex_waitv", sys_futex_waitv, Served::kFully, ""},
    {SYS_sched_yield, "sched_yield", sys_sched_yield, Served::kFully, ""},
    {SYS_sched_getaffinity, "sched_getaffinity", sys_sched_getaffinity, Served::kFully, "the program's nodes"},
    {SYS_sched_setaffinity, "sched_setaffinity", sys_sched_setaffinity, Served::kFully, "moves between nodes"},
    {SYS_getcpu, "getcpu", sys_getcpu, Served::kFully, "the number of the node within the program"},
    {SYS_sched_getparam, "sched_getparam", sys_sched_getparam, Served::kPartly, "priority 0"},
    {SYS_sched_getscheduler, "sched_getscheduler", sys_sched_getscheduler, Served::kPartly, "SCHED_OTHER"},
    {SYS_sched_setscheduler, "sched_setscheduler", sys_sched_setscheduler, Served::kPartly, "SCHED_OTHER only"},
    {SYS_sched_get_priority_max, "sched_get_priority_max", sys_sched_priority_bound, Served::kFully, ""},
    {SYS_sched_get_priority_min, "sched_get_priority_min", sys_sched_priority_bound, Served::kFully, ""},
    {SYS_arch_prctl, "arch_prctl", sys_arch_prctl, Served::kPartly, "FS and GS bases"},
    {SYS_prctl, "prctl", sys_prctl, Served::kPartly, "names; some flags accepted"},
};

}  // namespace

SyscallList thread_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
