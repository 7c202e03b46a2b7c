// Control connections: JSON messages with file descriptors over a Unix SOCK_SEQPACKET socket.
//
// One message is one JSON object. It travels as one packet: a byte 'J' and the text; or, where the text is too large
// for a packet, the byte 'M' alone with one more descriptor in front of the others: a memory file that holds the text.
// The messages themselves are described where they are served (docs/vmm-protocol.md).
//
// Threads: one thread may send while another receives; two senders need a lock of their own.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace divisi {

struct ControlMessage {
    json::object body;
    std::vector<Fd> fds;
};

class ControlConnection {
public:
    // Limits a peer cannot exceed: a message's text, and the descriptors of one message.
    static constexpr std::size_t kMaxTextBytes = 8U << 20U;
    static constexpr std::size_t kMaxFds = 16;

    explicit ControlConnection(Fd socket) noexcept : socket_(std::move(socket)) {}

    // Errors: kUnreachable when nothing listens at `path` (object: the path), or when a listener that has stopped
    // accepting keeps us waiting for longer than `patience`.
    static Result<ControlConnection> connect(const std::string& path,
                                             std::chrono::milliseconds patience = std::chrono::seconds(5));

    // Lends `fds` for the time of the call. Errors: errno (EPIPE when the peer is gone; no signal is raised).
    Result<void> send(const json::object& body, std::span<const int> fds = {});
    // Blocks for the next message; `nullopt` at the end of the connection. Errors: errno; kProtocol.
    Result<std::optional<ControlMessage>> receive();

    // The descriptor, for poll(2).
    [[nodiscard]] int fd() const noexcept { return socket_.get(); }

private:
    Fd socket_;
};

// A listening socket at `path`, mode 0600. A dead socket file is replaced; a live one, or a file
// of another kind, is an error (kExists).
Result<Fd> listen_control(const std::string& path);
// Errors: errno; EAGAIN is never returned (the call blocks).
Result<ControlConnection> accept_control(int listener);

}  // namespace divisi
