#include "daemon/api/http_session.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <exception>
#include <optional>
#include <string>
#include <utility>

namespace divisi::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Protocol = asio::local::stream_protocol;
using ErrorCode = boost::system::error_code;

constexpr std::chrono::milliseconds kGrace{300};
constexpr std::chrono::seconds kLinger{1};
constexpr std::size_t kLingerBytes = 2 * Limits::kBodyBytes;

Peer peer_of(int socket) {
    Peer peer;
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return peer;
    peer.pid = credentials.pid;
    peer.uid = credentials.uid;
    peer.socket = socket;
    return peer;
}

Response call(const Handler& handler, const Request& request) {
    try {
        return handler(request);
    } catch (const std::exception& error) {  // the boundary: nothing a request causes may end the daemon
        return error_response(make_error(Errc::kFailed, std::string("cannot serve the request: ") + error.what()));
    }
}

class HttpSession final : public Session {
public:
    HttpSession(SessionHost& host, Protocol::socket socket)
        : host_(host), stream_(std::move(socket)), grace_(host.io) {}

    void start() override {
        peer_ = peer_of(stream_.socket().native_handle());
        gone_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (peer_.uid != ::geteuid()) return refuse(403, "this socket serves its owner alone");
        if (!gone_.valid() || host_.sessions.size() > host_.options.connections)
            return refuse(503, "too many connections; try again");
        read_header();
    }

    void wind_down() override {
        if (phase_ == Phase::kHandling) {
            tell_gone();
        } else if (phase_ == Phase::kReading && served_ > 0 && !begun()) {
            end();
        } else if (phase_ == Phase::kReading) {
            // It may have connected just before the server began to end, with a request on its way.
            grace_.expires_after(kGrace);
            grace_.async_wait([me = self()](ErrorCode error) {
                if (!error && me->phase_ == Phase::kReading) me->end();
            });
        }
    }

private:
    enum class Phase { kReading, kHandling, kWriting, kLingering, kEnded };

    // Each pending operation holds one: the session lives as long as something may still call it.
    std::shared_ptr<HttpSession> self() { return std::static_pointer_cast<HttpSession>(shared_from_this()); }

    // Whether anything of a request has arrived: the parser takes a header only when it is complete.
    [[nodiscard]] bool begun() const { return parser_->got_some() || buffer_.size() != 0; }

    void read_header() {
        phase_ = Phase::kReading;
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(Limits::kHeaderBytes));
        parser_->body_limit(Limits::kBodyBytes);
        stream_.expires_after(host_.options.patience);
        http::async_read_header(stream_, buffer_, *parser_, [me = self()](ErrorCode error, std::size_t) {
            if (error) return me->read_failed(error);
            me->before_body();
        });
    }

    // A client with a large body asks first (Expect: 100-continue) and would wait a while for an answer.
    void before_body() {
        if (!beast::iequals(parser_->get()[http::field::expect], "100-continue")) return read_body();
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(stream_, asio::buffer(kContinue), [me = self()](ErrorCode error, std::size_t) {
            if (error) return me->end();
            me->read_body();
        });
    }

    void read_body() {
        stream_.expires_after(host_.options.patience);
        http::async_read(stream_, buffer_, *parser_, [me = self()](ErrorCode error, std::size_t) {
            if (error) return me->read_failed(error);
            me->handle();
        });
    }

    void read_failed(ErrorCode error) {
        if (phase_ == Phase::kEnded) return;
        // A timeout has closed the connection: nothing can be answered over it.
        if (error == http::error::end_of_stream || error == asio::error::eof ||
            error == asio::error::connection_reset || error == beast::error::timeout)
            return end();
        if (error == http::error::body_limit)
            return refuse(413, "the body is larger than " + std::to_string(Limits::kBodyBytes) + " bytes");
        if (error == http::error::header_limit || error == http::error::buffer_overflow)
            return refuse(431, "the header is larger than " + std::to_string(Limits::kHeaderBytes) + " bytes");
        refuse(400, "not an HTTP request: " + error.message());
    }

    void handle() {
        phase_ = Phase::kHandling;
        host_.last_active = std::chrono::steady_clock::now();
        auto message = parser_->release();
        keep_alive_ = message.keep_alive();
        version_ = message.version();
        auto target = parse_target(std::string_view(message.target().data(), message.target().size()));
        if (!target) return respond(error_response(target.error()));
        Request request{std::string(message.method_string()), std::move(*target), std::move(message.body()), &peer_,
                        gone_.get()};
        stream_.expires_never();
        watch_for_leaving();
        auto work = [me = self(), request = std::move(request), guard = asio::make_work_guard(host_.io)]() mutable {
            Response response = call(me->host_.handler, request);
            // Moves the last reference along: the session is destroyed on the I/O thread, as everything else of it.
            asio::post(guard.get_executor(), [me = std::move(me), response = std::move(response)]() mutable {
                me->respond(std::move(response));
            });
        };
        if (!host_.workers.start(std::move(work)))
            respond(error_response(503, make_error(Errc::kBusy, "too many requests at once; try again")));
    }

    // While the handler works, the only thing to read is the client's end.
    void watch_for_leaving() {
        if (buffer_.size() != 0) return;
        stream_.socket().async_wait(Protocol::socket::wait_read, [me = self()](ErrorCode error) {
            if (error || me->phase_ != Phase::kHandling) return;
            char byte = 0;
            const auto count = ::recv(me->stream_.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
            if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) me->tell_gone();
        });
    }

    void tell_gone() const {
        const std::uint64_t one = 1;
        (void)!::write(gone_.get(), &one, sizeof one);
    }

    void refuse(int status, std::string why) {
        keep_alive_ = false;
        respond(error_response(status, make_error(Errc::kUsage, std::move(why))));
    }

    void respond(Response response) {
        if (phase_ == Phase::kEnded) return;
        phase_ = Phase::kWriting;
        ++served_;
        ErrorCode ignored;
        stream_.socket().cancel(ignored);
        if (host_.stopping) keep_alive_ = false;
        response_ = {};
        response_.version(version_);
        response_.result(static_cast<unsigned>(response.status));
        response_.set(http::field::server, "divisid");
        response_.set(http::field::content_type, response.content_type);
        for (const auto& [name, value] : response.headers) response_.set(name, value);
        response_.keep_alive(keep_alive_);
        response_.body() = std::move(response.body);
        response_.prepare_payload();
        stream_.expires_after(host_.options.patience);
        http::async_write(stream_, response_, [me = self()](ErrorCode error, std::size_t) {
            me->host_.last_active = std::chrono::steady_clock::now();
            if (error) return me->end();
            if (!me->keep_alive_) return me->linger();
            std::uint64_t count = 0;
            (void)!::read(me->gone_.get(), &count, sizeof count);
            me->read_header();
        });
    }

    // Reads what is still on its way before closing: a client that is sending then sees our answer, not EPIPE.
    void linger() {
        phase_ = Phase::kLingering;
        ErrorCode ignored;
        stream_.socket().shutdown(Protocol::socket::shutdown_send, ignored);
        stream_.expires_after(kLinger);
        discard(0);
    }

    void discard(std::size_t so_far) {
        stream_.async_read_some(asio::buffer(scratch_), [me = self(), so_far](ErrorCode error, std::size_t count) {
            if (error || so_far + count > kLingerBytes) return me->end();
            me->discard(so_far + count);
        });
    }

    void end() {
        if (phase_ == Phase::kEnded) return;
        phase_ = Phase::kEnded;
        ErrorCode ignored;
        grace_.cancel();
        stream_.socket().close(ignored);
        host_.sessions.erase(shared_from_this());
    }

    SessionHost& host_;
    beast::basic_stream<Protocol> stream_;
    asio::steady_timer grace_;
    beast::flat_buffer buffer_{Limits::kHeaderBytes + (64U << 10U)};
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    std::array<char, 4096> scratch_{};
    Peer peer_;
    Fd gone_;
    Phase phase_ = Phase::kReading;
    unsigned version_ = 11;
    std::size_t served_ = 0;
    bool keep_alive_ = false;
};

}  // namespace

std::shared_ptr<Session> make_session(SessionHost& host, Protocol::socket socket) {
    return std::make_shared<HttpSession>(host, std::move(socket));
}

}  // namespace divisi::api
