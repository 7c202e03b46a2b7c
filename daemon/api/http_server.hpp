// The daemon's HTTP server: HTTP/1.1 over a Unix socket, for the socket's owner alone.
//
// One thread (the one in `run`) does all input and output; each request is handled on a thread of its own, which may
// block. Input is bounded (`Limits`, connections, requests in flight, time): whatever a client sends or leaves out
// costs it its own connection and nothing else.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "daemon/api/http.hpp"

namespace divisi::api {

using Handler = std::function<Response(const Request&)>;

struct ServerOptions {
    std::size_t connections = 256;
    std::size_t requests = 64;                                                // in flight at once
    std::chrono::milliseconds patience = std::chrono::seconds(30);            // for a header, a body, a response
    std::chrono::milliseconds idle_exit = std::chrono::milliseconds::zero();  // zero: never
    std::function<bool()> may_idle_exit = [] { return true; };                // asked when idle for that long
};

class HttpServer {
public:
    // Binds `path` (mode 0600), replacing a dead socket file. The caller holds the lock that makes it the only server.
    // Errors: errno; kExists when something answers there.
    static Result<HttpServer> create(const std::string& path, Handler handler, ServerOptions options);
    HttpServer(HttpServer&&) noexcept;
    HttpServer& operator=(HttpServer&&) = delete;
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    // Removes the socket file.
    ~HttpServer();

    // Serves until `stop` or the idle exit; requests that were accepted are answered first.
    void run();
    // Threads: safe from any thread, several times. Not from a signal handler.
    void stop();

private:
    class Impl;
    explicit HttpServer(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

}  // namespace divisi::api
