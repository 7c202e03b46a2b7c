#include "hv/vmm/jail.hpp"

#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <initializer_list>
#include <memory>

namespace divisi::hv::vmm {
namespace {

constexpr std::uint32_t kForbidden = SCMP_ACT_ERRNO(EPERM);

// Calls that divisi-vmm never makes on its own nor for a guest.
// clang-format off
constexpr std::array kForbiddenCalls{
    // other programs and processes
    SYS_execve, SYS_execveat, SYS_fork, SYS_vfork, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev,
    SYS_process_madvise, SYS_kcmp, SYS_pidfd_getfd, SYS_pidfd_send_signal, SYS_kill, SYS_tkill, SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo, SYS_process_mrelease,
    // namespaces and mounts
    SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_unshare, SYS_open_tree, SYS_move_mount,
    SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr, SYS_open_by_handle_at,
    // who we are
    SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid,
    SYS_setgroups, SYS_capset, SYS_personality,
    // the machine
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
    SYS_add_key, SYS_request_key, SYS_keyctl, SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
    SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_quotactl_fd, SYS_syslog,
    SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime,
    SYS_sethostname, SYS_setdomainname, SYS_fanotify_init, SYS_lookup_dcookie, SYS_nfsservctl, SYS_vhangup};
// clang-format on

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

// libseccomp's negative errno as an Error.
Result<void> checked(int status, const char* what) {
    if (status < 0) return system_error(-status, what, "seccomp");
    return {};
}

Result<void> add_rules(scmp_filter_ctx filter) {
    for (const auto number : kForbiddenCalls)
        DIVISI_TRY(checked(seccomp_rule_add(filter, kForbidden, static_cast<int>(number), 0), "cannot forbid a call"));
    // Threads yes, processes no. clone3's flags lie in memory, where no filter looks: the C library then uses clone.
    const scmp_arg_cmp no_thread{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0};
    DIVISI_TRY(checked(seccomp_rule_add(filter, kForbidden, SCMP_SYS(clone), 1, no_thread), "cannot restrict clone"));
    DIVISI_TRY(
        checked(seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0), "cannot restrict clone3"));
    const scmp_arg_cmp not_unix{0, SCMP_CMP_NE, AF_UNIX, 0};
    DIVISI_TRY(checked(seccomp_rule_add(filter, kForbidden, SCMP_SYS(socket), 1, not_unix), "cannot restrict socket"));
    const scmp_arg_cmp not_ours{0, SCMP_CMP_NE, static_cast<scmp_datum_t>(::getpid()), 0};
    return checked(seccomp_rule_add(filter, kForbidden, SCMP_SYS(tgkill), 1, not_ours), "cannot restrict tgkill");
}

}  // namespace

Result<void> drop_privileges() {
    constexpr std::uint32_t kKept =
        1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER | 1U << CAP_FSETID;
    static_assert(CAP_FSETID < 32);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return system_error(errno, "cannot give up new privileges");
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> held{};
    if (::syscall(SYS_capget, &header, held.data()) != 0) return system_error(errno, "cannot read capabilities");
    for (std::size_t half = 0; half < held.size(); ++half) {
        const std::uint32_t kept = half == 0 ? kKept : 0;
        held.at(half).effective &= kept;
        held.at(half).permitted &= kept;
        held.at(half).inheritable = 0;
    }
    if (::syscall(SYS_capset, &header, held.data()) != 0) return system_error(errno, "cannot drop capabilities");
    return {};
}

Result<void> forbid_system_calls() {
    const Filter filter(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release);
    if (!filter) return make_error(Errc::kUnsupported, "cannot make a system-call filter", "seccomp");
    // All threads at once: nodes have been set up by now. Other tables of calls (x32, i386) are refused whole.
    DIVISI_TRY(checked(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1), "cannot reach all threads"));
    DIVISI_TRY(checked(seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS),
                       "cannot refuse other architectures"));
    DIVISI_TRY(add_rules(filter.get()));
    return checked(seccomp_load(filter.get()), "cannot install the system-call filter");
}

}  // namespace divisi::hv::vmm
