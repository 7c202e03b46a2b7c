// System calls about signals.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "hv/syscalls/call.hpp"
#include "hv/syscalls/waits.hpp"

namespace divisi::hv {
namespace {

constexpr SignalSet kUnblockable = (1ULL << (SIGKILL - 1)) | (1ULL << (SIGSTOP - 1));
constexpr std::uint64_t kMaskBytes = 8;

bool valid_signal(int signo) {
    return signo >= 1 && signo <= kSignalCount;
}

SysResult sys_rt_sigaction(Call& call) {
    const int signo = call.int_arg(0);
    if (!valid_signal(signo) || call.arg(3) != kMaskBytes) return -EINVAL;
    SignalAction old = call.program.signals().action(signo);
    if (call.arg(1) != 0) {
        if (signo == SIGKILL || signo == SIGSTOP) return -EINVAL;
        auto action = call.memory().read<SignalAction>(call.arg(1));
        if (!action) return -EFAULT;
        action->mask &= ~kUnblockable;
        old = call.program.signals().set_action(signo, *action);
    }
    return call.arg(2) == 0 || call.memory().write(call.arg(2), old) ? 0 : -EFAULT;
}

SysResult sys_rt_sigprocmask(Call& call) {
    if (call.arg(3) != kMaskBytes) return -EINVAL;
    const SignalSet old = call.thread.blocked;
    if (call.arg(1) != 0) {
        const auto set = call.memory().read<SignalSet>(call.arg(1));
        if (!set) return -EFAULT;
        SignalSet now = old;
        switch (call.int_arg(0)) {
            case SIG_BLOCK: now |= *set; break;
            case SIG_UNBLOCK: now &= ~*set; break;
            case SIG_SETMASK: now = *set; break;
            default: return -EINVAL;
        }
        call.thread.blocked = now & ~kUnblockable;
        if ((now & ~old) != 0) call.program.pass_on_signals(call.thread, old);
    }
    return call.arg(2) == 0 || call.memory().write(call.arg(2), old) ? 0 : -EFAULT;
}

SysResult sys_rt_sigreturn(Call& call) {
    const SignalSet before = call.thread.blocked;
    if (!leave_handler(call.thread, call.memory()) || !call.vcpu.load(call.thread.context))
        call.program.terminate(SIGSEGV);
    call.program.pass_on_signals(call.thread, before);
    return kLeavesRegisters;
}

SysResult sys_sigaltstack(Call& call) {
    const Gva sp = call.thread.context.regs.rsp;
    const KernelStack old = describe_alt_stack(call.thread, sp);
    if (call.arg(0) != 0) {
        const auto wanted = call.memory().read<KernelStack>(call.arg(0));
        if (!wanted) return -EFAULT;
        if (const SysResult error = set_alt_stack(call.thread, *wanted, sp); error != 0) return error;
    }
    return call.arg(1) == 0 || call.memory().write(call.arg(1), old) ? 0 : -EFAULT;
}

SignalInfo user_signal(Call& call, int signo, int code) {
    SignalInfo info;
    info.signo = signo;
    info.code = code;
    info.pid = call.program.pid();
    info.uid = ::getuid();
    return info;
}

SysResult send_to_thread(Call& call, int tid, int signo) {
    if (signo != 0 && !valid_signal(signo)) return -EINVAL;
    const auto thread = call.program.find_thread(tid);
    if (thread == nullptr) return -ESRCH;
    if (signo != 0) call.program.send_thread_signal(*thread, user_signal(call, signo, SI_TKILL));
    return 0;
}

SysResult sys_tgkill(Call& call) {
    if (call.int_arg(0) != call.program.pid()) return -ESRCH;
    return send_to_thread(call, call.int_arg(1), call.int_arg(2));
}

SysResult sys_tkill(Call& call) {
    return send_to_thread(call, call.int_arg(0), call.int_arg(1));
}

SysResult sys_kill(Call& call) {
    const int pid = call.int_arg(0);
    const int signo = call.int_arg(1);
    if (signo != 0 && !valid_signal(signo)) return -EINVAL;
    // A node's only process is itself.
    if (pid != call.program.pid() && pid != 0 && pid != -1 && pid != -call.program.pid()) return -ESRCH;
    if (signo != 0) call.program.send_signal(user_signal(call, signo, SI_USER));
    return 0;
}

// ---- with a value ----

// The signal as the program made it up. Only what says of itself that a program sent it may be sent.
SysResult queued_signal(Call& call, int signo, Gva at, SignalInfo& info) {
    const auto given = call.memory().read<KernelSigInfo>(at);
    if (!given) return -EFAULT;
    info.signo = signo;
    info.code = given->code;
    info.pid = static_cast<int>(static_cast<std::uint32_t>(given->fields[0]));
    info.uid = static_cast<std::uint32_t>(given->fields[0] >> 32U);
    info.value = given->fields[1];
    if (signo != 0 && !valid_signal(signo)) return -EINVAL;
    return info.code >= 0 || info.code == SI_TKILL ? -EPERM : 0;
}

SysResult sys_rt_sigqueueinfo(Call& call) {
    SignalInfo info;
    const SysResult error = queued_signal(call, call.int_arg(1), call.arg(2), info);
    // A program may send itself anything.
    if (error != 0 && (error != -EPERM || call.int_arg(0) != call.program.pid())) return error;
    if (call.int_arg(0) != call.program.pid()) return -ESRCH;
    if (info.signo == 0) return 0;
    call.program.send_signal(info);
    return 0;
}

SysResult sys_rt_tgsigqueueinfo(Call& call) {
    if (call.int_arg(0) <= 0 || call.int_arg(1) <= 0) return -EINVAL;
    SignalInfo info;
    const SysResult error = queued_signal(call, call.int_arg(2), call.arg(3), info);
    if (error != 0 && (error != -EPERM || call.int_arg(0) != call.program.pid())) return error;
    const auto thread = call.program.find_thread(call.int_arg(1));
    if (call.int_arg(0) != call.program.pid() || thread == nullptr) return -ESRCH;
    if (info.signo != 0) call.program.send_thread_signal(*thread, info);
    return 0;
}

// ---- as a file ----

SysResult open_signal_file(Call& call, SignalSet set, int flags) {
    if ((flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) != 0) return -EINVAL;
    auto file = std::make_shared<OpenFile>();
    file->fd = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!file->fd.valid()) return -errno;
    auto event = file->fd.duplicate();
    if (!event) return -EMFILE;
    file->signals = std::make_shared<SignalFile>(std::move(*event), set);
    file->flags = O_RDWR | (flags & O_NONBLOCK);
    file->path = "anon_inode:[signalfd]";
    file->may_block = true;
    call.program.signals().watch(call.thread, file->signals);
    return call.program.files().add(std::move(file), (flags & SFD_CLOEXEC) != 0);
}

SysResult sys_signalfd4(Call& call) {
    if (call.arg(2) != kMaskBytes) return -EINVAL;
    const auto given = call.memory().read<SignalSet>(call.arg(1));
    if (!given) return -EFAULT;
    const SignalSet set = *given & ~kUnblockable;
    const int flags = call.number == SYS_signalfd4 ? call.int_arg(3) : 0;
    if (call.int_arg(0) == -1) return open_signal_file(call, set, flags);
    const auto file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    if (!file->signals || (flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) != 0) return -EINVAL;
    file->signals->change(set);
    call.program.signals().watch(call.thread, file->signals);
    return call.int_arg(0);
}

SysResult sys_rt_sigpending(Call& call) {
    const SignalSet set = call.program.signals().pending(call.thread) & call.thread.blocked;
    return call.memory().write(call.arg(0), set) ? 0 : -EFAULT;
}

SysResult sys_rt_sigsuspend(Call& call) {
    if (call.arg(1) != kMaskBytes) return -EINVAL;
    const auto set = call.memory().read<SignalSet>(call.arg(0));
    if (!set) return -EFAULT;
    call.thread.blocked_before_suspend = call.thread.blocked;
    call.thread.restore_blocked = true;
    call.thread.blocked = *set & ~kUnblockable;
    call.program.pass_on_signals(call.thread, call.thread.blocked_before_suspend);
    call.program.scheduler().prepare(call.thread, true);
    return kWaits;
}

SysResult sys_pause(Call& call) {
    call.program.scheduler().prepare(call.thread, true);
    return kWaits;
}

SysResult hand_over(AddressSpace& memory, const SignalInfo& info, Gva to) {
    return to == 0 || memory.write(to, kernel_info(info)) ? info.signo : -EFAULT;
}

SysResult sys_rt_sigtimedwait(Call& call) {
    if (call.arg(3) != kMaskBytes) return -EINVAL;
    const auto wanted = call.memory().read<SignalSet>(call.arg(0));
    if (!wanted) return -EFAULT;
    Deadline deadline;
    if (const SysResult error = read_timeout(call, call.arg(2), deadline); error != 0) return error;
    const SignalSet set = *wanted & ~kUnblockable;
    Program& program = call.program;
    Thread& thread = call.thread;
    const Gva to = call.arg(1);
    if (const auto info = program.signals().take(thread, set)) return hand_over(call.memory(), *info, to);
    thread.waited_for = set;
    return wait_for_time(call, deadline, [&program, &thread, set, to](SysResult result) -> SysResult {
        thread.waited_for = 0;
        if (const auto info = program.signals().take(thread, set)) return hand_over(program.memory(), *info, to);
        return result == 0 ? -EAGAIN : -EINTR;
    });
}

constexpr SyscallEntry kEntries[] = {
    {SYS_rt_sigaction, "rt_sigaction", sys_rt_sigaction, Served::kFully, ""},
    {SYS_rt_sigprocmask, "rt_sigprocmask", sys_rt_sigprocmask, Served::kFully, ""},
    {SYS_rt_sigreturn, "rt_sigreturn", sys_rt_sigreturn, Served::kFully, ""},
    {SYS_rt_sigpending, "rt_sigpending", sys_rt_sigpending, Served::kFully, ""},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", sys_rt_sigtimedwait, Served::kFully, ""},
    {SYS_rt_sigqueueinfo, "rt_sigqueueinfo", sys_rt_sigqueueinfo, Served::kFully, "the program itself"},
    {SYS_rt_tgsigqueueinfo, "rt_tgsigqueueinfo", sys_rt_tgsigqueueinfo, Served::kFully, "the program itself"},
    {SYS_signalfd, "signalfd", sys_signalfd4, Served::kFully, ""},
    {SYS_signalfd4, "signalfd4", sys_signalfd4, Served::kFully, ""},
    {SYS_rt_sigsuspend, "rt_sigsuspend", sys_rt_sigsuspend, Served::kFully, ""},
    {SYS_pause, "pause", sys_pause, Served::kFully, ""},
    {SYS_sigaltstack, "sigaltstack", sys_sigaltstack, Served::kFully, ""},
    {SYS_tgkill, "tgkill", sys_tgkill, Served::kFully, ""},
    {SYS_tkill, "tkill", sys_tkill, Served::kFully, ""},
    {SYS_kill, "kill", sys_kill, Served::kFully, "the program itself; there is no other process"},
};

}  // namespace

SyscallList signal_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
