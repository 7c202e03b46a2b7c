// System calls about whom the program acts for: user and group identities, sessions, capabilities.
//
// A node has one user, and nobody else to become: a change to what already is succeeds, any other is refused.
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "hv/syscalls/call.hpp"

namespace divisi::hv {
namespace {

constexpr std::uint32_t kUnchanged = ~0U;

std::uint32_t id_arg(const Call& call, std::size_t index) {
    return static_cast<std::uint32_t>(call.arg(index));
}

// Whether the first `count` arguments are all `own`, or (where `optional`) left as they are.
SysResult only(const Call& call, std::size_t count, std::uint32_t own, bool optional) {
    for (std::size_t i = 0; i < count; ++i) {
        if (id_arg(call, i) == kUnchanged && !optional) return -EINVAL;
        if (id_arg(call, i) != own && id_arg(call, i) != kUnchanged) return -EPERM;
    }
    return 0;
}

SysResult sys_setuid(Call& call) {
    return only(call, 1, ::geteuid(), false);
}
SysResult sys_setgid(Call& call) {
    return only(call, 1, ::getegid(), false);
}
SysResult sys_setreuid(Call& call) {
    return only(call, call.number == SYS_setreuid ? 2 : 3, ::geteuid(), true);
}
SysResult sys_setregid(Call& call) {
    return only(call, call.number == SYS_setregid ? 2 : 3, ::getegid(), true);
}
// These two give the identity that was, whether or not they change it.
SysResult sys_setfsuid(Call& /*call*/) {
    return ::geteuid();
}
SysResult sys_setfsgid(Call& /*call*/) {
    return ::getegid();
}
SysResult sys_setgroups(Call& /*call*/) {
    return -EPERM;
}

SysResult write_three(Call& call, std::uint32_t id) {
    for (std::size_t i = 0; i < 3; ++i) {
        if (!call.memory().write(call.arg(i), id)) return -EFAULT;
    }
    return 0;
}
SysResult sys_getresuid(Call& call) {
    return write_three(call, ::geteuid());
}
SysResult sys_getresgid(Call& call) {
    return write_three(call, ::getegid());
}

bool is_self(const Call& call, int pid) {
    return pid == 0 || pid == call.program.pid();
}

SysResult sys_getpgid(Call& call) {
    return call.number == SYS_getpgrp || is_self(call, call.int_arg(0)) ? call.program.pid() : -ESRCH;
}
// The program leads its session and its group, and stays there.
SysResult sys_setpgid(Call& call) {
    if (call.int_arg(1) < 0) return -EINVAL;
    return is_self(call, call.int_arg(0)) ? -EPERM : -ESRCH;
}
SysResult sys_setsid(Call& /*call*/) {
    return -EPERM;
}

// Reads a capability header: how many sets of 32 follow; negative where it is wrong.
SysResult capability_words(Call& call) {
    const auto header = call.memory().read<__user_cap_header_struct>(call.arg(0));
    if (!header) return -EFAULT;
    if (header->version == _LINUX_CAPABILITY_VERSION_1) return 1;
    if (header->version == _LINUX_CAPABILITY_VERSION_2 || header->version == _LINUX_CAPABILITY_VERSION_3)
        return is_self(call, header->pid) ? 2 : -ESRCH;
    const auto preferred = static_cast<std::uint32_t>(_LINUX_CAPABILITY_VERSION_3);
    if (!call.memory().write(call.arg(0), preferred)) return -EFAULT;
    return call.arg(1) == 0 ? 0 : -EINVAL;
}

SysResult sys_capget(Call& call) {
    const SysResult words = capability_words(call);
    if (words <= 0 || call.arg(1) == 0) return std::min<SysResult>(words, 0);
    const std::array<__user_cap_data_struct, 2> none{};
    const auto bytes = static_cast<std::size_t>(words) * sizeof none[0];
    return call.memory().copy_out(call.arg(1), none.data(), bytes) ? 0 : -EFAULT;
}

SysResult sys_capset(Call& call) {
    const SysResult words = capability_words(call);
    if (words <= 0) return words == 0 ? -EINVAL : words;
    std::array<__user_cap_data_struct, 2> wanted{};
    if (!call.memory().copy_in(wanted.data(), call.arg(1), static_cast<std::size_t>(words) * sizeof wanted[0]))
        return -EFAULT;
    for (const auto& set : wanted) {
        if ((set.effective | set.permitted) != 0) return -EPERM;
    }
    return 0;
}

constexpr std::string_view kOneUser = "to what it is already";
constexpr SyscallEntry kEntries[] = {
    {SYS_setuid, "setuid", sys_setuid, Served::kPartly, kOneUser},
    {SYS_setgid, "setgid", sys_setgid, Served::kPartly, kOneUser},
    {SYS_setreuid, "setreuid", sys_setreuid, Served::kPartly, kOneUser},
    {SYS_setregid, "setregid", sys_setregid, Served::kPartly, kOneUser},
    {SYS_setresuid, "setresuid", sys_setreuid, Served::kPartly, kOneUser},
    {SYS_setresgid, "setresgid", sys_setregid, Served::kPartly, kOneUser},
    {SYS_setfsuid, "setfsuid", sys_setfsuid, Served::kPartly, "changes nothing"},
    {SYS_setfsgid, "setfsgid", sys_setfsgid, Served::kPartly, "changes nothing"},
    {SYS_setgroups, "setgroups", sys_setgroups, Served::kPartly, "EPERM"},
    {SYS_getresuid, "getresuid", sys_getresuid, Served::kFully, ""},
    {SYS_getresgid, "getresgid", sys_getresgid, Served::kFully, ""},
    {SYS_getpgid, "getpgid", sys_getpgid, Served::kFully, "the program itself"},
    {SYS_getpgrp, "getpgrp", sys_getpgid, Served::kFully, "the program itself"},
    {SYS_getsid, "getsid", sys_getpgid, Served::kFully, "the program itself"},
    {SYS_setpgid, "setpgid", sys_setpgid, Served::kPartly, "EPERM: the program leads its session"},
    {SYS_setsid, "setsid", sys_setsid, Served::kPartly, "EPERM: the program leads its session"},
    {SYS_capget, "capget", sys_capget, Served::kFully, "none"},
    {SYS_capset, "capset", sys_capset, Served::kPartly, "EPERM for any that is not held"},
};

}  // namespace

SyscallList identity_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
