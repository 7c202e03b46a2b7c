// divisid: the daemon. Holds no guest memory and runs no guest code: topologies go on without it.
//
// SIGTERM and SIGINT end the daemon alone; `divisi daemon stop` releases the topologies first.
#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "base/fd.hpp"
#include "base/paths.hpp"
#include "base/quantity.hpp"
#include "daemon/api/autostart.hpp"
#include "daemon/api/http_server.hpp"
#include "daemon/api/launch.hpp"
#include "daemon/service.hpp"
#include "daemon/topologies.hpp"

namespace divisi::daemon {
namespace {

constexpr std::chrono::seconds kLockPatience{10};

struct Options {
    bool automatic = false;  // started by `divisi`: report on standard output, log on standard error
    std::string idle_exit;
    bool verbose = false;
};

Result<std::string> checked_state_dir() {
    DIVISI_TRY_ASSIGN(std::string state, state_dir());
    struct stat status {};
    if (::stat(state.c_str(), &status) != 0) return system_error(errno, "cannot use the state folder", state);
    if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return make_error(Errc::kFailed, "others may write to the state folder", state, "chmod 700 it");
    return state;
}

// Only one daemon serves a state folder. One that is just ending still holds the lock for a moment.
Result<Fd> take_lock(const std::string& state) {
    const std::string path = state + "/divisid.lock";
    DIVISI_TRY_ASSIGN(Fd file, open_file(path, O_RDWR | O_CREAT, 0600));
    const api::Deadline deadline = api::Clock::now() + kLockPatience;
    while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) return system_error(errno, "cannot lock", path);
        const auto holder = read_file(path, 64);
        DIVISI_TRY_ASSIGN(const bool answers, api::daemon_answers(state));
        if (answers || api::Clock::now() > deadline)
            return make_error(Errc::kExists,
                              fmt::format("another divisid runs here{}", holder ? " (pid " + *holder + ")" : ""), state,
                              "use that one, or set DIVISI_STATE_DIR to another folder");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    if (::ftruncate(file.get(), 0) != 0) return system_error(errno, "cannot write", path);
    DIVISI_TRY(write_all(file.get(), std::to_string(::getpid()), path));
    return file;
}

// Each connection and each topology takes some descriptors; the usual soft limit is meant for programs with select(2).
void raise_descriptor_limit() {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
}

// The path of divisi-vmm: beside this program, unless DIVISI_VMM names another.
Result<std::string> vmm_program() {
    if (const char* other = std::getenv("DIVISI_VMM"); other != nullptr && *other != '\0') return std::string(other);
    DIVISI_TRY_ASSIGN(const std::string folder, own_bin_dir());
    return folder + "/divisi-vmm";
}

Result<std::chrono::milliseconds> idle_time(const Options& options) {
    if (options.idle_exit.empty()) return std::chrono::milliseconds::zero();
    DIVISI_TRY_ASSIGN(const auto time, parse_duration(options.idle_exit));
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(time);
    if (rounded <= std::chrono::milliseconds::zero())
        return make_error(Errc::kUsage, "must be above zero", "--idle-exit " + options.idle_exit);
    return rounded;
}

// Blocks the signals that end the daemon, for all its threads, and waits for them on one.
class EndSignals {
public:
    EndSignals() {
        sigemptyset(&set_);
        for (const int signo : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set_, signo);
        ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
        ::signal(SIGPIPE, SIG_IGN);
    }
    EndSignals(const EndSignals&) = delete;
    EndSignals& operator=(const EndSignals&) = delete;
    ~EndSignals() {
        if (!thread_.joinable()) return;
        done_ = true;
        // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
        ::pthread_kill(thread_.native_handle(), SIGTERM);
        thread_.join();
    }

    void on_signal(std::function<void(int)> call) {
        thread_ = std::thread([this, call = std::move(call)] {
            while (!done_) {
                int signo = 0;
                if (::sigwait(&set_, &signo) == 0 && !done_) call(signo);
            }
        });
    }

private:
    sigset_t set_{};
    std::atomic<bool> done_{false};
    std::thread thread_;
};

Result<void> serve(const Options& options, EndSignals& signals) {
    DIVISI_TRY_ASSIGN(const std::string state, checked_state_dir());
    DIVISI_TRY_ASSIGN(const auto idle, idle_time(options));
    DIVISI_TRY_ASSIGN(const std::string vmm, vmm_program());
    (void)!::chdir("/");  // keep no folder busy
    DIVISI_TRY_ASSIGN(const Fd lock, take_lock(state));
    Topologies topologies({.state = state, .vmm = vmm});
    DIVISI_TRY(topologies.start());

    std::function<void()> stop;
    Service service(topologies, DIVISI_VERSION, [&stop] { stop(); });
    api::ServerOptions server_options;
    server_options.idle_exit = idle;
    server_options.may_idle_exit = [&topologies] { return topologies.registry().empty(); };
    DIVISI_TRY_ASSIGN(
        api::HttpServer server,
        api::HttpServer::create(
            daemon_socket(state), [&service](const api::Request& request) { return service.serve(request); },
            std::move(server_options)));
    stop = [&server] { server.stop(); };
    signals.on_signal([&server](int signo) {
        spdlog::info("signal {}: ending; topologies stay", signo);
        server.stop();
    });
    spdlog::info("divisid {} (pid {}) serves {}", DIVISI_VERSION, ::getpid(), daemon_socket(state));
    if (options.automatic) {
        api::write_start_report(STDOUT_FILENO, json::object{{"pid", ::getpid()}});
        (void)!::freopen("/dev/null", "w", stdout);
    }
    server.run();
    spdlog::info("divisid (pid {}) ends", ::getpid());
    return {};
}

int fail(const Options& options, const Error& error) {
    spdlog::error("{}", error.message());
    if (options.automatic) api::write_start_report(STDOUT_FILENO, error);
    return error.exit_code();
}

int run(int argc, char** argv) {
    CLI::App app("The daemon of divisi: keeps account of topologies and serves docs/api.md on a Unix socket.",
                 "divisid");
    Options options;
    app.set_version_flag("--version", "divisid " DIVISI_VERSION);
    app.add_option("--idle-exit", options.idle_exit, "End after this time without topologies and requests (5s)")
        ->type_name("DURATION");
    app.add_flag("--auto", options.automatic, "Report the start as one line on standard output (for `divisi`)");
    app.add_flag("-v,--verbose", options.verbose, "Log more");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    raise_descriptor_limit();
    spdlog::set_default_logger(spdlog::stderr_color_mt("divisid"));
    spdlog::set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
    if (options.verbose) spdlog::set_level(spdlog::level::debug);
    EndSignals signals;
    auto served = serve(options, signals);
    return served ? 0 : fail(options, served.error());
}

}  // namespace
}  // namespace divisi::daemon

int main(int argc, char** argv) {
    try {
        return divisi::daemon::run(argc, argv);
    } catch (const std::exception& error) {
        fmt::print(stderr, "divisid: {}\n", error.what());
        return 1;
    }
}
