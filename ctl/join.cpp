// divisi join: a host process as a rank of a topology's job.
//
// The program runs as a child of this process, which passes signals on and tells the topology how it ended. Exit codes:
// the program's own; 125 to 127 as for `run`.
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>

#include "base/paths.hpp"
#include "base/process.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/job_session.hpp"
#include "ctl/verbs.hpp"
#include "daemon/api/vmm.hpp"

namespace divisi::ctl {
namespace {

constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kWindowFd = 30;  // above what the program expects to find open
constexpr std::chrono::seconds kPatience{5};
constexpr std::chrono::milliseconds kPause{50};

struct JoinOptions {
    std::string name;
    std::uint64_t rank = 0;
    std::vector<std::string> command;
};

struct Membership {
    api::VmmConnection vmm;
    api::Joined joined;
};

// The job may be about to start: some patience is due.
Result<Membership> join_job(const JoinOptions& options) {
    DIVISI_TRY(api::check_name(options.name));
    DIVISI_TRY_ASSIGN(const std::string state, state_dir());
    for (const auto deadline = api::Clock::now() + kPatience;;) {
        auto vmm = api::VmmConnection::open(vmm_socket(topology_dir(state, options.name)));
        if (!vmm) {
            DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
            DIVISI_TRY(daemon.client.topology(options.name));
            return std::move(vmm).error();
        }
        auto joined = vmm->join(options.rank, kWindowFd);
        if (joined) return Membership{std::move(*vmm), std::move(*joined)};
        if (!joined.error().is(Errc::kNotFound) || api::Clock::now() >= deadline) return std::move(joined).error();
        std::this_thread::sleep_for(kPause);
    }
}

Result<Process> start(const PreparedJob& program, const api::Joined& joined) {
    ProcessSpec spec;
    spec.argv = program.request.argv;
    spec.path = program.request.path;
    spec.environment = program.request.env;
    spec.environment->push_back("DIVISI_NATIVE=" + joined.native);
    spec.fds = {{STDIN_FILENO, STDIN_FILENO},
                {STDOUT_FILENO, STDOUT_FILENO},
                {STDERR_FILENO, STDERR_FILENO},
                {joined.window.get(), kWindowFd}};
    spec.dies_with_parent = true;
    return Process::spawn(spec);
}

// A signal that the job was sent; or the end of the job, without which the program is no rank any more.
bool take_event(api::VmmConnection& vmm, const Process& process) {
    const auto event = vmm.next_event();
    if (!event || !*event) {
        process.signal(SIGTERM);
        return false;
    }
    const auto signo = uint_field_or(**event, "signo", 0);
    if (signo && *signo != 0) process.signal(static_cast<int>(*signo));
    return true;
}

Result<int> attend(api::VmmConnection& vmm, Process& process, const JobSignals& signals) {
    bool connected = true;
    for (;;) {
        std::array<pollfd, 3> wanted{
            {{process.pidfd(), POLLIN, 0}, {connected ? vmm.fd() : -1, POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
        if (::poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR)
            return system_error(errno, "cannot wait for the program");
        if (wanted[0].revents != 0) break;
        if (wanted[1].revents != 0) connected = take_event(vmm, process);
        while (const auto signo = signals.take()) process.signal(*signo);
    }
    DIVISI_TRY_ASSIGN(const int status, process.wait());
    const int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    // A topology that is gone need not be told.
    if (connected) (void)vmm.send({{"exit", code}});
    return code;
}

Result<int> join(const JoinOptions& options) {
    if (options.command.empty())
        return make_error(Errc::kUsage, "which program? divisi join " + options.name + " --rank N -- ./program", {},
                          "see 'divisi join --help'");
    auto program = prepare_job(options.command);
    if (!program) {
        report(program.error());
        if (program.error().is(Errc::kBadImage)) return kNotExecutable;
        return program.error().is(Errc::kNotFound) ? kNotFound : kOwnFailure;
    }
    DIVISI_TRY_ASSIGN(const JobSignals signals, JobSignals::create());
    DIVISI_TRY_ASSIGN(Membership member, join_job(options));
    DIVISI_TRY_ASSIGN(Process process, start(*program, member.joined));
    return attend(member.vmm, process, signals);
}

}  // namespace

void add_join(CLI::App& app, Context& context) {
    const auto options = std::make_shared<JoinOptions>();
    CLI::App* verb = app.add_subcommand("join",
                                        "Be a rank of a topology's job with a host process: join NAME --rank N "
                                        "-- PROGRAM [ARGS]");
    verb->add_option("NAME", options->name, "The topology")->required();
    verb->add_option("--rank", options->rank, "One of the ranks that the job was started with --host-ranks for")
        ->type_name("N")
        ->required();
    verb->preparse_callback([&context](std::size_t) { context.own_failure_exit = kOwnFailure; });
    verb->callback([options, &context] {
        if (context.command) options->command = *context.command;
        context.action = [options] { return join(*options); };
    });
}

}  // namespace divisi::ctl
