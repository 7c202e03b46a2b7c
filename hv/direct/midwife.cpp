#include "hv/direct/midwife.hpp"

#include <linux/close_range.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <vector>

#include "base/mapping.hpp"
#include "base/packet.hpp"
#include "hv/direct/spawn.hpp"

namespace divisi::hv {
namespace {

constexpr std::size_t kMostFds = 253;  // SCM_MAX_FD of Linux: as many go with a message
constexpr std::size_t kStackBytes = 64U << 10U;

// What the midwife says first, with no process, and after each birth.
struct Reply {
    pid_t pid = -1;
    int error = 0;
};

// The midwife's own side. Its descriptors have the numbers of others in the rest of the process: no wrapper of the C
// library that a sanitizer watches may see them.
class Table {
public:
    explicit Table(int socket) : socket_(socket) {}

    int leave_all_but_socket() const {
        const auto socket = static_cast<unsigned>(socket_);
        if (::syscall(SYS_close_range, socket + 1, ~0U, CLOSE_RANGE_UNSHARE) != 0) return errno;
        if (socket > 0 && ::syscall(SYS_close_range, 0U, socket - 1, 0U) != 0) return errno;
        return 0;
    }

    void say(const Reply& reply) const { ::syscall(SYS_sendto, socket_, &reply, sizeof reply, MSG_NOSIGNAL, 0, 0); }

    // Nothing when nobody can ask any more.
    [[nodiscard]] std::optional<std::vector<int>> receive() const {
        std::byte request{};
        iovec part{&request, sizeof request};
        alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMostFds * sizeof(int))> control{};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const long count = ::syscall(SYS_recvmsg, socket_, &header, MSG_CMSG_CLOEXEC);
        if (count <= 0) return std::nullopt;
        const cmsghdr* rights = CMSG_FIRSTHDR(&header);
        if (rights == nullptr) return std::vector<int>{};
        std::vector<int> fds((rights->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        std::memcpy(fds.data(), CMSG_DATA(rights), fds.size() * sizeof(int));
        return fds;
    }

    static void close(std::span<const int> fds) {
        for (const int fd : fds) ::syscall(SYS_close, fd);
    }

private:
    int socket_;
};

void attend(int socket, std::span<std::byte> stack) {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    const Table table(socket);
    const int error = table.leave_all_but_socket();
    table.say({-1, error});
    if (error != 0) return;
    while (const auto fds = table.receive()) {
        Reply reply{-1, EBADF};
        if (!fds->empty()) {
            reply.pid = spawn_stub(fds->back(), std::span(*fds).first(fds->size() - 1), stack);
            reply.error = reply.pid < 0 ? -reply.pid : 0;
        }
        Table::close(*fds);
        table.say(reply);
    }
    ::syscall(SYS_close, socket);
}

Result<Reply> hear(int socket) {
    Reply reply;
    for (;;) {
        const ssize_t count = ::recv(socket, &reply, sizeof reply, 0);
        if (count == static_cast<ssize_t>(sizeof reply)) return reply;
        if (count >= 0) return make_error(Errc::kFailed, "the thread that starts stub processes is gone");
        if (errno != EINTR) return system_error(errno, "cannot hear of a stub process");
    }
}

}  // namespace

Result<std::unique_ptr<Midwife>> Midwife::create() {
    DIVISI_TRY_ASSIGN(Mapping stack, Mapping::anonymous(kStackBytes));
    int ends[2];  // NOLINT(modernize-avoid-c-arrays): socketpair's
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return system_error(errno, "cannot make a socket pair");
    std::unique_ptr<Midwife> midwife(new Midwife(Fd(ends[0])));
    // Here it is closed as soon as the midwife has a table of its own, in which it stays.
    const Fd other_end(ends[1]);
    midwife->thread_ = std::thread([socket = other_end.get(), memory = std::move(stack)] {
        attend(socket, {memory.data(), memory.size()});
    });
    DIVISI_TRY_ASSIGN(const Reply ready, hear(midwife->socket_.get()));
    if (ready.error != 0) return system_error(ready.error, "cannot make a table of descriptors for stub processes");
    return midwife;
}

Midwife::~Midwife() {
    socket_.reset();
    if (thread_.joinable()) thread_.join();
}

Result<pid_t> Midwife::spawn(int image, std::span<const int> fds) {
    std::vector<int> all(fds.begin(), fds.end());
    all.push_back(image);
    if (all.size() > kMostFds)
        return make_error(Errc::kInsufficient, "a stub process cannot have that many descriptors");
    const std::lock_guard lock(mutex_);
    const std::byte request{};
    DIVISI_TRY(send_packet(socket_.get(), std::span(&request, 1), all, "ask for a stub process"));
    DIVISI_TRY_ASSIGN(const Reply born, hear(socket_.get()));
    if (born.error != 0)
        return system_error(born.error, "cannot start a stub process", {},
                            born.error == EAGAIN ? "too many processes: see ulimit -u and the pids cgroup" : "");
    return born.pid;
}

}  // namespace divisi::hv
