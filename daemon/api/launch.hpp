// Small pieces that starting and reaching a program over Unix sockets is made of: addresses, deadlines, start reports.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <string>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace divisi::api {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

struct UnixAddress {
    sockaddr_un value{};
    [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&value); }
};

// Errors: kUsage for a path longer than a socket's name may be.
Result<UnixAddress> unix_address(const std::string& path);
// A connected stream socket. Errors: kUnreachable when nothing listens there (object: the path).
Result<Fd> connect_unix(const std::string& path);

enum class Ready { kYes, kTimeout, kCancelled };
// Waits until `fd` can be read (or has ended), `cancel` (a descriptor, or -1) can be read, or the time is over.
Result<Ready> wait_readable(int fd, Deadline deadline, int cancel = -1);

// The one line a started program writes about its start: {"ok": true, …} or {"ok": false, "error": {…}}.
// Errors: the one that was reported; kProtocol for anything else; kFailed at the end of the pipe without a line (no
// hint: the caller knows where the log is), at the deadline and when cancelled.
Result<json::object> read_start_report(int pipe, Deadline deadline, int cancel = -1);
// Writes such a line. A reader that is gone is no error (SIGPIPE must be ignored).
void write_start_report(int fd, const Result<json::object>& outcome);

// The last lines of a log, at most `limit_bytes` of them; empty where there is none.
std::string log_tail(const std::string& path, std::size_t limit_bytes = 1024);

}  // namespace divisi::api
