#include "daemon/api/http_server.hpp"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <future>
#include <stdexcept>
#include <thread>

#include "daemon/api/http_client.hpp"
#include "daemon/api/launch.hpp"
#include "temporary_folder.hpp"

namespace divisi::api {
namespace {

using daemon::TemporaryFolder;
using testing::HasSubstr;

Deadline soon() {
    return Clock::now() + std::chrono::seconds(30);
}

// A server on a thread of its own.
class ServerTest : public testing::Test {
protected:
    void serve(Handler handler, ServerOptions options = {}) {
        auto created = HttpServer::create(socket(), std::move(handler), std::move(options));
        ASSERT_TRUE(created) << created.error().message();
        server = std::make_unique<HttpServer>(std::move(*created));
        thread = std::thread([this] { server->run(); });
    }
    ~ServerTest() override {
        if (server) server->stop();
        if (thread.joinable()) thread.join();
    }
    [[nodiscard]] std::string socket() const { return folder / "socket"; }
    Result<Response> ask(const std::string& method, const std::string& target, const std::string& body = {}) {
        auto connection = connect_unix(socket());
        if (!connection) return connection.error();
        return exchange(std::move(*connection), method, target, body, soon());
    }
    // All that comes back for these bytes.
    std::string raw(const std::string& bytes) {
        auto connection = connect_unix(socket());
        if (!connection) return "cannot connect";
        (void)!::send(connection->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        ::shutdown(connection->get(), SHUT_WR);
        auto answer = read_fd(connection->get(), "socket", 1U << 20U);
        return answer ? *answer : answer.error().message();
    }

    TemporaryFolder folder;
    std::unique_ptr<HttpServer> server;
    std::thread thread;
};

Response echo(const Request& request) {
    json::object body{{"method", request.method}, {"body", request.body}};
    return json_response(200, body);
}

TEST_F(ServerTest, PassesRequestsToItsHandler) {
    serve(echo);
    const auto response = ask("PUT", "/x", "some text");
    ASSERT_TRUE(response) << response.error().message();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->content_type, "application/json");
    EXPECT_EQ(response->body, "{\"method\":\"PUT\",\"body\":\"some text\"}\n");
}

TEST_F(ServerTest, TellsWhoAsks) {
    pid_t pid = -1;
    bool alive = false;
    serve([&](const Request& request) {
        pid = request.peer->pid;
        alive = open_peer(*request.peer).valid();
        return json_response(200, {});
    });
    ASSERT_TRUE(ask("GET", "/"));
    EXPECT_EQ(pid, ::getpid());
    EXPECT_TRUE(alive);
}

TEST_F(ServerTest, SurvivesAHandlerThatThrows) {
    serve([](const Request&) -> Response { throw std::runtime_error("oops"); });
    const auto response = ask("GET", "/");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 500);
    EXPECT_THAT(response->body, HasSubstr("oops"));
    EXPECT_TRUE(ask("GET", "/"));
}

TEST_F(ServerTest, HasASocketForItsOwnerAlone) {
    serve(echo);
    struct stat status {};
    ASSERT_EQ(::stat(socket().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(ServerTest, RefusesASocketThatAnotherServes) {
    serve(echo);
    const auto second = HttpServer::create(socket(), echo, {});
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(Errc::kExists));
}

TEST_F(ServerTest, AnswersWhatIsNotHttp) {
    serve(echo);
    EXPECT_THAT(raw("rubbish\r\n\r\n"), HasSubstr("400 Bad Request"));
    EXPECT_THAT(raw("GET / HTTP/1.1\r\nX: " + std::string(Limits::kHeaderBytes, 'x') + "\r\n\r\n"), HasSubstr(" 431 "));
    EXPECT_THAT(raw("PUT / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"), HasSubstr(" 413 "));
    EXPECT_TRUE(ask("GET", "/"));
}

TEST_F(ServerTest, ClosesAConnectionThatHalts) {
    serve(echo, {.patience = std::chrono::milliseconds(50)});
    const auto silent = connect_unix(socket());
    EXPECT_EQ(read_fd(silent->get(), "socket", 1000).value_or("error"), "");
    const auto halting = connect_unix(socket());
    ASSERT_TRUE(write_all(halting->get(), "GET / HT", "socket"));
    EXPECT_EQ(read_fd(halting->get(), "socket", 1000).value_or("error"), "");
}

TEST_F(ServerTest, RefusesConnectionsBeyondItsLimit) {
    serve(echo, {.connections = 2});
    const auto first = connect_unix(socket());
    const auto second = connect_unix(socket());
    const auto response = ask("GET", "/");
    ASSERT_TRUE(response);
    EXPECT_EQ(response->status, 503);
}

TEST_F(ServerTest, RefusesRequestsBeyondItsLimit) {
    std::promise<void> entered;
    std::promise<void> leave;
    serve(
        [&](const Request& request) {
            if (request.method == "WAIT") {
                entered.set_value();
                leave.get_future().wait();
            }
            return json_response(200, {});
        },
        {.requests = 1});
    auto waiting = std::async(std::launch::async, [&] { return ask("WAIT", "/"); });
    entered.get_future().wait();
    EXPECT_EQ(ask("GET", "/")->status, 503);
    leave.set_value();
    EXPECT_EQ(waiting.get()->status, 200);
}

TEST_F(ServerTest, TellsAHandlerThatItsClientHasGone) {
    std::promise<void> entered;
    std::promise<bool> told;
    serve([&](const Request& request) {
        entered.set_value();
        const auto ready = wait_readable(request.gone, soon());
        told.set_value(ready && *ready == Ready::kYes);
        return json_response(200, {});
    });
    {
        const auto connection = connect_unix(socket());
        ASSERT_TRUE(write_all(connection->get(), "GET / HTTP/1.1\r\n\r\n", "socket"));
        entered.get_future().wait();
    }
    EXPECT_TRUE(told.get_future().get());
}

TEST_F(ServerTest, AnswersWhatItHasBegunBeforeItStops) {
    std::promise<void> entered;
    serve([&](const Request& request) {
        entered.set_value();
        (void)wait_readable(request.gone, soon());  // stopping asks handlers to hurry, too
        return json_response(200, {});
    });
    auto response = std::async(std::launch::async, [&] { return ask("GET", "/"); });
    entered.get_future().wait();
    server->stop();
    thread.join();
    EXPECT_EQ(response.get()->status, 200);
    EXPECT_FALSE(connect_unix(socket())) << "and nobody can connect any more";
}

TEST_F(ServerTest, EndsWhenItIsIdle) {
    int asked = 0;
    serve(echo, {.idle_exit = std::chrono::milliseconds(20), .may_idle_exit = [&asked] { return ++asked > 2; }});
    thread.join();
    EXPECT_EQ(asked, 3);
}

TEST_F(ServerTest, ServesManySideBySide) {
    serve(echo);
    std::vector<std::future<int>> all;
    for (int i = 0; i < 16; ++i)
        all.push_back(std::async(std::launch::async, [this] {
            int good = 0;
            for (int j = 0; j < 10; ++j) good += ask("GET", "/") ? 1 : 0;
            return good;
        }));
    for (auto& each : all) EXPECT_EQ(each.get(), 10);
}

TEST(HttpClient, TellsAPeerThatEndsFromOneThatIsSilent) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    const Fd peer(ends[1]);
    EXPECT_TRUE(exchange(Fd(ends[0]), "GET", "/", "", Clock::now() + std::chrono::milliseconds(20))
                    .error()
                    .is(Errc::kUnreachable));
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    Fd(ends[1]).reset();
    EXPECT_TRUE(exchange(Fd(ends[0]), "GET", "/", "", soon()).error().is(Errc::kUnreachable));
}

TEST(HttpClient, RefusesWhatIsNotHttp) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    const Fd peer(ends[1]);
    ASSERT_TRUE(write_all(peer.get(), "SSH-2.0 hello\r\n\r\n", "socket"));
    EXPECT_TRUE(exchange(Fd(ends[0]), "GET", "/", "", soon()).error().is(Errc::kProtocol));
}

}  // namespace
}  // namespace divisi::api
