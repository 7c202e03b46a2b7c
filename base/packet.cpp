#include "base/packet.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace divisi {

Result<void> send_packet(int socket, std::span<const std::byte> packet, std::span<const int> fds,
                         const std::string& purpose, const std::string& object) {
    iovec vector{const_cast<std::byte*>(packet.data()), packet.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * kMostPacketFds)> control{};
    if (fds.size() > kMostPacketFds) return system_error(EINVAL, "cannot " + purpose, object);
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
        header.msg_control = control.data();
        header.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* message = CMSG_FIRSTHDR(&header);
        message->cmsg_level = SOL_SOCKET;
        message->cmsg_type = SCM_RIGHTS;
        message->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(message), fds.data(), fds.size_bytes());
    }
    ssize_t sent = 0;
    do {
        sent = ::sendmsg(socket, &header, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0) return system_error(errno, "cannot " + purpose, object);
    return {};
}

}  // namespace divisi
