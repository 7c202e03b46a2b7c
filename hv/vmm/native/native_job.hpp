// A job whose ranks are plain host processes over the channels of a fabric: what a topology would run, without nodes
// and without any isolation.
//
// Life: `start` starts all ranks, `run` returns when all have ended. Destroying a job kills what is left of it.
// Threads: one.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/process.hpp"
#include "base/result.hpp"
#include "hv/vmm/config.hpp"
#include "hv/vmm/deadlock.hpp"
#include "hv/vmm/native/stillness.hpp"
#include "hv/vmm/output.hpp"
#include "shm/fabric.hpp"

namespace divisi::hv::vmm {

struct NativeRequest {
    Config config;
    std::vector<std::string> argv;
    std::string path;                                 // the program's file
    std::uint32_t nodes = 0, ranks = 0, threads = 0;  // 0: what the mode implies
    bool label = false;
    OnDeadlock on_deadlock = OnDeadlock::kEnd;
};

class NativeJob {
public:
    // Errors: kUsage for counts that the plan does not have; those of Fabric::create and Process::spawn.
    static Result<std::unique_ptr<NativeJob>> start(NativeRequest request);

    // Carries output, passes on the signals that `signals`, a signalfd, yields, tells the peers of a rank that has
    // ended, and finds deadlocks. The worst exit code; 128 + signal for a death; kDeadlockExit where it ended a
    // deadlock.
    Result<int> run(int signals);
    // As a job's report (docs/vmm-protocol.md).
    [[nodiscard]] json::object report() const;

private:
    struct Rank {
        std::optional<Process> process;
        std::optional<int> status;
        Fd out, error;  // our ends of its pipes, where it has any
        std::unique_ptr<LineSink> out_lines, error_lines;
    };

    explicit NativeJob(NativeRequest request) : request_(std::move(request)) {}
    Result<shm::JobSpec> lay_out();
    Result<void> launch(const shm::JobSpec& job);
    Result<void> make_pipes(Rank& rank, std::size_t index, std::vector<std::pair<int, int>>& fds,
                            std::vector<Fd>& ends);
    [[nodiscard]] std::vector<std::string> environment() const;
    void pass_on(int signals);
    void watch_for_deadlock();
    [[nodiscard]] json::array describe_waits() const;
    Result<void> take_end(std::size_t index);
    static void drain(Fd& pipe, LineSink& lines);

    NativeRequest request_;
    std::optional<shm::Fabric> fabric_;
    shm::JobSpec job_;
    std::vector<Rank> ranks_;
    std::optional<std::chrono::steady_clock::time_point> interrupted_;
    NativeStillness stillness_;
    std::optional<std::chrono::steady_clock::time_point> looked_;  // for a deadlock, last
    std::optional<json::object> deadlock_;
    std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
    std::chrono::nanoseconds elapsed_{0};
};

}  // namespace divisi::hv::vmm
