#include "daemon/api/launch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace divisi::api {
namespace {

constexpr std::size_t kReportBytes = 64U << 10U;

Result<json::object> parse_report(const std::string& line) {
    DIVISI_TRY_ASSIGN(json::object report, parse_object(line));
    DIVISI_TRY_ASSIGN(const bool good, bool_field_or(report, "ok", false));
    if (good) return report;
    DIVISI_TRY_ASSIGN(const json::object* error, object_field(report, "error"));
    return error_from_json(*error);
}

int milliseconds_until(Deadline deadline) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1 << 30));
}

}  // namespace

Result<UnixAddress> unix_address(const std::string& path) {
    UnixAddress address;
    address.value.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.value.sun_path)
        return make_error(Errc::kUsage, "socket path is longer than 107 characters", path,
                          "set XDG_RUNTIME_DIR or DIVISI_STATE_DIR to a shorter folder");
    std::memcpy(static_cast<void*>(address.value.sun_path), path.data(), path.size());
    return address;
}

Result<Fd> connect_unix(const std::string& path) {
    DIVISI_TRY_ASSIGN(const UnixAddress address, unix_address(path));
    Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return system_error(errno, "cannot create a socket");
    int status = 0;
    do {
        status = ::connect(socket.get(), address.get(), sizeof address.value);
    } while (status != 0 && errno == EINTR);
    if (status != 0)
        return make_error(Errc::kUnreachable, std::string("nothing answers here: ") + std::strerror(errno), path);
    return socket;
}

Result<Ready> wait_readable(int fd, Deadline deadline, int cancel) {
    std::array<pollfd, 2> wanted{pollfd{fd, POLLIN, 0}, pollfd{cancel, POLLIN, 0}};
    for (;;) {
        const int count = ::poll(wanted.data(), wanted.size(), milliseconds_until(deadline));
        if (count < 0 && errno != EINTR) return system_error(errno, "cannot wait for an answer");
        if (count > 0 && wanted[0].revents != 0) return Ready::kYes;
        if (count > 0) return Ready::kCancelled;
        if (count == 0 && Clock::now() >= deadline) return Ready::kTimeout;
    }
}

Result<json::object> read_start_report(int pipe, Deadline deadline, int cancel) {
    std::string line;
    for (;;) {
        DIVISI_TRY_ASSIGN(const Ready ready, wait_readable(pipe, deadline, cancel));
        if (ready == Ready::kTimeout) return make_error(Errc::kFailed, "did not start in time");
        if (ready == Ready::kCancelled) return make_error(Errc::kFailed, "the start was cancelled");
        std::array<char, 4096> buffer{};
        const ssize_t count = ::read(pipe, buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return system_error(errno, "cannot read a start report");
        if (count == 0) return make_error(Errc::kFailed, "ended without a start report");
        line.append(buffer.data(), static_cast<std::size_t>(count));
        if (const std::size_t end = line.find('\n'); end != std::string::npos) return parse_report(line.substr(0, end));
        if (line.size() > kReportBytes) return make_error(Errc::kProtocol, "the start report is too long");
    }
}

void write_start_report(int fd, const Result<json::object>& outcome) {
    json::object report;
    report["ok"] = outcome.has_value();
    if (outcome) {
        for (const auto& field : *outcome) report[field.key()] = field.value();
    } else {
        report["error"] = to_json(outcome.error());
    }
    (void)write_all(fd, json::serialize(report) + '\n', "start report");
}

std::string log_tail(const std::string& path, std::size_t limit_bytes) {
    const auto log = open_file(path, O_RDONLY | O_NONBLOCK);
    if (!log) return {};
    const off_t size = ::lseek(log->get(), 0, SEEK_END);
    if (size <= 0) return {};
    const auto wanted = static_cast<off_t>(std::min<std::uint64_t>(static_cast<std::uint64_t>(size), limit_bytes));
    std::string text(static_cast<std::size_t>(wanted), '\0');
    const ssize_t count = ::pread(log->get(), text.data(), text.size(), size - wanted);
    if (count <= 0) return {};
    text.resize(static_cast<std::size_t>(count));
    if (wanted < size) text.erase(0, text.find('\n') + 1);  // npos + 1 is 0: one long line stays
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

}  // namespace divisi::api
