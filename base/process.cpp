#include "base/process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <span>

namespace divisi {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    for (const std::string& text : strings) result.push_back(const_cast<char*>(text.c_str()));
    result.push_back(nullptr);
    return result;
}

// Everything the child does between fork and exec; async-signal-safe calls only. Returns errno.
int become(const ProcessSpec& spec, char* const* argv, char* const* environment, std::span<std::pair<int, int>> fds,
           int report, pid_t parent) {
    if (spec.new_session && ::setsid() < 0) return errno;
    if (spec.dies_with_parent) {
        if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
        if (::getppid() != parent) return ESRCH;
    }
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    // Move the sources above all targets and sources first: the two sets may overlap.
    int highest = -1;
    int scratch = report;
    for (const auto& [from, to] : fds) {
        highest = std::max(highest, to);
        scratch = std::max({scratch, from, to});
    }
    ++scratch;
    const int report_copy = ::fcntl(report, F_DUPFD_CLOEXEC, scratch);
    if (report_copy < 0) return errno;
    for (auto& [from, to] : fds) {
        from = ::fcntl(from, F_DUPFD, scratch);
        if (from < 0) return errno;
    }
    for (const auto& [from, to] : fds) {
        if (::dup2(from, to) < 0) return errno;
    }
    for (int fd = 0; fd <= highest; ++fd) {
        if (std::none_of(fds.begin(), fds.end(), [fd](const auto& pair) { return pair.second == fd; })) ::close(fd);
    }
    if (highest + 1 < report_copy)
        ::syscall(SYS_close_range, static_cast<unsigned>(highest + 1), static_cast<unsigned>(report_copy - 1), 0U);
    ::syscall(SYS_close_range, static_cast<unsigned>(report_copy + 1), ~0U, 0U);
    ::execve(spec.path.empty() ? argv[0] : spec.path.c_str(), argv, environment);
    const int error = errno;
    (void)!::write(report_copy, &error, sizeof error);
    return error;
}

}  // namespace

Process::Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)) {}

Process& Process::operator=(Process&& other) noexcept {
    if (this != &other) {
        end();
        pid_ = std::exchange(other.pid_, -1);
        pidfd_ = std::move(other.pidfd_);
    }
    return *this;
}

Process::~Process() {
    end();
}

void Process::end() noexcept {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
}

Result<Process> Process::spawn(const ProcessSpec& spec) {
    if (spec.argv.empty()) return make_error(Errc::kUsage, "no program to execute");
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return system_error(errno, "cannot create a pipe");
    const Fd report_read(ends[0]);
    Fd report_write(ends[1]);
    const std::vector<char*> argv = pointers(spec.argv);
    std::vector<char*> environment;
    if (spec.environment) environment = pointers(*spec.environment);
    char* const* envp = spec.environment ? environment.data() : environ;
    std::vector<std::pair<int, int>> fds = spec.fds;
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) return system_error(errno, "cannot start a process", spec.argv.front());
    if (pid == 0) {
        const int error = become(spec, argv.data(), envp, fds, report_write.get(), parent);
        (void)!::write(report_write.get(), &error, sizeof error);
        ::_exit(127);
    }
    report_write.reset();
    Process process(pid, Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))));
    int error = 0;
    ssize_t count = 0;
    do {
        count = ::read(report_read.get(), &error, sizeof error);
    } while (count < 0 && errno == EINTR);
    if (count == sizeof error) return system_error(error, "cannot execute", spec.argv.front());
    if (!process.pidfd_.valid()) return make_error(Errc::kFailed, "pidfd_open failed", spec.argv.front());
    return process;
}

Result<int> Process::wait() {
    if (pid_ < 0) return make_error(Errc::kFailed, "the process has been waited for already");
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0) {
        if (errno != EINTR) return system_error(errno, "cannot wait for a process");
    }
    pid_ = -1;
    return status;
}

Result<std::optional<int>> Process::try_wait() {
    if (pid_ < 0) return make_error(Errc::kFailed, "the process has been waited for already");
    int status = 0;
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended < 0) return system_error(errno, "cannot wait for a process");
    if (ended == 0) return std::optional<int>{};
    pid_ = -1;
    return std::optional<int>(status);
}

void Process::signal(int signo) const noexcept {
    if (pid_ > 0) ::kill(pid_, signo);
}

void Process::detach() noexcept {
    pid_ = -1;
}

std::string describe_wait_status(int status) {
    if (WIFEXITED(status)) return "exited with code " + std::to_string(WEXITSTATUS(status));
    if (WIFSIGNALED(status)) {
        const int signo = WTERMSIG(status);
        return "was killed by signal " + std::to_string(signo) + " (" + ::strsignal(signo) + ")";
    }
    return "stopped";
}

}  // namespace divisi
