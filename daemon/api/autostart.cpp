#include "daemon/api/autostart.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "base/paths.hpp"
#include "base/process.hpp"
#include "daemon/api/http_client.hpp"
#include "daemon/api/launch.hpp"

namespace divisi::api {
namespace {

constexpr off_t kLogBytes = 1 << 20;
constexpr std::chrono::seconds kStartPatience{30};
constexpr std::chrono::seconds kAnswerPatience{10};

std::string log_path(const std::string& state) {
    return state + "/divisid.log";
}

// Daemons append to one log; before a new one starts, a log that has grown large becomes the old one.
void rotate_log(const std::string& state) {
    struct stat status {};
    if (::stat(log_path(state).c_str(), &status) != 0 || status.st_size < kLogBytes) return;
    ::rename(log_path(state).c_str(), (log_path(state) + ".old").c_str());
}

Result<Fd> lock(const std::string& path) {
    DIVISI_TRY_ASSIGN(Fd file, open_file(path, O_RDWR | O_CREAT, 0600));
    while (::flock(file.get(), LOCK_EX) != 0) {
        if (errno != EINTR) return system_error(errno, "cannot lock", path);
    }
    return file;
}

Error cannot_start(const Error& error, const std::string& state) {
    std::string why = "cannot start divisid: " + error.message();
    if (const std::string tail = log_tail(log_path(state)); !tail.empty())
        why += "\nthe last lines of " + log_path(state) + ":\n" + tail;
    return make_error(Errc::kUnreachable, std::move(why));
}

Result<void> start(const std::string& state, const std::string& program) {
    rotate_log(state);
    DIVISI_TRY_ASSIGN(const Fd null, open_file("/dev/null", O_RDONLY));
    DIVISI_TRY_ASSIGN(const Fd log, open_file(log_path(state), O_WRONLY | O_CREAT | O_APPEND, 0600));
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(errno, "cannot create a pipe");
    const Fd report(ends[0]);
    Fd report_end(ends[1]);
    ProcessSpec spec;
    spec.argv = {program, "--auto", "--idle-exit", "300s"};
    spec.fds = {{null.get(), 0}, {report_end.get(), 1}, {log.get(), 2}};
    spec.new_session = true;
    DIVISI_TRY_ASSIGN(Process daemon, Process::spawn(spec));
    report_end.reset();
    DIVISI_TRY(read_start_report(report.get(), Clock::now() + kStartPatience));
    daemon.detach();
    return {};
}

}  // namespace

// Asks, rather than only connects: a daemon that is being killed may still hold its socket for a moment.
Result<bool> daemon_answers(const std::string& state) {
    auto connection = connect_unix(daemon_socket(state));
    if (!connection) return false;
    const Deadline deadline = Clock::now() + kAnswerPatience;
    const auto response = exchange(std::move(*connection), "GET", "/v1/info", {}, deadline);
    if (response) return true;
    if (Clock::now() < deadline) return false;
    const auto pid = read_file(state + "/divisid.lock", 64);
    return make_error(Errc::kUnreachable,
                      "divisid" + (pid ? " (pid " + *pid + ")" : std::string{}) + " does not answer", state,
                      "it may be stopped; kill it, and the next command starts another: topologies stay");
}

Result<void> ensure_daemon(const std::string& state, const std::string& program) {
    DIVISI_TRY_ASSIGN(const bool there, daemon_answers(state));
    if (there) return {};
    // Whoever gets here first starts the daemon; the others wait for the lock and then find it.
    DIVISI_TRY_ASSIGN(const Fd held, lock(state + "/start.lock"));
    DIVISI_TRY_ASSIGN(const bool there_now, daemon_answers(state));
    if (there_now) return {};
    if (auto started = start(state, program); !started) return cannot_start(started.error(), state);
    return {};
}

}  // namespace divisi::api
