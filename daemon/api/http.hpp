// HTTP requests and responses as values, and the parts of HTTP that need no socket.
//
// Threads: values; copy them freely.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace divisi::api {

// What a request may cost before it is refused.
struct Limits {
    static constexpr std::size_t kHeaderBytes = 16U << 10U;
    static constexpr std::size_t kBodyBytes = 4U << 20U;
    static constexpr std::size_t kTargetBytes = 2048;
    static constexpr std::size_t kSegments = 8;
};

// The process at the other end of a connection, as the kernel names it.
struct Peer {
    pid_t pid = -1;
    uid_t uid = static_cast<uid_t>(-1);
    int socket = -1;  // lent
};

// A pidfd of it; invalid where the process is gone.
Fd open_peer(const Peer& peer);

// A request's target, split: "/v1/jobs/a.1?signal=9" is {"v1", "jobs", "a.1"} and {signal: "9"}.
struct Target {
    std::vector<std::string> segments;
    std::map<std::string, std::string> query;
};

// Errors: kUsage for a target that is too long, not absolute, or has a broken %-escape or a NUL.
Result<Target> parse_target(std::string_view text);
// The other way: escapes what may not stand in one path segment or query value.
std::string escape(std::string_view text);

struct Request {
    std::string method;
    Target target;
    std::string body;
    const Peer* peer = nullptr;  // lent for the time of the call
    int gone = -1;               // a descriptor that becomes readable when the client goes away
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
};

Response json_response(int status, const json::object& body);
// `{"error": {message, exit, kind}}` with the status that fits the error's kind.
Response error_response(const Error& error);
Response error_response(int status, const Error& error);
int status_of(const Error& error) noexcept;

}  // namespace divisi::api
