// One divisi-vmm process: started by this daemon, or found running.
//
// Owns: a pidfd; never the process, which goes on when the daemon ends.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/process.hpp"
#include "base/result.hpp"
#include "daemon/api/launch.hpp"

namespace divisi::daemon {

class VmmProcess {
public:
    // Starts `program --dir DIR` in a session of its own and waits for its start report; `cancel` as in
    // `api::read_start_report`. Errors: the reported one; otherwise how it ended, with the last lines of its log. The
    // process is gone then; its folder is the caller's.
    static Result<VmmProcess> start(const std::string& program, const std::string& dir, api::Deadline deadline,
                                    int cancel);
    // A process started by an earlier daemon. Errors: kNotFound.
    static Result<VmmProcess> adopt(pid_t pid);

    VmmProcess(VmmProcess&&) noexcept = default;
    VmmProcess& operator=(VmmProcess&&) noexcept = default;
    VmmProcess(const VmmProcess&) = delete;
    VmmProcess& operator=(const VmmProcess&) = delete;
    ~VmmProcess();

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    [[nodiscard]] const Fd& pidfd() const noexcept { return pidfd_; }
    void kill() const noexcept;
    // Call once the pidfd says that it has ended: "was killed by signal 9 (Killed)".
    std::string describe_end();

private:
    VmmProcess(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

    pid_t pid_ = -1;
    Fd pidfd_;
    std::optional<Process> child_;
};

}  // namespace divisi::daemon
