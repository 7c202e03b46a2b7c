// divisi daemon: the daemon itself.
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "base/paths.hpp"
#include "base/quantity.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/output.hpp"
#include "ctl/progress.hpp"
#include "ctl/verbs.hpp"
#include "daemon/api/launch.hpp"

namespace divisi::ctl {
namespace {

constexpr std::chrono::seconds kEndPatience{10};
constexpr int kNotRunning = 1;

Result<int> start() {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY_ASSIGN(const json::object info, daemon.client.info());
    DIVISI_TRY(print(fmt::format("divisid runs (pid {})\n", text_of(info, "pid"))));
    return 0;
}

// Whether a daemon that is gone has left topologies behind.
bool topologies_left() {
    const auto state = state_dir();
    std::error_code error;
    return state && !std::filesystem::is_empty(topologies_dir(*state), error) && !error;
}

// Returns when it is gone: whatever starts next finds no half of it.
Result<int> stop(bool force) {
    DIVISI_TRY_ASSIGN(std::optional<DaemonAccess> daemon, running_daemon());
    if (!daemon && !topologies_left()) {
        note("no daemon runs here");
        return 0;
    }
    if (!daemon) {
        DIVISI_TRY_ASSIGN(daemon, reach_daemon());  // to take them up, and end them
    }
    DIVISI_TRY_ASSIGN(const json::object info, daemon->client.info());
    const auto pid = static_cast<pid_t>(count_of(info, "pid"));
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    const Progress progress("releasing all topologies");
    DIVISI_TRY(daemon->client.stop(force));
    if (!process.valid()) return 0;
    DIVISI_TRY_ASSIGN(const api::Ready ended, api::wait_readable(process.get(), api::Clock::now() + kEndPatience));
    if (ended != api::Ready::kYes)
        return make_error(Errc::kFailed, fmt::format("divisid (pid {}) does not end", pid), {},
                          "it has released all topologies and may be killed");
    return 0;
}

Result<int> status(Format format) {
    DIVISI_TRY_ASSIGN(std::optional<DaemonAccess> daemon, running_daemon());
    if (!daemon) {
        note("no daemon runs here; the next command that needs one starts it");
        return kNotRunning;
    }
    DIVISI_TRY_ASSIGN(const json::object info, daemon->client.info());
    if (format == Format::kJson) {
        DIVISI_TRY(print_json(info));
        return 0;
    }
    DIVISI_TRY(print(fmt::format("divisid {} (pid {}) runs since {}, on {}\n{} topologies hold up to {} of memory\n",
                                 text_of(info, "version"), text_of(info, "pid"), age_of(count_of(info, "started")),
                                 text_of(info, "state_dir"), text_of(info, "topologies"),
                                 format_size_rounded(count_of(info, "memory")))));
    return 0;
}

}  // namespace

void add_daemon(CLI::App& app, Context& context) {
    CLI::App* verb = app.add_subcommand("daemon", "Start, stop or look at the daemon");
    verb->require_subcommand(1);

    CLI::App* start_verb = verb->add_subcommand("start", "Start it, as any verb that needs it does");
    start_verb->callback([&context] { context.action = [] { return start(); }; });

    const auto force = std::make_shared<bool>(false);
    CLI::App* stop_verb = verb->add_subcommand("stop", "Release all topologies and end it");
    stop_verb->add_flag("--force", *force, "End running jobs, too");
    stop_verb->callback([force, &context] { context.action = [force] { return stop(*force); }; });

    const auto format = std::make_shared<Format>(Format::kTable);
    CLI::App* status_verb = verb->add_subcommand("status", "Say whether it runs, without starting it (exit 1: no)");
    add_output_option(*status_verb, *format);
    status_verb->callback([format, &context] { context.action = [format] { return status(*format); }; });
}

}  // namespace divisi::ctl
