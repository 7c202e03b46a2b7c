// System calls about the program as a whole: who it is, its limits and usage, the machine it runs on.
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "hv/syscalls/call.hpp"

namespace divisi::hv {
namespace {

SysResult sys_getpid(Call& call) {
    return call.program.pid();
}
SysResult sys_getppid(Call& /*call*/) {
    return 0;
}
SysResult sys_getuid(Call& /*call*/) {
    return ::getuid();
}
SysResult sys_geteuid(Call& /*call*/) {
    return ::geteuid();
}
SysResult sys_getgid(Call& /*call*/) {
    return ::getgid();
}
SysResult sys_getegid(Call& /*call*/) {
    return ::getegid();
}

SysResult sys_getgroups(Call& call) {
    std::array<gid_t, 256> groups{};
    const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
    if (count < 0) return -errno;
    if (call.int_arg(0) == 0) return count;
    if (call.int_arg(0) < count) return -EINVAL;
    return call.memory().copy_out(call.arg(1), groups.data(), static_cast<std::size_t>(count) * sizeof(gid_t))
               ? count
               : -EFAULT;
}

SysResult sys_uname(Call& call) {
    utsname name{};
    if (::uname(&name) != 0) return -errno;
    // A rank is a computer of its own: it has a name of its own.
    const std::string node = call.program.spec().host_name;
    if (!node.empty()) {
        std::memset(static_cast<void*>(name.nodename), 0, sizeof name.nodename);
        node.copy(static_cast<char*>(name.nodename), sizeof name.nodename - 1);
    }
    return call.memory().write(call.arg(0), name) ? 0 : -EFAULT;
}

SysResult sys_getrandom(Call& call) {
    if ((call.arg(2) & ~static_cast<std::uint64_t>(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0) return -EINVAL;
    constexpr std::uint64_t kChunk = 256;
    std::array<std::byte, kChunk> bytes{};
    const std::uint64_t wanted = std::min<std::uint64_t>(call.arg(1), 1U << 20U);
    for (std::uint64_t done = 0; done < wanted;) {
        const std::uint64_t part = std::min(kChunk, wanted - done);
        if (::getrandom(bytes.data(), part, 0) != static_cast<ssize_t>(part)) return -EIO;
        if (!call.memory().copy_out(call.arg(0) + done, bytes.data(), part))
            return done != 0 ? static_cast<SysResult>(done) : -EFAULT;
        done += part;
    }
    return static_cast<SysResult>(wanted);
}

SysResult get_limit(Call& call, int resource, Gva at) {
    if (!Limits::known(resource)) return -EINVAL;
    const Limits::Limit limit = call.program.limits().get(resource);
    return call.memory().write(at, rlimit{limit.soft, limit.hard}) ? 0 : -EFAULT;
}

SysResult set_limit(Call& call, int resource, Gva at) {
    const auto wanted = call.memory().read<rlimit>(at);
    if (!wanted) return -EFAULT;
    return call.program.set_limit(resource, {wanted->rlim_cur, wanted->rlim_max});
}

SysResult sys_getrlimit(Call& call) {
    return get_limit(call, call.int_arg(0), call.arg(1));
}

SysResult sys_setrlimit(Call& call) {
    return set_limit(call, call.int_arg(0), call.arg(1));
}

SysResult sys_prlimit64(Call& call) {
    if (call.int_arg(0) != 0 && call.int_arg(0) != call.program.pid()) return -ESRCH;
    const Limits::Limit old =
        Limits::known(call.int_arg(1)) ? call.program.limits().get(call.int_arg(1)) : Limits::Limit{};
    if (const SysResult error = call.arg(2) != 0 ? set_limit(call, call.int_arg(1), call.arg(2)) : 0; error != 0)
        return error;
    if (!Limits::known(call.int_arg(1))) return -EINVAL;
    if (call.arg(3) == 0) return 0;
    return call.memory().write(call.arg(3), rlimit{old.soft, old.hard}) ? 0 : -EFAULT;
}

SysResult sys_getrusage(Call& call) {
    rusage usage{};
    if (call.int_arg(0) != RUSAGE_SELF && call.int_arg(0) != RUSAGE_THREAD && call.int_arg(0) != RUSAGE_CHILDREN)
        return -EINVAL;
    if (call.int_arg(0) != RUSAGE_CHILDREN) {
        CpuTimes& times = call.program.cpu_times();
        const auto spent = call.int_arg(0) == RUSAGE_SELF ? times.program() : times.thread(call.thread);
        const auto micro = std::chrono::duration_cast<std::chrono::microseconds>(spent).count();
        usage.ru_utime = {micro / 1'000'000, micro % 1'000'000};
        usage.ru_maxrss = static_cast<long>(call.memory().resident_bytes() >> 10U);
    }
    return call.memory().write(call.arg(1), usage) ? 0 : -EFAULT;
}

SysResult sys_sysinfo(Call& call) {
    struct sysinfo info {};
    if (::sysinfo(&info) != 0) return -errno;
    info.totalram = call.program.spec().ram->size_bytes();
    info.freeram = std::uint64_t{call.program.spec().ram->free_frames()} * kPageBytes;
    info.sharedram = info.bufferram = info.totalswap = info.freeswap = 0;
    info.mem_unit = 1;
    info.procs = static_cast<unsigned short>(std::min<std::size_t>(call.program.thread_ids().size(), 0xffff));
    return call.memory().write(call.arg(0), info) ? 0 : -EFAULT;
}

SysResult sys_umask(Call& call) {
    return call.program.file_mode_mask.exchange(static_cast<std::uint32_t>(call.arg(0)) & 0777U);
}
SysResult sys_getpriority(Call& /*call*/) {
    return 20;
}
SysResult sys_setpriority(Call& /*call*/) {
    return 0;
}
// There is never a child to wait for.
SysResult sys_wait4(Call& call) {
    constexpr auto kKnown = static_cast<unsigned>(WNOHANG | WUNTRACED | WCONTINUED) | __WALL | __WCLONE | __WNOTHREAD;
    return (static_cast<unsigned>(call.int_arg(2)) & ~kKnown) != 0 ? -EINVAL : -ECHILD;
}
SysResult sys_waitid(Call& call) {
    constexpr unsigned kChanges = WEXITED | WSTOPPED | WCONTINUED;
    constexpr unsigned kKnown = kChanges | WNOHANG | WNOWAIT | __WALL | __WCLONE | __WNOTHREAD;
    const auto options = static_cast<unsigned>(call.int_arg(3));
    if ((options & ~kKnown) != 0 || (options & kChanges) == 0) return -EINVAL;
    if (call.int_arg(0) < P_ALL || call.int_arg(0) > 3 /* P_PIDFD */) return -EINVAL;
    return call.int_arg(0) == 3 ? -EBADF : -ECHILD;
}
SysResult sys_personality(Call& call) {
    return call.arg(0) == 0xffffffff || call.arg(0) == 0 ? 0 : -EINVAL;
}

constexpr std::string_view kKeptLimits =
    "kept: AS, CORE, CPU, DATA, FSIZE, NOFILE, NPROC (of the program's threads), STACK; others are noted";

constexpr SyscallEntry kEntries[] = {
    {SYS_getpid, "getpid", sys_getpid, Served::kFully, ""},
    {SYS_getppid, "getppid", sys_getppid, Served::kFully, "0: nobody"},
    {SYS_getuid, "getuid", sys_getuid, Served::kForwarded, ""},
    {SYS_geteuid, "geteuid", sys_geteuid, Served::kForwarded, ""},
    {SYS_getgid, "getgid", sys_getgid, Served::kForwarded, ""},
    {SYS_getegid, "getegid", sys_getegid, Served::kForwarded, ""},
    {SYS_getgroups, "getgroups", sys_getgroups, Served::kForwarded, ""},
    {SYS_uname, "uname", sys_uname, Served::kForwarded, "the node's own host name"},
    {SYS_getrandom, "getrandom", sys_getrandom, Served::kForwarded, ""},
    {SYS_getrlimit, "getrlimit", sys_getrlimit, Served::kFully, ""},
    {SYS_setrlimit, "setrlimit", sys_setrlimit, Served::kPartly, kKeptLimits},
    {SYS_prlimit64, "prlimit64", sys_prlimit64, Served::kPartly, kKeptLimits},
    {SYS_getrusage, "getrusage", sys_getrusage, Served::kPartly,
     "processor time and memory; system time counts as user time"},
    {SYS_sysinfo, "sysinfo", sys_sysinfo, Served::kFully, "the node's memory"},
    {SYS_umask, "umask", sys_umask, Served::kFully, ""},
    {SYS_getpriority, "getpriority", sys_getpriority, Served::kPartly, "nice 0"},
    {SYS_setpriority, "setpriority", sys_setpriority, Served::kPartly, "accepted"},
    {SYS_wait4, "wait4", sys_wait4, Served::kFully, "ECHILD: no children"},
    {SYS_waitid, "waitid", sys_waitid, Served::kFully, "ECHILD: no children"},
    {SYS_personality, "personality", sys_personality, Served::kPartly, "PER_LINUX"},
};

}  // namespace

SyscallList process_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
