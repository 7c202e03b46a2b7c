#include "daemon/api/http_client.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <utility>

namespace divisi::api {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using ErrorCode = boost::system::error_code;

constexpr std::uint64_t kResponseBytes = 256U << 20U;  // a job's output may be long

// What Beast asks of a stream to read and write synchronously. Asio's own sockets know no deadline in that manner.
class DeadlineStream {
public:
    DeadlineStream(int socket, Deadline deadline, int cancel) : socket_(socket), deadline_(deadline), cancel_(cancel) {}

    template <typename Buffers>
    std::size_t read_some(const Buffers& buffers, ErrorCode& error) {
        const asio::mutable_buffer buffer = *asio::buffer_sequence_begin(buffers);
        const auto ready = wait_readable(socket_, deadline_, cancel_);
        if (!ready || *ready == Ready::kTimeout) return fail(error, asio::error::timed_out);
        if (*ready == Ready::kCancelled) return fail(error, asio::error::operation_aborted);
        const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
        if (count < 0) return fail(error, ErrorCode(errno, boost::system::system_category()));
        if (count == 0) return fail(error, asio::error::eof);
        error = {};
        return static_cast<std::size_t>(count);
    }

    template <typename Buffers>
    std::size_t write_some(const Buffers& buffers, ErrorCode& error) {
        for (auto each = asio::buffer_sequence_begin(buffers); each != asio::buffer_sequence_end(buffers); ++each) {
            const asio::const_buffer buffer = *each;
            if (buffer.size() == 0) continue;
            const ssize_t count = ::send(socket_, buffer.data(), buffer.size(), MSG_NOSIGNAL);
            if (count < 0) return fail(error, ErrorCode(errno, boost::system::system_category()));
            error = {};
            return static_cast<std::size_t>(count);
        }
        error = {};
        return 0;
    }

    // Beast's concepts ask for the throwing forms, too; nothing calls them, so they have no body.
    template <typename Buffers>
    std::size_t read_some(const Buffers& buffers);
    template <typename Buffers>
    std::size_t write_some(const Buffers& buffers);

private:
    static std::size_t fail(ErrorCode& error, ErrorCode why) {
        error = why;
        return 0;
    }

    int socket_;
    Deadline deadline_;
    int cancel_;
};

Error error_of(const ErrorCode& error) {
    if (error == asio::error::timed_out) return make_error(Errc::kUnreachable, "does not answer", "divisid");
    if (error == asio::error::operation_aborted) return make_error(Errc::kFailed, "interrupted");
    if (error == http::error::end_of_stream || error == http::error::partial_message || error == asio::error::eof ||
        error == asio::error::connection_reset || error == asio::error::broken_pipe)
        return make_error(Errc::kUnreachable, "ended without an answer", "divisid");
    return make_error(Errc::kProtocol, "answered with something that is not HTTP: " + error.message(), "divisid");
}

Response to_response(http::response<http::string_body> message) {
    Response response;
    response.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
        response.headers.emplace_back(std::string(field.name_string()), std::string(field.value()));
    }
    const auto type = message[http::field::content_type];
    response.content_type = std::string(type);
    response.body = std::move(message.body());
    return response;
}

}  // namespace

Result<Response> exchange(Fd connection, const std::string& method, const std::string& target, const std::string& body,
                          Deadline deadline, int cancel) {
    http::request<http::string_body> request;
    request.method_string(method);
    request.target(target);
    request.version(11);
    request.set(http::field::host, "divisid");
    request.keep_alive(false);
    if (!body.empty()) request.set(http::field::content_type, "application/json");
    request.body() = body;
    request.prepare_payload();

    DeadlineStream stream(connection.get(), deadline, cancel);
    ErrorCode error;
    ErrorCode write_error;
    http::write(stream, request, write_error);  // a refusal may come before all was sent: read in any case
    boost::beast::flat_buffer buffer;
    http::response_parser<http::string_body> parser;
    parser.body_limit(kResponseBytes);
    http::read(stream, buffer, parser, error);
    if (error) return error_of(write_error ? write_error : error);
    return to_response(parser.release());
}

}  // namespace divisi::api
