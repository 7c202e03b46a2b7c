#include "hv/direct/spawn.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "hv/direct/stub_abi.h"

namespace divisi::hv {
namespace {

constexpr int kFirstFd = DIVISI_STUB_CONTROL_FD;

struct Birth {
    int image = -1;
    std::span<const int> fds;
    pid_t parent = 0;
    int error = 0;
};

// The parent waits, and its memory is used: system calls only from here.
int arrange_descriptors(int image, std::span<const int> fds) {
    const int count = static_cast<int>(fds.size());
    // The sources may stand where the targets go: they move out of the way first.
    const int scratch = std::max(512, kFirstFd + count + 1);
    for (int i = 0; i < count; ++i) {
        if (::dup2(fds[static_cast<std::size_t>(i)], scratch + i) < 0) return errno;
    }
    if (::dup3(image, scratch + count, O_CLOEXEC) < 0) return errno;
    for (int i = 0; i < count; ++i) {
        if (::dup2(scratch + i, kFirstFd + i) < 0) return errno;
    }
    if (::dup3(scratch + count, kFirstFd + count, O_CLOEXEC) < 0) return errno;
    ::syscall(SYS_close_range, static_cast<unsigned>(kFirstFd + count + 1), ~0U, 0U);
    ::syscall(SYS_close_range, 0U, static_cast<unsigned>(kFirstFd - 1), 0U);
    return 0;
}

int give_up_privileges(pid_t parent) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno;
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
    if (::getppid() != parent) return ESRCH;
    constexpr rlimit kNone{0, 0};
    for (const auto resource : {RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE})
        (void)::setrlimit(resource, &kNone);
    return 0;
}

int be_born(void* argument) {
    Birth& birth = *static_cast<Birth*>(argument);
    ::setsid();
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    ::sigaction(SIGPIPE, &by_default, nullptr);
    birth.error = give_up_privileges(birth.parent);
    if (birth.error == 0) birth.error = arrange_descriptors(birth.image, birth.fds);
    if (birth.error == 0) {
        const int image = kFirstFd + static_cast<int>(birth.fds.size());
        std::array<char, 12> name{"divisi-stub"};
        const std::array<char*, 2> argv{name.data(), nullptr};
        const std::array<char*, 1> environment{nullptr};
        ::syscall(SYS_execveat, image, "", argv.data(), environment.data(), AT_EMPTY_PATH);
        birth.error = errno;
    }
    ::_exit(1);
}

}  // namespace

pid_t spawn_stub(int image, std::span<const int> fds, std::span<std::byte> stack) {
    Birth birth{image, fds, ::getpid(), 0};
    // No handler of ours may run in the child.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::clone(be_born, stack.data() + stack.size(), CLONE_VM | CLONE_VFORK | SIGCHLD, &birth);
    const int error = pid < 0 ? errno : birth.error;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid > 0 && error != 0) ::waitpid(pid, nullptr, 0);
    return error != 0 ? -error : pid;
}

}  // namespace divisi::hv
