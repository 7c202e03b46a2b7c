#include "hv/unwind/unwinder.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/json.hpp"
#include "base/packet.hpp"
#include "base/paths.hpp"
#include "base/printable.hpp"
#include "hv/unwind/wire.hpp"

namespace divisi::hv {
namespace {

Error broken(std::string why) {
    return make_error(Errc::kFailed, std::move(why), "divisi-unwind");
}

Result<StackFrame> parse_frame(const json::value& value) {
    const json::object* object = value.if_object();
    if (object == nullptr) return broken("a frame that is no object");
    StackFrame frame;
    DIVISI_TRY_ASSIGN(const std::string pc, string_field(*object, "pc"));
    DIVISI_TRY_ASSIGN(const std::string symbol, string_field(*object, "symbol"));
    DIVISI_TRY_ASSIGN(const std::string source, string_field(*object, "source"));
    if (!pc.starts_with("0x")) return broken("a frame without an address");
    std::from_chars(pc.data() + 2, pc.data() + pc.size(), frame.pc, 16);
    frame.symbol = printable(symbol.substr(0, kUnwindTextBytes));
    frame.source = printable(source.substr(0, kUnwindTextBytes));
    return frame;
}

Result<Backtrace> parse_answer(std::string_view text) {
    DIVISI_TRY_ASSIGN(const json::object answer, parse_object(text));
    DIVISI_TRY_ASSIGN(const json::array* frames, array_field(answer, "frames"));
    Backtrace backtrace;
    for (const json::value& value : *frames) {
        if (backtrace.size() == kUnwindFrames) break;
        DIVISI_TRY_ASSIGN(StackFrame frame, parse_frame(value));
        backtrace.push_back(std::move(frame));
    }
    return backtrace;
}

Result<std::pair<Fd, Fd>> socket_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return system_error(errno, "cannot make a socket");
    return std::pair(Fd(ends[0]), Fd(ends[1]));
}

UnwindRequest request_for(const Registers& r) {
    return {{r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
             r.r15, r.rip},
            kUnwindFrames};
}

}  // namespace

Result<UnwindServer> UnwindServer::start() {
    DIVISI_TRY_ASSIGN(const std::string folder, own_bin_dir());
    DIVISI_TRY_ASSIGN(auto ends, socket_pair());
    DIVISI_TRY_ASSIGN(const Fd log, open_file("/dev/null", O_RDWR));
    ProcessSpec spec;
    spec.argv = {folder + "/divisi-unwind"};
    spec.environment.emplace();
    spec.fds = {{ends.second.get(), STDIN_FILENO}, {log.get(), STDOUT_FILENO}, {log.get(), STDERR_FILENO}};
    DIVISI_TRY_ASSIGN(Process process, Process::spawn(spec));
    return UnwindServer(std::move(process), std::move(ends.first));
}

Result<Unwinder> UnwindServer::open(const Image& image, const VdsoPlace& vdso, Unwinder::ReadPage read_page) const {
    DIVISI_TRY_ASSIGN(auto ends, socket_pair());
    UnwindTask task{image.load_base, vdso.fd >= 0 ? vdso.address : 0};
    const std::array<int, kUnwindTaskFds> fds{ends.second.get(), image.file->get(), vdso.fd};
    DIVISI_TRY(send_packet(socket_.get(), std::as_bytes(std::span(&task, 1)),
                           std::span(fds).first(vdso.fd >= 0 ? 3 : 2), "hand a program over", "divisi-unwind"));
    return Unwinder(std::move(ends.first), std::move(read_page));
}

Result<void> Unwinder::serve_read(std::span<const std::byte> packet) {
    UnwindRead ask;
    if (packet.size() != sizeof ask) return broken("sent something that is no question");
    std::memcpy(&ask, packet.data(), sizeof ask);
    std::array<std::byte, 1 + kUnwindReadBytes> answer{};
    const bool readable = ask.address % kUnwindReadBytes == 0 && read_page_(ask.address, std::span(answer).subspan(1));
    answer[0] = std::byte{readable};
    if (::send(socket_.get(), answer.data(), readable ? answer.size() : 1, MSG_NOSIGNAL) < 0)
        return system_error(errno, "cannot answer", "divisi-unwind");
    return {};
}

Result<Backtrace> Unwinder::unwind(const Registers& registers, std::size_t most, std::chrono::milliseconds patience) {
    UnwindRequest request = request_for(registers);
    request.most = most;
    if (::send(socket_.get(), &request, sizeof request, MSG_NOSIGNAL) != sizeof request)
        return broken("ended before it was asked");
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::vector<std::byte> packet(kUnwindAnswerBytes);
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd ready{socket_.get(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0)
            return broken("took too long over a stack");
        const ssize_t bytes = ::recv(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_TRUNC);
        if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (bytes <= 0) return broken("ended over a stack");
        if (static_cast<std::size_t>(bytes) > packet.size()) return broken("sent more than there can be to say");
        const auto received = std::span(packet).first(static_cast<std::size_t>(bytes));
        if (received[0] == std::byte{'{'})
            return parse_answer({reinterpret_cast<const char*>(received.data()), received.size()});
        DIVISI_TRY(serve_read(received));
    }
}

}  // namespace divisi::hv
