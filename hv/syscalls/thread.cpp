// System calls about threads: clone(2), and what glibc and musl call at a thread's start and end.
#include <asm/prctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
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
    if (call.program.thread_count() >= call.program.limits().soft(RLIMIT_NPROC)) return -EAGAIN;
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

SysResult sys_exit(Call& call) {
    call.program.services().futexes.owner_died(call.thread);
    release_robust_futexes(call);
    if (call.thread.clear_child_tid != 0 && call.memory().write(call.thread.clear_child_tid, std::uint32_t{0}))
        call.program.services().futexes.wake(call.program.futex_key(call.thread.clear_child_tid), 1, ~0U);
    call.program.exit_thread(call.thread, call.int_arg(0) & 0xff);
    return 0;
}

// Ours, not Linux's: the whole job ends, with this code for every rank that has not ended. What MPI_Abort is made of.
SysResult sys_divisi_end_job(Call& call) {
    if (!call.program.spec().end_job) return -ENOSYS;
    call.program.spec().end_job(call.int_arg(0));
    call.program.exit_group(call.int_arg(0));
    return kLeavesRegisters;
}

SysResult sys_exit_group(Call& call) {
    call.program.exit_group(call.int_arg(0));
    return kLeavesRegisters;
}

SysResult sys_set_tid_address(Call& call) {
    call.thread.clear_child_tid = call.arg(0);
    return call.thread.tid;
}

SysResult sys_gettid(Call& call) {
    return call.thread.tid;
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
    {kSysEndJob, "divisi_end_job", sys_divisi_end_job, Served::kFully, "not of Linux: ends all ranks of the job"},
    {SYS_set_tid_address, "set_tid_address", sys_set_tid_address, Served::kFully, ""},
    {SYS_gettid, "gettid", sys_gettid, Served::kFully, ""},
    {SYS_arch_prctl, "arch_prctl", sys_arch_prctl, Served::kPartly, "FS and GS bases"},
    {SYS_prctl, "prctl", sys_prctl, Served::kPartly, "names; some flags accepted"},
};

}  // namespace

SyscallList thread_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
