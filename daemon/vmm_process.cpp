#include "daemon/vmm_process.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "daemon/folder.hpp"

namespace divisi::daemon {
namespace {

constexpr std::chrono::seconds kEndPatience{5};

// What is known of a start that brought no report: how the process ended, and its last words.
Error explain(Error error, Process& process, const std::string& dir) {
    if (error.cause != make_error_code(Errc::kFailed)) return error;
    const auto ended = api::wait_readable(process.pidfd(), api::Clock::now());
    if (ended && *ended == api::Ready::kYes) {
        if (const auto status = process.try_wait(); status && *status)
            error.operation = describe_wait_status(**status) + " before it was ready";
    }
    error.object = "divisi-vmm";
    if (const std::string tail = api::log_tail(vmm_log(dir)); !tail.empty()) error.hint = "its log says: " + tail;
    return error;
}

}  // namespace

Result<VmmProcess> VmmProcess::start(const std::string& program, const std::string& dir, api::Deadline deadline,
                                     int cancel) {
    DIVISI_TRY_ASSIGN(const Fd null, open_file("/dev/null", O_RDONLY));
    DIVISI_TRY_ASSIGN(const Fd log, open_file(vmm_log(dir), O_WRONLY | O_CREAT | O_APPEND, 0600));
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error(errno, "cannot create a pipe");
    const Fd report(ends[0]);
    Fd report_end(ends[1]);
    ProcessSpec spec;
    spec.argv = {program, "--dir", dir};
    spec.fds = {{null.get(), 0}, {report_end.get(), 1}, {log.get(), 2}};
    spec.new_session = true;
    DIVISI_TRY_ASSIGN(Process process, Process::spawn(spec));
    report_end.reset();
    auto started = api::read_start_report(report.get(), deadline, cancel);
    if (!started) {
        // It ends by itself after a report of failure, and cleans up in doing so; `process` kills what does not.
        (void)api::wait_readable(process.pidfd(), api::Clock::now() + kEndPatience, cancel);
        return explain(std::move(started).error(), process, dir);
    }
    DIVISI_TRY_ASSIGN(VmmProcess vmm, adopt(process.pid()));
    vmm.child_ = std::move(process);
    return vmm;
}

Result<VmmProcess> VmmProcess::adopt(pid_t pid) {
    Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!pidfd.valid()) return make_error(Errc::kNotFound, "no such process", std::to_string(pid));
    return VmmProcess(pid, std::move(pidfd));
}

VmmProcess::~VmmProcess() {
    if (child_) child_->detach();
}

void VmmProcess::kill() const noexcept {
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

std::string VmmProcess::describe_end() {
    if (!child_) return "ended";
    const auto status = child_->try_wait();
    child_->detach();
    child_.reset();
    if (!status || !*status) return "ended";
    return describe_wait_status(**status);
}

}  // namespace divisi::daemon
