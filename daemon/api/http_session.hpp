// One client connection of the HTTP server. Internal to http_server.cpp.
//
// Threads: the I/O thread only; the handler runs on a worker and comes back by a post.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <memory>
#include <set>

#include "daemon/api/http_server.hpp"
#include "daemon/api/workers.hpp"

namespace divisi::api {

class Session;

// What the connections of one server share.
struct SessionHost {
    boost::asio::io_context io{1};
    Handler handler;
    ServerOptions options;
    Workers workers{options.requests};
    std::set<std::shared_ptr<Session>> sessions;
    std::chrono::steady_clock::time_point last_active = std::chrono::steady_clock::now();
    bool stopping = false;

    SessionHost(Handler handle, ServerOptions wanted) : handler(std::move(handle)), options(std::move(wanted)) {}
};

class Session : public std::enable_shared_from_this<Session> {
public:
    Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    virtual ~Session() = default;

    virtual void start() = 0;
    // The server ends: a session between two requests closes, one within a request tells its handler and answers.
    virtual void wind_down() = 0;
};

// `host` must outlive the session, and holds it until it has ended.
std::shared_ptr<Session> make_session(SessionHost& host, boost::asio::local::stream_protocol::socket socket);

}  // namespace divisi::api
