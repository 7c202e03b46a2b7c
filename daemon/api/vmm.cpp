#include "daemon/api/vmm.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

namespace divisi::api {
namespace {

constexpr std::string_view kVmm = "divisi-vmm";

Error ended() {
    return make_error(Errc::kUnreachable, "ended without an answer", std::string(kVmm));
}

json::object run_message(const JobRequest& job, bool detach) {
    json::object message = to_json(job);
    message["op"] = "run";
    message["nodes"] = job.nodes;
    message["ranks"] = job.ranks;
    message["threads"] = job.threads;
    message["label"] = job.label;
    message["core"] = job.core;
    message["deadlock"] = job.deadlock;
    if (!job.host_ranks.empty()) message["host_ranks"] = json::array(job.host_ranks.begin(), job.host_ranks.end());
    message["detach"] = detach;
    // In the foreground the client tells them, from the report; in the background only the log is left to say so.
    message["faults"] = detach;
    if (!detach) message["pid"] = ::getpid();
    return message;
}

Result<Program> open_program(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return make_error(Errc::kNotFound, "no such program", path);
        return make_error(Errc::kBadImage, "cannot be reached: " + std::generic_category().message(errno), path);
    }
    if (!S_ISREG(status.st_mode))
        return make_error(Errc::kBadImage, S_ISDIR(status.st_mode) ? "is a folder, not a program" : "is no program",
                          path);
    if (::access(path.c_str(), X_OK) != 0)
        return make_error(Errc::kBadImage, "is not executable", path,
                          "chmod +x it, if it is a program; nothing is where a file system is mounted noexec");
    auto file = open_file(path, O_RDONLY);
    if (!file)
        return make_error(Errc::kBadImage, "cannot be read: " + file.error().cause.message(), path,
                          "a node's program is loaded by reading it");
    return Program{path, std::move(*file)};
}

}  // namespace

Result<VmmConnection> VmmConnection::open(const std::string& socket, std::chrono::milliseconds patience) {
    DIVISI_TRY_ASSIGN(ControlConnection connection, ControlConnection::connect(socket, patience));
    return VmmConnection(std::move(connection));
}

pid_t VmmConnection::pid() const noexcept {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(connection_.fd(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return -1;
    return credentials.pid;
}

Result<json::object> VmmConnection::request(const json::object& body, Deadline deadline, int cancel) {
    DIVISI_TRY(send(body));
    return answer(deadline, cancel);
}

Result<void> VmmConnection::send(const json::object& body, std::span<const int> fds) {
    auto sent = connection_.send(body, fds);
    if (!sent && (sent.error().cause == std::errc::broken_pipe || sent.error().cause == std::errc::connection_reset))
        return ended();
    return sent;
}

Result<json::object> VmmConnection::answer(Deadline deadline, int cancel) {
    DIVISI_TRY_ASSIGN(const Ready ready, wait_readable(connection_.fd(), deadline, cancel));
    if (ready == Ready::kTimeout) return make_error(Errc::kUnreachable, "does not answer", std::string(kVmm));
    if (ready == Ready::kCancelled) return make_error(Errc::kFailed, "given up: the client went away");
    DIVISI_TRY_ASSIGN(std::optional<json::object> event, next_event());
    if (!event) return ended();
    return checked(std::move(*event));
}

Result<void> VmmConnection::start_job(const JobRequest& job, const JobFiles& files, bool detach) {
    const std::array<int, 5> fds{files.input, files.output, files.error, files.program, files.cwd};
    return send(run_message(job, detach), fds);
}

Result<Joined> VmmConnection::join(std::uint64_t rank, int fd) {
    DIVISI_TRY(send({{"op", "join"}, {"rank", rank}, {"fd", fd}}));
    DIVISI_TRY_ASSIGN(std::optional<ControlMessage> message, connection_.receive());
    if (!message) return ended();
    DIVISI_TRY_ASSIGN(const json::object answer, checked(std::move(message->body)));
    Joined joined;
    DIVISI_TRY_ASSIGN(joined.job, string_field(answer, "job"));
    DIVISI_TRY_ASSIGN(joined.native, string_field(answer, "native"));
    if (message->fds.size() != 1) return make_error(Errc::kProtocol, "the window did not come along");
    joined.window = std::move(message->fds.front());
    return joined;
}

Result<std::optional<json::object>> VmmConnection::next_event() {
    DIVISI_TRY_ASSIGN(std::optional<ControlMessage> message, connection_.receive());
    if (!message) return std::optional<json::object>{};
    return std::optional<json::object>(std::move(message->body));
}

Result<json::object> checked(json::object answer) {
    DIVISI_TRY_ASSIGN(const bool good, bool_field_or(answer, "ok", false));
    if (good) return answer;
    DIVISI_TRY_ASSIGN(const json::object* error, object_field(answer, "error"));
    return error_from_json(*error);
}

Result<Program> find_program(const std::string& name, const std::string& cwd, const std::string& search_path) {
    if (name.empty()) return make_error(Errc::kNotFound, "no program is named");
    const std::filesystem::path base(cwd);
    if (name.find('/') != std::string::npos) return open_program((base / name).lexically_normal().string());
    std::optional<Error> unfit;  // as execvp does: something that is found but unfit is told, unless a later one fits
    for (std::size_t begin = 0; begin <= search_path.size();) {
        const std::size_t end = std::min(search_path.find(':', begin), search_path.size());
        const std::string folder = search_path.substr(begin, end - begin);
        auto program = open_program((base / folder / name).lexically_normal().string());
        if (program) return program;
        if (!program.error().is(Errc::kNotFound) && !unfit) unfit = program.error();
        begin = end + 1;
    }
    if (unfit) return *unfit;
    return make_error(Errc::kNotFound, "no such program in PATH", name, "for one in this folder say ./" + name);
}

std::optional<std::string> environment_value(std::span<const std::string> env, std::string_view name) {
    for (const std::string& entry : env) {
        if (entry.size() > name.size() && entry[name.size()] == '=' && entry.compare(0, name.size(), name) == 0)
            return entry.substr(name.size() + 1);
    }
    return std::nullopt;
}

}  // namespace divisi::api
