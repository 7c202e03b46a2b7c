#include "hv/unwind/jail.hpp"

#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace divisi::hv {
namespace {

constexpr rlim_t kMemoryBytes = 8ULL << 30U;  // an image and its debug information are mapped, not read
constexpr rlim_t kSeconds = 5;

bool limit(__rlimit_resource resource, rlim_t value) {
    const rlimit both{value, value};
    return ::setrlimit(resource, &both) == 0;
}

}  // namespace

bool shut_in() {
    constexpr std::array kAllowed = {
        SCMP_SYS(read),    SCMP_SYS(write),         SCMP_SYS(recvfrom),   SCMP_SYS(sendto),     SCMP_SYS(pread64),
        SCMP_SYS(lseek),   SCMP_SYS(fstat),         SCMP_SYS(newfstatat), SCMP_SYS(mmap),       SCMP_SYS(munmap),
        SCMP_SYS(mremap),  SCMP_SYS(mprotect),      SCMP_SYS(madvise),    SCMP_SYS(brk),        SCMP_SYS(close),
        SCMP_SYS(fcntl),   SCMP_SYS(futex),         SCMP_SYS(exit),       SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
        SCMP_SYS(sysinfo), SCMP_SYS(rt_sigprocmask)};
    // With its parent it goes, too.
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return false;
    if (!limit(RLIMIT_AS, kMemoryBytes) || !limit(RLIMIT_CPU, kSeconds) || !limit(RLIMIT_CORE, 0)) return false;
    // Refused, not killed: what libraries try beyond their work (a server for debug information) they can do without.
    const scmp_filter_ctx filter = ::seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == nullptr) return false;
    bool ok = true;
    for (const int call : kAllowed) ok = ok && ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) == 0;
    ok = ok && ::seccomp_load(filter) == 0;
    ::seccomp_release(filter);
    return ok;
}

}  // namespace divisi::hv
