#include "daemon/api/http.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/printable.hpp"

namespace divisi::api {
namespace {

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10U;
    return std::nullopt;
}

Error bad_target(std::string_view why) {
    return make_error(Errc::kUsage, fmt::format("malformed request target: {}", why));
}

Result<std::string> unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            if (i + 2 >= text.size()) return bad_target("a % without two hexadecimal digits");
            const auto high = hex_digit(text[i + 1]);
            const auto low = hex_digit(text[i + 2]);
            if (!high || !low) return bad_target("a % without two hexadecimal digits");
            c = static_cast<char>(*high * 16U + *low);
            i += 2;
        }
        if (c == '\0') return bad_target("a NUL character");
        out += c;
    }
    return out;
}

// Calls `take` for each part between separators, empty ones included; stops at its first error.
template <typename Take>
Result<void> split(std::string_view text, char separator, Take take) {
    for (;;) {
        const std::size_t end = text.find(separator);
        DIVISI_TRY(take(text.substr(0, end)));
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
}

Result<void> add_segment(Target& target, std::string_view part) {
    if (target.segments.size() == Limits::kSegments) return bad_target("too many path segments");
    DIVISI_TRY_ASSIGN(std::string segment, unescape(part));
    target.segments.push_back(std::move(segment));
    return {};
}

Result<void> add_parameter(Target& target, std::string_view part) {
    if (part.empty()) return {};
    const std::size_t equals = part.find('=');
    DIVISI_TRY_ASSIGN(std::string name, unescape(part.substr(0, equals)));
    std::string value;
    if (equals != std::string_view::npos) {
        DIVISI_TRY_ASSIGN(value, unescape(part.substr(equals + 1)));
    }
    if (!target.query.emplace(std::move(name), std::move(value)).second)
        return bad_target("a parameter is given twice");
    return {};
}

int status_of_kind(Errc kind) noexcept {
    switch (kind) {
        case Errc::kUsage: return 400;
        case Errc::kNotFound: return 404;
        case Errc::kExists:
        case Errc::kBusy: return 409;
        case Errc::kInvalidPolicy:
        case Errc::kBadImage: return 422;
        case Errc::kUnsupported: return 501;
        case Errc::kUnreachable:
        case Errc::kProtocol: return 502;
        case Errc::kInsufficient: return 507;
        case Errc::kFailed: return 500;
    }
    return 500;
}

}  // namespace

Result<Target> parse_target(std::string_view text) {
    if (text.size() > Limits::kTargetBytes) return bad_target("too long");
    if (text.empty() || text.front() != '/') return bad_target("it does not start with /");
    Target target;
    const std::size_t question = text.find('?');
    const std::string_view path = text.substr(1, question == std::string_view::npos ? question : question - 1);
    DIVISI_TRY(split(path, '/', [&target](std::string_view part) { return add_segment(target, part); }));
    if (question != std::string_view::npos) {
        DIVISI_TRY(split(text.substr(question + 1), '&',
                         [&target](std::string_view part) { return add_parameter(target, part); }));
    }
    return target;
}

std::string escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain) {
            out += c;
        } else {
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

Fd open_peer(const Peer& peer) {
    constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, Linux 6.5: exact even where the pid has a new owner by now
    int pidfd = -1;
    socklen_t size = sizeof pidfd;
    if (::getsockopt(peer.socket, SOL_SOCKET, kPeerPidfd, &pidfd, &size) == 0) return Fd(pidfd);
    if (errno != ENOPROTOOPT || peer.pid <= 0) return {};
    return Fd(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
}

Response json_response(int status, const json::object& body) {
    Response response;
    response.status = status;
    response.body = as_utf8(json::serialize(body)) + '\n';
    return response;
}

Response error_response(int status, const Error& error) {
    return json_response(status, json::object{{"error", to_json(error)}});
}

Response error_response(const Error& error) {
    return error_response(status_of(error), error);
}

int status_of(const Error& error) noexcept {
    if (error.cause.category() != divisi_category()) return 500;
    return status_of_kind(static_cast<Errc>(error.cause.value()));
}

}  // namespace divisi::api
