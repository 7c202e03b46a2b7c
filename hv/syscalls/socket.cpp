// System calls about sockets: pairs of connected ones within a program. There is no network in a node.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "hv/syscalls/transfer.hpp"

namespace divisi::hv {
namespace {

constexpr int kSendFlags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR | MSG_MORE | MSG_OOB;
constexpr int kReceiveFlags = MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC | MSG_WAITALL | MSG_OOB | MSG_CMSG_CLOEXEC;

// The program's socket of a number: 0, -EBADF, -ENOTSOCK.
SysResult find_socket(const Call& call, FilePtr& file) {
    file = call.program.files().get(call.int_arg(0));
    if (!file) return -EBADF;
    struct stat status {};
    const bool socket = file->fd.valid() && ::fstat(file->fd.get(), &status) == 0 && S_ISSOCK(status.st_mode);
    return socket ? 0 : -ENOTSOCK;
}

SysResult sys_socket(Call& call) {
    const int type = call.int_arg(1) & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
    return call.int_arg(0) < 0 || call.int_arg(0) >= AF_MAX || type < 0 ? -EINVAL : -EAFNOSUPPORT;
}

FilePtr socket_file(int fd, int type) {
    auto file = std::make_shared<OpenFile>();
    file->fd = Fd(fd);
    file->flags = O_RDWR | ((type & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0);
    file->path = "socket:[" + std::to_string(fd) + "]";
    file->may_block = true;
    return file;
}

SysResult sys_socketpair(Call& call) {
    const int type = call.int_arg(1);
    if (call.int_arg(0) != AF_UNIX) return call.int_arg(0) < 0 || call.int_arg(0) >= AF_MAX ? -EINVAL : -EAFNOSUPPORT;
    constexpr std::uint64_t kBuffers = 416U << 10U;  // of both, as they usually are
    const auto share = std::make_shared<HostShare>(call.program.spec().ram->beside());
    if (!share->resize(kBuffers)) return -ENOMEM;
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, call.int_arg(2), ends.data()) != 0) return -errno;
    const std::array<FilePtr, 2> pair{socket_file(ends[0], type), socket_file(ends[1], type)};
    pair[0]->share = pair[1]->share = share;
    FileTable& files = call.program.files();
    const bool close_on_exec = (type & SOCK_CLOEXEC) != 0;
    const int first = files.add(pair[0], close_on_exec);
    if (first < 0) return first;
    const int second = files.add(pair[1], close_on_exec);
    if (second >= 0 && call.memory().write(call.arg(3), std::array{first, second})) return 0;
    files.close(first);
    if (second < 0) return second;
    files.close(second);
    return -EFAULT;
}

// Everything that would need an address.
SysResult sys_no_network(Call& call) {
    FilePtr file;
    const SysResult error = find_socket(call, file);
    return error != 0 ? error : -EOPNOTSUPP;
}

// ---- sending ----

SysResult host_send(const OpenFile& file, const char* data, std::uint64_t bytes, int flags) {
    return host_result(::send(file.fd.get(), data, bytes, flags | MSG_NOSIGNAL));
}

SysResult send_pieces(Call& call, const FilePtr& file, const Pieces& pieces, int flags) {
    if ((flags & ~kSendFlags) != 0) return -EOPNOTSUPP;
    const std::uint64_t wanted = std::min(pieces.total(), kMaxStreamWrite);
    const auto buffer = std::make_shared<Buffer>(wanted);
    if (pieces.gather(call.memory(), 0, buffer->data(), wanted) != wanted) return -EFAULT;
    const auto finish = [&program = call.program, &thread = call.thread, flags](SysResult result) {
        return (flags & MSG_NOSIGNAL) != 0 ? restartable(result) : tell_broken_pipe(program, thread, result);
    };
    const SysResult at_once = host_send(*file, buffer->data(), wanted, flags | MSG_DONTWAIT);
    const bool wait = waits(*file) && (flags & MSG_DONTWAIT) == 0;
    if (!wait || (at_once < 0 && at_once != -EAGAIN) || at_once == static_cast<SysResult>(wanted))
        return finish(at_once);
    const std::uint64_t done = at_once > 0 ? static_cast<std::uint64_t>(at_once) : 0;
    const auto rest = [file, buffer, done, flags]() -> SysResult {
        const SysResult count = host_send(*file, buffer->data() + done, buffer->size() - done, flags);
        if (count < 0) return done != 0 ? static_cast<SysResult>(done) : count;
        return static_cast<SysResult>(done) + count;
    };
    return wait_in_host(call, rest, finish);
}

SysResult sys_sendto(Call& call) {
    FilePtr file;
    if (const SysResult error = find_socket(call, file); error != 0) return error;
    if (call.arg(4) != 0) return -EISCONN;
    return send_pieces(call, file, Pieces::single(call.arg(1), call.arg(2)), call.int_arg(3));
}

// ---- receiving ----

struct Received {
    Buffer buffer;
    int flags = 0;  // as recvmsg gives them
};

SysResult host_receive(const OpenFile& file, Received& to, int flags) {
    iovec part{to.buffer.data(), to.buffer.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const SysResult count = host_result(::recvmsg(file.fd.get(), &message, flags & ~MSG_CMSG_CLOEXEC));
    to.flags = message.msg_flags;
    return count;
}

using Told = std::function<bool(int flags)>;  // writes what else the program wants to know; false: EFAULT

SysResult receive_pieces(Call& call, const FilePtr& file, const Pieces& pieces, int flags, const Told& tell) {
    if ((flags & ~kReceiveFlags) != 0) return -EOPNOTSUPP;
    auto to = std::make_shared<Received>(Received{Buffer(std::min(pieces.total(), kMaxStreamWrite))});
    const auto deliver = [&memory = call.memory(), to, pieces, tell](SysResult count) {
        if (count < 0) return restartable(count);
        const std::uint64_t there = std::min(static_cast<std::uint64_t>(count), to->buffer.size());
        if (pieces.scatter(memory, 0, to->buffer.data(), there) != there) return SysResult{-EFAULT};
        return tell(to->flags) ? count : SysResult{-EFAULT};
    };
    const bool wait = waits(*file) && (flags & MSG_DONTWAIT) == 0;
    if (!wait || (flags & MSG_WAITALL) == 0) {
        const SysResult at_once = host_receive(*file, *to, flags | MSG_DONTWAIT);
        if (at_once != -EAGAIN || !wait) return deliver(at_once);
    }
    return wait_in_host(
        call, [file, to, flags] { return host_receive(*file, *to, flags); }, deliver);
}

SysResult sys_recvfrom(Call& call) {
    FilePtr file;
    if (const SysResult error = find_socket(call, file); error != 0) return error;
    // The other end has no name.
    const auto tell = [&memory = call.memory(), address = call.arg(4), at = call.arg(5)](int) {
        return address == 0 || at == 0 || memory.write(at, std::uint32_t{0});
    };
    return receive_pieces(call, file, Pieces::single(call.arg(1), call.arg(2)), call.int_arg(3), tell);
}

// ---- with a message header ----

struct Header {
    Gva name;
    std::uint32_t name_bytes, padding;
    Gva pieces;
    std::uint64_t piece_count;
    Gva control;
    std::uint64_t control_bytes;
    std::int32_t flags, end;
};
static_assert(sizeof(Header) == 56);

SysResult read_header(Call& call, Header& header, Pieces& pieces) {
    const auto given = call.memory().read<Header>(call.arg(1));
    if (!given) return -EFAULT;
    header = *given;
    if (header.piece_count > IOV_MAX) return -EMSGSIZE;
    return pieces.read(call.memory(), header.pieces, header.piece_count);
}

SysResult sys_sendmsg(Call& call) {
    FilePtr file;
    Header header{};
    Pieces pieces;
    if (const SysResult error = find_socket(call, file); error != 0) return error;
    if (const SysResult error = read_header(call, header, pieces); error != 0) return error;
    if (header.name != 0 && header.name_bytes != 0) return -EISCONN;
    if (header.control != 0 && header.control_bytes != 0) return -EINVAL;  // descriptors, credentials
    return send_pieces(call, file, pieces, call.int_arg(2));
}

SysResult sys_recvmsg(Call& call) {
    FilePtr file;
    Header header{};
    Pieces pieces;
    if (const SysResult error = find_socket(call, file); error != 0) return error;
    if (const SysResult error = read_header(call, header, pieces); error != 0) return error;
    const auto tell = [&memory = call.memory(), header, at = call.arg(1)](int flags) mutable {
        header.name_bytes = 0;
        header.control_bytes = 0;
        header.flags = flags;
        return memory.write(at, header);
    };
    return receive_pieces(call, file, pieces, call.int_arg(2), tell);
}

// ---- questions ----

SysResult sys_shutdown(Call& call) {
    FilePtr file;
    const SysResult error = find_socket(call, file);
    return error != 0 ? error : host_result(::shutdown(file->fd.get(), call.int_arg(1)));
}

SysResult sys_getsockname(Call& call) {
    FilePtr file;
    if (const SysResult error = find_socket(call, file); error != 0) return error;
    const auto room = call.memory().read<std::int32_t>(call.arg(2));
    if (!room) return -EFAULT;
    if (*room < 0) return -EINVAL;
    const sa_family_t family = AF_UNIX;
    const std::size_t bytes = std::min(static_cast<std::size_t>(*room), sizeof family);
    if (!call.memory().copy_out(call.arg(1), &family, bytes)) return -EFAULT;
    return call.memory().write(call.arg(2), static_cast<std::uint32_t>(sizeof family)) ? 0 : -EFAULT;
}

bool served_option(int level, int option) {
    if (level != SOL_SOCKET) return false;
    switch (option) {
        case SO_TYPE:
        case SO_ERROR:
        case SO_DOMAIN:
        case SO_PROTOCOL:
        case SO_ACCEPTCONN:
        case SO_SNDBUF:
        case SO_RCVBUF:
        case SO_KEEPALIVE:
        case SO_REUSEADDR:
        case SO_RCVTIMEO:
        case SO_SNDTIMEO: return true;
        default: return false;
    }
}

constexpr std::size_t kLargestOption = 16;

SysResult sys_getsockopt(Call& call) {
    FilePtr file;
    if (const SysResult error = find_socket(call, file); error != 0) return error;
    const auto room = call.memory().read<std::int32_t>(call.arg(4));
    if (!room) return -EFAULT;
    if (*room < 0) return -EINVAL;
    if (!served_option(call.int_arg(1), call.int_arg(2))) return -ENOPROTOOPT;
    std::array<std::byte, kLargestOption> value{};
    auto bytes = static_cast<socklen_t>(std::min(static_cast<std::size_t>(*room), value.size()));
    if (::getsockopt(file->fd.get(), SOL_SOCKET, call.int_arg(2), value.data(), &bytes) != 0) return -errno;
    if (!call.memory().copy_out(call.arg(3), value.data(), bytes)) return -EFAULT;
    return call.memory().write(call.arg(4), bytes) ? 0 : -EFAULT;
}

SysResult sys_setsockopt(Call& call) {
    FilePtr file;
    if (const SysResult error = find_socket(call, file); error != 0) return error;
    if (call.int_arg(4) < 0) return -EINVAL;
    if (!served_option(call.int_arg(1), call.int_arg(2))) return -ENOPROTOOPT;
    std::array<std::byte, kLargestOption> value{};
    const std::size_t bytes = std::min(static_cast<std::size_t>(call.int_arg(4)), value.size());
    if (!call.memory().copy_in(value.data(), call.arg(3), bytes)) return -EFAULT;
    return host_result(
        ::setsockopt(file->fd.get(), SOL_SOCKET, call.int_arg(2), value.data(), static_cast<socklen_t>(bytes)));
}

constexpr std::string_view kNoNetwork = "no network: EAFNOSUPPORT";
constexpr std::string_view kPairs = "connected pairs; no addresses, no ancillary data";
constexpr SyscallEntry kEntries[] = {
    {SYS_socket, "socket", sys_socket, Served::kPartly, kNoNetwork},
    {SYS_socketpair, "socketpair", sys_socketpair, Served::kForwarded, "AF_UNIX"},
    {SYS_bind, "bind", sys_no_network, Served::kPartly, "EOPNOTSUPP"},
    {SYS_connect, "connect", sys_no_network, Served::kPartly, "EOPNOTSUPP"},
    {SYS_listen, "listen", sys_no_network, Served::kPartly, "EOPNOTSUPP"},
    {SYS_accept, "accept", sys_no_network, Served::kPartly, "EOPNOTSUPP"},
    {SYS_accept4, "accept4", sys_no_network, Served::kPartly, "EOPNOTSUPP"},
    {SYS_sendto, "sendto", sys_sendto, Served::kPartly, kPairs},
    {SYS_recvfrom, "recvfrom", sys_recvfrom, Served::kPartly, kPairs},
    {SYS_sendmsg, "sendmsg", sys_sendmsg, Served::kPartly, kPairs},
    {SYS_recvmsg, "recvmsg", sys_recvmsg, Served::kPartly, kPairs},
    {SYS_shutdown, "shutdown", sys_shutdown, Served::kForwarded, ""},
    {SYS_getsockname, "getsockname", sys_getsockname, Served::kFully, ""},
    {SYS_getpeername, "getpeername", sys_getsockname, Served::kFully, ""},
    {SYS_getsockopt, "getsockopt", sys_getsockopt, Served::kPartly, "SOL_SOCKET's common ones"},
    {SYS_setsockopt, "setsockopt", sys_setsockopt, Served::kPartly, "SOL_SOCKET's common ones"},
};

}  // namespace

SyscallList socket_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
