#include "daemon/api/http_server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <utility>
#include <vector>

#include "daemon/api/http_session.hpp"
#include "daemon/api/launch.hpp"

namespace divisi::api {
namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using ErrorCode = boost::system::error_code;

constexpr std::chrono::milliseconds kAcceptPause{100};

Result<Fd> listen_on(const std::string& path) {
    DIVISI_TRY_ASSIGN(const UnixAddress address, unix_address(path));
    if (connect_unix(path)) return make_error(Errc::kExists, "something already listens here", path);
    ::unlink(path.c_str());
    Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!listener.valid()) return system_error(errno, "cannot create a socket");
    if (::bind(listener.get(), address.get(), sizeof address.value) != 0)
        return system_error(errno, "cannot bind a socket", path);
    // Before listen: until then nobody can connect, so there is no moment with wider permissions.
    if (::chmod(path.c_str(), 0600) != 0) return system_error(errno, "cannot restrict a socket to its owner", path);
    if (::listen(listener.get(), 128) != 0) return system_error(errno, "cannot listen", path);
    return listener;
}

}  // namespace

// NOLINTNEXTLINE(cppcoreguidelines-special-member-functions)
class HttpServer::Impl {
public:
    Impl(std::string path, Fd listener, Handler handler, ServerOptions options)
        : path_(std::move(path)),
          host_(std::move(handler), std::move(options)),
          acceptor_(host_.io, Protocol(), listener.release()),
          pause_(host_.io),
          idle_(host_.io) {
        acceptor_.non_blocking(true);
    }

    ~Impl() { ::unlink(path_.c_str()); }

    void run() {
        accept();
        wait_for_idleness();
        host_.io.run();
    }

    void stop() {
        asio::post(host_.io, [this] { wind_down(); });
    }

private:
    void accept() {
        acceptor_.async_accept([this](ErrorCode error, Protocol::socket socket) {
            if (host_.stopping) return;
            if (!error) {
                take(std::move(socket));
                return accept();
            }
            // Out of descriptors, most likely: connections that end free some.
            pause_.expires_after(kAcceptPause);
            pause_.async_wait([this](ErrorCode) {
                if (!host_.stopping) accept();
            });
        });
    }

    void take(Protocol::socket socket) {
        auto session = make_session(host_, std::move(socket));
        host_.sessions.insert(session);
        session->start();
    }

    void wait_for_idleness() {
        if (host_.options.idle_exit == std::chrono::milliseconds::zero()) return;
        idle_.expires_at(host_.last_active + host_.options.idle_exit);
        idle_.async_wait([this](ErrorCode error) {
            if (error || host_.stopping) return;
            const auto now = std::chrono::steady_clock::now();
            if (now < host_.last_active + host_.options.idle_exit) return wait_for_idleness();
            if (host_.options.may_idle_exit()) return wind_down();
            host_.last_active = now;
            wait_for_idleness();
        });
    }

    // Clients that connected before the socket file went are still served; later ones find no socket.
    void wind_down() {
        if (std::exchange(host_.stopping, true)) return;
        ::unlink(path_.c_str());
        for (;;) {
            Protocol::socket socket(host_.io);
            ErrorCode error;
            acceptor_.accept(socket, error);
            if (error) break;
            take(std::move(socket));
        }
        ErrorCode ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        idle_.cancel();
        const std::vector<std::shared_ptr<Session>> sessions(host_.sessions.begin(), host_.sessions.end());
        for (const auto& session : sessions) session->wind_down();
    }

    std::string path_;
    SessionHost host_;
    Protocol::acceptor acceptor_;
    asio::steady_timer pause_;
    asio::steady_timer idle_;
};

Result<HttpServer> HttpServer::create(const std::string& path, Handler handler, ServerOptions options) {
    DIVISI_TRY_ASSIGN(Fd listener, listen_on(path));
    try {
        return HttpServer(std::make_unique<Impl>(path, std::move(listener), std::move(handler), std::move(options)));
    } catch (const std::exception& error) {
        return make_error(Errc::kFailed, std::string("cannot start the server: ") + error.what(), path);
    }
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
HttpServer::HttpServer(HttpServer&&) noexcept = default;
HttpServer::~HttpServer() = default;

void HttpServer::run() {
    impl_->run();
}

void HttpServer::stop() {
    impl_->stop();
}

}  // namespace divisi::api
