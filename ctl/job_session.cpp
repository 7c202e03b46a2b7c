#include "ctl/job_session.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "ctl/context.hpp"

namespace divisi::ctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kImpatience{2};

// What an interrupt means: once is for the program, twice in a short time is for us.
class Interrupts {
public:
    // The signal to send to the job for one that came here.
    int translate(int signo) {
        if (signo != SIGINT) return signo;
        const auto now = Clock::now();
        const bool again = last_ && now - *last_ < kImpatience;
        last_ = now;
        return again ? SIGKILL : SIGINT;
    }

private:
    std::optional<Clock::time_point> last_;
};

Result<JobOutcome> outcome_of(const json::object& event) {
    JobOutcome outcome;
    DIVISI_TRY_ASSIGN(outcome.job, string_field(event, "job"));
    DIVISI_TRY_ASSIGN(const std::uint64_t exit, uint_field(event, "exit"));
    outcome.exit = static_cast<int>(exit & 0xFFU);
    DIVISI_TRY_ASSIGN(const json::object* details, object_field(event, "report"));
    outcome.report = *details;
    return outcome;
}

class Session {
public:
    Session(api::VmmConnection& vmm, const JobSignals& signals) : vmm_(vmm), signals_(signals) {}

    // Signals are passed on from the very beginning: the program may run before its start has been told.
    Result<JobOutcome> follow() {
        std::array<pollfd, 2> wanted{pollfd{vmm_.fd(), POLLIN, 0}, pollfd{signals_.fd(), POLLIN, 0}};
        for (;;) {
            if (::poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR)
                return system_error(errno, "cannot wait for a job", job_);
            if (wanted[0].revents != 0) {
                DIVISI_TRY_ASSIGN(std::optional<JobOutcome> outcome, take_event());
                if (outcome) return std::move(*outcome);
            } else {
                DIVISI_TRY(pass_on_signals());
            }
        }
    }

private:
    // The outcome, once the job has ended.
    Result<std::optional<JobOutcome>> take_event() {
        auto event = vmm_.next_event();
        if (!event || !*event) return make_error(Errc::kUnreachable, "divisi-vmm ended in the middle of the job", job_);
        if (job_.empty()) {
            DIVISI_TRY_ASSIGN(const json::object started, api::checked(std::move(**event)));
            DIVISI_TRY_ASSIGN(job_, string_field(started, "job"));
            return std::optional<JobOutcome>{};
        }
        const auto name = string_field_or(**event, "event", {});
        if (name && *name == "stopped") stop_too();
        if (!name || *name != "exited") return std::optional<JobOutcome>{};
        DIVISI_TRY_ASSIGN(JobOutcome outcome, outcome_of(**event));
        return std::optional<JobOutcome>(std::move(outcome));
    }

    // As a shell expects of what it runs: it gets the terminal back. SIGCONT comes here first, and is passed on.
    static void stop_too() { ::raise(SIGSTOP); }

    Result<void> pass_on_signals() {
        while (const auto signo = signals_.take()) {
            const int passed = interrupts_.translate(*signo);
            if (passed == SIGKILL) report(make_error(Errc::kFailed, "interrupted again: killing it", job_));
            auto sent = vmm_.send({{"op", "signal"}, {"signo", passed}});
            // The end of the job may be on its way already.
            if (!sent && !sent.error().is(Errc::kUnreachable)) return sent;
        }
        return {};
    }

    api::VmmConnection& vmm_;
    const JobSignals& signals_;
    Interrupts interrupts_;
    std::string job_;
};

// A standard stream that is closed would otherwise become whatever is opened next.
Result<void> complete_standard_streams() {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        const int opened = ::open("/dev/null", O_RDWR);  // takes the lowest free number, which is `fd`
        if (opened < 0) return system_error(errno, "cannot open", "/dev/null");
    }
    return {};
}

}  // namespace

Result<JobSignals> JobSignals::create() {
    JobSignals signals;
    if (::sigprocmask(SIG_BLOCK, nullptr, &signals.before_) != 0)
        return system_error(errno, "cannot tell which signals are held back");
    DIVISI_TRY(signals.hold_back({SIGINT, SIGTERM, SIGHUP, SIGQUIT}));
    return signals;
}

Result<void> JobSignals::hold_back(std::initializer_list<int> signals) {
    for (const int signo : signals) {
        struct sigaction now {};
        ::sigaction(signo, nullptr, &now);
        if (now.sa_handler != SIG_IGN) sigaddset(&wanted_, signo);  // nohup's choice, or a shell's for a job with &
    }
    if (::sigprocmask(SIG_BLOCK, &wanted_, nullptr) != 0) return system_error(errno, "cannot hold signals back");
    const int fd = ::signalfd(fd_.get(), &wanted_, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) return system_error(errno, "cannot receive signals");
    if (fd != fd_.get()) fd_ = Fd(fd);
    return {};
}

JobSignals::JobSignals(JobSignals&& other) noexcept
    : fd_(std::move(other.fd_)),
      wanted_(other.wanted_),
      before_(other.before_),
      owns_(std::exchange(other.owns_, false)) {}

JobSignals::~JobSignals() {
    if (owns_) ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> JobSignals::take() const {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
}

Result<PreparedJob> prepare_job(std::vector<std::string> argv) {
    DIVISI_TRY(complete_standard_streams());
    PreparedJob job;
    // Not std::filesystem::current_path: the folder may have been removed, and then has no path, but still a
    // descriptor.
    DIVISI_TRY_ASSIGN(job.cwd, open_file(".", O_PATH | O_DIRECTORY));
    char* cwd = ::getcwd(nullptr, 0);
    job.request.cwd = cwd != nullptr ? cwd : "/";
    ::free(cwd);
    const char* search_path = std::getenv("PATH");
    DIVISI_TRY_ASSIGN(api::Program program,
                      api::find_program(argv.empty() ? std::string{} : argv.front(), job.request.cwd,
                                        search_path != nullptr ? search_path : "/usr/local/bin:/usr/bin:/bin"));
    job.request.argv = std::move(argv);
    job.request.path = std::move(program.path);
    job.program = std::move(program.file);
    job.request.limits = own_limits();
    for (char** entry = environ; *entry != nullptr; ++entry) job.request.env.emplace_back(*entry);
    return job;
}

Result<JobOutcome> run_job(api::VmmConnection& vmm, const PreparedJob& job, JobSignals& signals) {
    // Before there is a job, these are for this process.
    DIVISI_TRY(signals.hold_back({SIGTSTP, SIGCONT}));
    const api::JobFiles files{STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, job.program.get(), job.cwd.get()};
    DIVISI_TRY(vmm.start_job(job.request, files, false));
    return Session(vmm, signals).follow();
}

}  // namespace divisi::ctl
