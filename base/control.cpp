#include "base/control.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/packet.hpp"

namespace divisi {
namespace {

constexpr std::size_t kPacketBytes = 64U << 10U;
constexpr char kInline = 'J';
constexpr char kInMemfd = 'M';

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return make_error(Errc::kUsage, "socket path is longer than 107 characters", path,
                          "set XDG_RUNTIME_DIR or DIVISI_STATE_DIR to a shorter folder");
    std::memcpy(static_cast<void*>(address.sun_path), path.data(), path.size());
    return address;
}

Result<Fd> control_socket() {
    Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return system_error(errno, "cannot create a socket");
    return socket;
}

// How long connect(2) waits for room in the listener's queue, and sendmsg(2) for room in the peer's; zero: for ever.
Result<void> set_send_timeout(int socket, std::chrono::milliseconds patience) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(patience);
    timeval limit{};
    limit.tv_sec = seconds.count();
    limit.tv_usec = std::chrono::microseconds(patience - seconds).count();
    if (::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
        return system_error(errno, "cannot limit the time of a connection");
    return {};
}

Result<void> connect_to(int socket, const sockaddr_un& address) {
    int status = 0;
    do {
        status = ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    } while (status != 0 && errno == EINTR);
    if (status != 0) return system_error(errno, "cannot connect");
    return {};
}

Result<void> send_text(int socket, std::string_view text, std::span<const int> fds) {
    return send_packet(socket, std::as_bytes(std::span(text)), fds, "send a control message");
}

std::vector<Fd> take_fds(msghdr& header) {
    std::vector<Fd> fds;
    for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr; message = CMSG_NXTHDR(&header, message)) {
        if (message->cmsg_level != SOL_SOCKET || message->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (message->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(message) + i * sizeof(int), sizeof fd);
            fds.emplace_back(fd);
        }
    }
    return fds;
}

Result<std::string> text_of_memfd(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return make_error(Errc::kProtocol, "a large control message must come as a file");
    if (status.st_size < 0 || static_cast<std::size_t>(status.st_size) > ControlConnection::kMaxTextBytes)
        return make_error(Errc::kProtocol, "control message too large");
    // pread, not read: the peer shares the file offset. Not mmap: the peer could truncate under us.
    std::string text(static_cast<std::size_t>(status.st_size), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t count = ::pread(fd, text.data() + done, text.size() - done, static_cast<off_t>(done));
        if (count <= 0) return make_error(Errc::kProtocol, "cannot read a large control message");
        done += static_cast<std::size_t>(count);
    }
    return text;
}

}  // namespace

Result<ControlConnection> ControlConnection::connect(const std::string& path, std::chrono::milliseconds patience) {
    DIVISI_TRY_ASSIGN(const sockaddr_un address, address_of(path));
    DIVISI_TRY_ASSIGN(Fd socket, control_socket());
    DIVISI_TRY(set_send_timeout(socket.get(), patience));
    if (auto connected = connect_to(socket.get(), address); !connected) {
        const Error& error = connected.error();
        if (error.cause == std::errc::resource_unavailable_try_again)
            return make_error(Errc::kUnreachable, "something listens here and does not answer", path);
        return make_error(Errc::kUnreachable, "nothing answers here: " + error.cause.message(), path);
    }
    DIVISI_TRY(set_send_timeout(socket.get(), {}));
    return ControlConnection(std::move(socket));
}

Result<void> ControlConnection::send(const json::object& body, std::span<const int> fds) {
    if (fds.size() > kMaxFds) return make_error(Errc::kProtocol, "too many descriptors in one control message");
    const std::string text = json::serialize(body);
    if (text.size() < kPacketBytes) return send_text(socket_.get(), kInline + text, fds);
    if (text.size() > kMaxTextBytes) return make_error(Errc::kProtocol, "control message too large");
    const Fd memory(::memfd_create("divisi-message", MFD_CLOEXEC));
    if (!memory.valid()) return system_error(errno, "cannot create a memory file");
    DIVISI_TRY(write_all(memory.get(), text, "control message"));
    std::vector<int> all{memory.get()};
    all.insert(all.end(), fds.begin(), fds.end());
    return send_text(socket_.get(), std::string_view(&kInMemfd, 1), all);
}

Result<std::optional<ControlMessage>> ControlConnection::receive() {
    std::string packet(kPacketBytes + 1, '\0');
    iovec vector{packet.data(), packet.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * (kMaxFds + 1))> control{};
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    ssize_t count = 0;
    do {
        count = ::recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == ECONNRESET) return std::optional<ControlMessage>{};
    if (count < 0) return system_error(errno, "cannot receive a control message");
    ControlMessage message;
    message.fds = take_fds(header);
    if (count == 0) return std::optional<ControlMessage>{};
    if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
        return make_error(Errc::kProtocol, "control message truncated");
    packet.resize(static_cast<std::size_t>(count));
    std::string text = packet.substr(1);
    if (packet[0] == kInMemfd && !message.fds.empty()) {
        DIVISI_TRY_ASSIGN(text, text_of_memfd(message.fds.front().get()));
        message.fds.erase(message.fds.begin());
    } else if (packet[0] != kInline) {
        return make_error(Errc::kProtocol, "unknown kind of control message");
    }
    DIVISI_TRY_ASSIGN(message.body, parse_object(text));
    return std::optional<ControlMessage>(std::move(message));
}

Result<Fd> listen_control(const std::string& path) {
    DIVISI_TRY_ASSIGN(const sockaddr_un address, address_of(path));
    struct stat status {};
    if (::lstat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode))
        return make_error(Errc::kExists, "what lies here is no socket", path, "move it away");
    {
        // A socket file outlives its process: only an answer tells a live one from a leftover.
        DIVISI_TRY_ASSIGN(const Fd probe, control_socket());
        if (connect_to(probe.get(), address)) return make_error(Errc::kExists, "something already listens here", path);
    }
    ::unlink(path.c_str());
    DIVISI_TRY_ASSIGN(Fd listener, control_socket());
    if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        return system_error(errno, "cannot bind a socket", path);
    if (::chmod(path.c_str(), 0600) != 0) return system_error(errno, "cannot restrict a socket to its owner", path);
    if (::listen(listener.get(), 64) != 0) return system_error(errno, "cannot listen", path);
    return listener;
}

Result<ControlConnection> accept_control(int listener) {
    for (;;) {
        Fd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
        if (socket.valid()) return ControlConnection(std::move(socket));
        if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED) return system_error(errno, "cannot accept");
    }
}

}  // namespace divisi
