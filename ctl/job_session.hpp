// One job in the foreground: started over a topology's own socket with this process's standard streams, its signals
// passed on, its end awaited.
#pragma once

#include <csignal>
#include <initializer_list>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "daemon/api/vmm.hpp"

namespace divisi::ctl {

// The signals a foreground job gets to see, held back from this process and read from a descriptor instead.
// Owns: the descriptor and the signal mask, which is as before when it is destroyed.
class JobSignals {
public:
    // Those that ask a program to end.
    static Result<JobSignals> create();
    // More of them, but for those that this process was told to ignore.
    Result<void> hold_back(std::initializer_list<int> signals);
    JobSignals(JobSignals&& other) noexcept;
    JobSignals& operator=(JobSignals&&) = delete;
    JobSignals(const JobSignals&) = delete;
    JobSignals& operator=(const JobSignals&) = delete;
    ~JobSignals();

    [[nodiscard]] int fd() const noexcept { return fd_.get(); }
    // The next one, without waiting.
    [[nodiscard]] std::optional<int> take() const;

private:
    JobSignals() { sigemptyset(&wanted_); }

    Fd fd_;
    sigset_t wanted_{};
    sigset_t before_{};
    bool owns_ = true;
};

struct JobOutcome {
    std::string job;
    int exit = 0;
    json::object report;
};

// What a job is started with: the request, and the descriptors behind its paths.
struct PreparedJob {
    api::JobRequest request;
    Fd program;
    Fd cwd;
};

// Looks the program up and takes the working folder and the environment along. Errors: as `api::find_program`.
Result<PreparedJob> prepare_job(std::vector<std::string> argv);

// Errors: the topology's; kUnreachable when its divisi-vmm ends in mid-run (object: the job).
Result<JobOutcome> run_job(api::VmmConnection& vmm, const PreparedJob& job, JobSignals& signals);

}  // namespace divisi::ctl
