// divisi-unwind: finds out for divisi-vmm how a stopped program got where it is.
//
// It reads what hostile hands may have made: an image's symbols and debug information, a stack. So each program is
// looked at by a process of its own, shut in before it looks, that can do no more than answer wrongly, slowly or not at
// all. divisi-vmm has forbidden itself to make processes by then: this one is started before that, and makes them for
// it.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "hv/unwind/jail.hpp"
#include "hv/unwind/symbols.hpp"

namespace divisi::hv {
namespace {

struct Task {
    UnwindTask task;
    std::vector<Fd> fds;  // socket, image, perhaps the vDSO
};

// Waits for the next; nothing when there will be none.
std::optional<Task> receive_task() {
    Task received;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(kUnwindTaskFds * sizeof(int))> control{};
    iovec data{&received.task, sizeof received.task};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(STDIN_FILENO, &message, MSG_CMSG_CLOEXEC) != sizeof received.task) return std::nullopt;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return std::nullopt;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
        received.fds.emplace_back(fd);
    }
    if (count != (received.task.vdso_base != 0 ? 3U : 2U)) return std::nullopt;
    return received;
}

int serve(Task task) {
    ::close(STDIN_FILENO);
    if (!shut_in()) return 1;
    Target target(task.fds[0].get());
    const int vdso = task.task.vdso_base != 0 ? task.fds[2].release() : -1;
    const auto symbols = Symbols::open(target, task.fds[1].release(), task.task.load_base, vdso, task.task.vdso_base);
    if (!symbols) return 1;
    while (const auto request = target.next()) {
        const std::string answer = json::serialize(symbols->unwind(*request));
        if (::send(task.fds[0].get(), answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return 1;
    }
    return 0;
}

int run() {
    ::signal(SIGCHLD, SIG_IGN);  // children are reaped by the kernel
    while (auto task = receive_task()) {
        const pid_t pid = ::fork();
        if (pid == 0) ::_exit(serve(std::move(*task)));
    }
    return 0;
}

}  // namespace
}  // namespace divisi::hv

int main(int argc, char** /*argv*/) {
    if (argc != 1 || ::isatty(STDIN_FILENO) != 0) {
        std::fprintf(stderr, "divisi-vmm starts divisi-unwind, and talks to it.\n");
        return 2;
    }
    return divisi::hv::run();
}
