// An owned child process.
//
// Owns: the process. Destroying a `Process` kills and reaps it; `detach` lets it outlive this one.
// Threads: one at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace divisi {

struct ProcessSpec {
    std::vector<std::string> argv;
    std::string path{};                                   // what is executed; empty: argv[0]
    std::optional<std::vector<std::string>> environment;  // "NAME=value"; inherits where absent
    std::vector<std::pair<int, int>> fds;  // {descriptor here, descriptor in the child}; all others close
    bool dies_with_parent = false;         // is killed when the thread that started it ends
    bool new_session = false;              // setsid: no terminal, survives its parent's terminal
};

class Process {
public:
    Process(Process&& other) noexcept;
    Process& operator=(Process&& other) noexcept;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process();

    // Errors: those of execve, reported before this returns (never a silent exit code 127).
    static Result<Process> spawn(const ProcessSpec& spec);

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }
    // A pidfd, readable when the process has ended.
    [[nodiscard]] int pidfd() const noexcept { return pidfd_.get(); }
    // Waits for the end; the status as of waitpid(2). Errors: errno; kFailed once the status has been taken.
    Result<int> wait();
    // The status if it has ended, without waiting.
    Result<std::optional<int>> try_wait();
    void signal(int signo) const noexcept;
    // Gives up ownership: the process goes on by itself.
    void detach() noexcept;

private:
    Process(pid_t pid, Fd pidfd) noexcept : pid_(pid), pidfd_(std::move(pidfd)) {}
    void end() noexcept;

    pid_t pid_ = -1;
    Fd pidfd_;
};

// "exited with code 3", "was killed by signal 9 (Killed)".
std::string describe_wait_status(int status);

}  // namespace divisi
