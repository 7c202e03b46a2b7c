#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <thread>

#include "hv/vmm/jail.hpp"

namespace divisi::hv::vmm {
namespace {

// What is given up never comes back, so every claim is checked in a child, which ends with 0 when it holds.
void in_jail(const std::function<bool()>& claim) {
    EXPECT_EXIT(
        {
            const auto dropped = drop_privileges();
            const auto forbidden = forbid_system_calls();
            if (!dropped) std::fprintf(stderr, "%s\n", dropped.error().message().c_str());
            if (!forbidden) std::fprintf(stderr, "%s\n", forbidden.error().message().c_str());
            ::_exit(dropped && forbidden && claim() ? 0 : 1);
        },
        testing::ExitedWithCode(0), "");
}

bool refused(long result) {
    return result == -1 && errno == EPERM;
}

TEST(VmmJail, StartsNoProgramsAndNoProcesses) {
    in_jail([] {
        std::array<char*, 1> none{nullptr};
        return refused(::execve("/bin/true", none.data(), none.data())) && refused(::syscall(SYS_fork)) &&
               refused(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    });
}

TEST(VmmJail, StartsThreads) {
    in_jail([] {
        bool ran = false;
        std::thread([&ran] { ran = true; }).join();
        return ran;
    });
}

TEST(VmmJail, TouchesNoOtherProcess) {
    in_jail([] {
        const pid_t parent = ::getppid();
        return refused(::kill(parent, 0)) && refused(::syscall(SYS_tgkill, parent, parent, 0)) &&
               refused(::syscall(SYS_ptrace, 16 /* PTRACE_ATTACH */, parent, 0, 0)) &&
               ::syscall(SYS_tgkill, ::getpid(), ::gettid(), 0) == 0;
    });
}

TEST(VmmJail, ReachesNoNetwork) {
    in_jail([] {
        return refused(::socket(AF_INET, SOCK_STREAM, 0)) && refused(::socket(AF_NETLINK, SOCK_RAW, 0)) &&
               ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
    });
}

TEST(VmmJail, IsInForceInThreadsThatWereThereBefore) {
    EXPECT_EXIT(
        {
            int go[2];  // NOLINT(modernize-avoid-c-arrays): pipe2's
            bool holds = false;
            if (::pipe2(go, O_CLOEXEC) != 0) ::_exit(1);
            std::thread before([&go, &holds] {
                char byte = 0;
                holds = ::read(go[0], &byte, 1) == 1 && refused(::syscall(SYS_fork));
            });
            if (!forbid_system_calls() || ::write(go[1], "x", 1) != 1) ::_exit(1);
            before.join();
            ::_exit(holds ? 0 : 1);
        },
        testing::ExitedWithCode(0), "");
}

TEST(VmmJail, HoldsNoCapabilityButThoseOverFiles) {
    in_jail([] {
        return ::prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) >= 0 && refused(::syscall(SYS_mount, 0, 0, 0, 0, 0)) &&
               ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && refused(::setgid(0)) &&
               ::open("/etc/passwd", O_RDONLY) >= 0;
    });
}

}  // namespace
}  // namespace divisi::hv::vmm
