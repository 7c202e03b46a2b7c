#include "base/control.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include "tests/support/temp_dir.hpp"

namespace divisi {
namespace {

using test::TempDir;
using testing::HasSubstr;

struct Pair {
    ControlConnection ours;
    ControlConnection theirs;
};

Pair make_pair_of_connections() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    return {ControlConnection(Fd(ends[0])), ControlConnection(Fd(ends[1]))};
}

// Sends bytes as they are, as a peer that keeps no rules would.
void send_raw(const ControlConnection& connection, std::string_view packet, const std::vector<int>& fds = {}) {
    iovec vector{const_cast<char*>(packet.data()), packet.size()};
    std::vector<char> control(CMSG_SPACE(fds.size() * sizeof(int)));
    msghdr header{};
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        cmsghdr* message = CMSG_FIRSTHDR(&header);
        message->cmsg_level = SOL_SOCKET;
        message->cmsg_type = SCM_RIGHTS;
        message->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
        std::memcpy(CMSG_DATA(message), fds.data(), fds.size() * sizeof(int));
    }
    ASSERT_EQ(::sendmsg(connection.fd(), &header, MSG_NOSIGNAL), static_cast<ssize_t>(packet.size()));
}

std::size_t open_descriptors() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

json::object message_of_size(std::size_t bytes) {
    json::object body;
    body["text"] = std::string(bytes, 't');
    return body;
}

TEST(Control, CarriesMessagesInOrder) {
    Pair pair = make_pair_of_connections();
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(pair.ours.send({{"number", i}}));
    for (unsigned i = 0; i < 10; ++i) {
        auto message = pair.theirs.receive();
        ASSERT_TRUE(message && *message);
        EXPECT_EQ(*uint_field((*message)->body, "number"), i);
        EXPECT_TRUE((*message)->fds.empty());
    }
}

TEST(Control, CarriesDescriptors) {
    Pair pair = make_pair_of_connections();
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd read_end(ends[0]);
    const Fd write_end(ends[1]);
    const int lent[] = {write_end.get(), read_end.get()};
    ASSERT_TRUE(pair.ours.send({{"op", "run"}}, lent));
    auto message = pair.theirs.receive();
    ASSERT_TRUE(message && *message);
    ASSERT_EQ((*message)->fds.size(), 2U);
    EXPECT_NE((*message)->fds[0].get(), write_end.get());
    EXPECT_EQ(::fcntl((*message)->fds[0].get(), F_GETFD), FD_CLOEXEC);
    ASSERT_TRUE(write_all((*message)->fds[0].get(), "x", "pipe"));
    char byte = 0;
    EXPECT_EQ(::read(read_end.get(), &byte, 1), 1);
}

TEST(Control, CarriesTheMostDescriptorsAllowedAndRefusesMore) {
    Pair pair = make_pair_of_connections();
    const Fd null = std::move(*open_file("/dev/null", O_RDWR));
    std::vector<int> fds(ControlConnection::kMaxFds, null.get());
    ASSERT_TRUE(pair.ours.send({}, fds));
    EXPECT_EQ((*pair.theirs.receive())->fds.size(), fds.size());
    // With a large text beside them, too.
    ASSERT_TRUE(pair.ours.send(message_of_size(200000), fds));
    EXPECT_EQ((*pair.theirs.receive())->fds.size(), fds.size());
    fds.push_back(null.get());
    const auto refused = pair.ours.send({}, fds);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(Errc::kProtocol));
}

TEST(Control, CarriesTextsOfEverySizeUpToTheLimit) {
    Pair pair = make_pair_of_connections();
    for (const std::size_t size : {std::size_t{0}, std::size_t{65500}, std::size_t{65522}, std::size_t{65523},
                                   std::size_t{65524}, std::size_t{65525}, std::size_t{65526}, std::size_t{65536},
                                   std::size_t{1} << 20U, ControlConnection::kMaxTextBytes - 20}) {
        ASSERT_TRUE(pair.ours.send(message_of_size(size))) << size;
        auto message = pair.theirs.receive();
        ASSERT_TRUE(message && *message) << size;
        EXPECT_EQ(string_field((*message)->body, "text")->size(), size);
        EXPECT_TRUE((*message)->fds.empty());
    }
    EXPECT_FALSE(pair.ours.send(message_of_size(ControlConnection::kMaxTextBytes)));
}

TEST(Control, EndsWithTheConnection) {
    Pair pair = make_pair_of_connections();
    ASSERT_TRUE(pair.ours.send({{"last", true}}));
    { const ControlConnection gone = std::move(pair.ours); }
    EXPECT_TRUE((*pair.theirs.receive()).has_value());
    EXPECT_FALSE((*pair.theirs.receive()).has_value());
    const auto sent = pair.theirs.send({});
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().cause, std::errc::broken_pipe);
}

TEST(Control, RefusesPacketsThatBreakTheProtocolAndGoesOn) {
    Pair pair = make_pair_of_connections();
    const std::string deep = "J{\"a\":" + std::string(50, '[') + std::string(50, ']') + "}";
    for (const std::string_view packet :
         {std::string_view("J"), std::string_view("X{}"), std::string_view("{}"), std::string_view("J[]"),
          std::string_view("J{} "), std::string_view("M"), std::string_view("J{\"a\""), std::string_view("\0{}", 3),
          std::string_view("J{\"a\": \"\n\"}"), std::string_view(deep)}) {
        send_raw(pair.ours, packet);
        const auto message = pair.theirs.receive();
        if (packet == "J{} ") {
            EXPECT_TRUE(message);  // blanks around the object are JSON
            continue;
        }
        ASSERT_FALSE(message) << packet;
        EXPECT_TRUE(message.error().is(Errc::kProtocol)) << packet;
    }
    ASSERT_TRUE(pair.ours.send({{"fine", true}}));
    EXPECT_TRUE((*pair.theirs.receive())->body.contains("fine"));
}

TEST(Control, RefusesPacketsThatAreTooLarge) {
    Pair pair = make_pair_of_connections();
    send_raw(pair.ours, "J{\"a\": \"" + std::string(70000, 'x') + "\"}");
    const auto message = pair.theirs.receive();
    ASSERT_FALSE(message);
    EXPECT_THAT(message.error().message(), HasSubstr("truncated"));
}

TEST(Control, ClosesTheDescriptorsOfWhatItRefuses) {
    Pair pair = make_pair_of_connections();
    const Fd null = std::move(*open_file("/dev/null", O_RDWR));
    const std::size_t before = open_descriptors();
    send_raw(pair.ours, "J{}", std::vector<int>(40, null.get()));  // more than the receiver takes
    EXPECT_FALSE(pair.theirs.receive());
    send_raw(pair.ours, "garbage", {null.get(), null.get()});
    EXPECT_FALSE(pair.theirs.receive());
    send_raw(pair.ours, "M", {null.get(), null.get()});
    EXPECT_FALSE(pair.theirs.receive());
    EXPECT_EQ(open_descriptors(), before);
}

TEST(Control, RefusesLargeTextsThatAreNoFile) {
    Pair pair = make_pair_of_connections();
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const Fd read_end(ends[0]);
    const Fd write_end(ends[1]);
    const Fd zero = std::move(*open_file("/dev/zero", O_RDONLY));
    const Fd folder = std::move(*open_file("/", O_RDONLY | O_DIRECTORY));
    for (const int fd : {read_end.get(), zero.get(), folder.get(), pair.ours.fd()}) {
        send_raw(pair.ours, "M", {fd});
        const auto message = pair.theirs.receive();
        ASSERT_FALSE(message);
        EXPECT_TRUE(message.error().is(Errc::kProtocol));
    }
}

TEST(Control, RefusesLargeTextsThatLie) {
    Pair pair = make_pair_of_connections();
    const Fd empty(::memfd_create("empty", MFD_CLOEXEC));
    const Fd huge(::memfd_create("huge", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(huge.get(), off_t{1} << 40), 0);
    const Fd zeroes(::memfd_create("zeroes", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(zeroes.get(), 100000), 0);
    for (const int fd : {empty.get(), huge.get(), zeroes.get()}) {
        send_raw(pair.ours, "M", {fd});
        const auto message = pair.theirs.receive();
        ASSERT_FALSE(message);
        EXPECT_TRUE(message.error().is(Errc::kProtocol));
    }
    // One that may only be written is no text either.
    const TempDir dir;
    const Fd unreadable = std::move(*open_file(dir / "file", O_WRONLY | O_CREAT, 0600));
    ASSERT_TRUE(write_all(unreadable.get(), "{}", "file"));
    send_raw(pair.ours, "M", {unreadable.get()});
    EXPECT_FALSE(pair.theirs.receive());
}

TEST(Control, SendsWhileItReceives) {
    Pair pair = make_pair_of_connections();
    constexpr int kMessages = 300;
    std::thread sender([&] {
        for (int i = 0; i < kMessages; ++i) EXPECT_TRUE(pair.ours.send(message_of_size(1000)));
    });
    std::thread echo([&] {
        for (int i = 0; i < kMessages; ++i) {
            auto message = pair.theirs.receive();
            ASSERT_TRUE(message && *message);
            EXPECT_TRUE(pair.theirs.send((*message)->body));
        }
    });
    for (int i = 0; i < kMessages; ++i) EXPECT_TRUE((*pair.ours.receive()).has_value());
    sender.join();
    echo.join();
}

TEST(ControlListener, AcceptsConnections) {
    const TempDir dir;
    const auto listener = listen_control(dir / "sock");
    ASSERT_TRUE(listener);
    auto client = ControlConnection::connect(dir / "sock");
    ASSERT_TRUE(client);
    auto server = accept_control(listener->get());
    ASSERT_TRUE(server);
    ASSERT_TRUE(client->send({{"hello", 1}}));
    EXPECT_TRUE((*server->receive())->body.contains("hello"));
}

TEST(ControlListener, IsForItsOwnerOnly) {
    const TempDir dir;
    const auto listener = listen_control(dir / "sock");
    struct stat status {};
    ASSERT_EQ(::stat((dir / "sock").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST(ControlListener, ReplacesADeadSocketAndRefusesALiveOne) {
    const TempDir dir;
    {
        const auto dead = listen_control(dir / "sock");
        ASSERT_TRUE(dead);
    }
    ASSERT_TRUE(std::filesystem::exists(dir / "sock"));
    const auto live = listen_control(dir / "sock");
    ASSERT_TRUE(live) << live.error().message();
    const auto second = listen_control(dir / "sock");
    ASSERT_FALSE(second);
    EXPECT_TRUE(second.error().is(Errc::kExists));
    EXPECT_THAT(second.error().message(), HasSubstr(dir / "sock"));
    EXPECT_TRUE(ControlConnection::connect(dir / "sock"));
}

TEST(ControlListener, RemovesNoFileThatIsNotASocket) {
    const TempDir dir;
    ASSERT_TRUE(replace_file(dir / "precious", "content"));
    EXPECT_FALSE(listen_control(dir / "precious"));
    EXPECT_EQ(*read_file(dir / "precious"), "content");
}

TEST(ControlListener, RefusesAPathThatIsTooLong) {
    const std::string path = "/tmp/" + std::string(200, 'p');
    const auto listener = listen_control(path);
    ASSERT_FALSE(listener);
    EXPECT_TRUE(listener.error().is(Errc::kUsage));
    EXPECT_THAT(listener.error().message(), HasSubstr("DIVISI_STATE_DIR"));
    EXPECT_FALSE(ControlConnection::connect(path));
}

TEST(ControlConnect, SaysThatNothingAnswers) {
    const TempDir dir;
    { const auto dead = listen_control(dir / "dead"); }
    for (const std::string& path : {dir / "absent", dir / "dead"}) {
        const auto connection = ControlConnection::connect(path);
        ASSERT_FALSE(connection);
        EXPECT_TRUE(connection.error().is(Errc::kUnreachable));
        EXPECT_EQ(connection.error().exit_code(), 5);
        EXPECT_THAT(connection.error().message(), HasSubstr(path));
    }
}

}  // namespace
}  // namespace divisi
