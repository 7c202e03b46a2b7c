// One run of a program image over a topology.
//
// Life: `start` loads the ranks and sets them going; `wait` returns when all have ended; by then everything the job
// used is given back. Destroying a job kills it.
// Threads: `signal`, `kill`, `wait` and the const members may be called from any thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/resource_limits.hpp"
#include "hv/outside_wakes.hpp"
#include "hv/program.hpp"
#include "hv/vmm/countdown.hpp"
#include "hv/vmm/deadlock.hpp"
#include "hv/vmm/output.hpp"
#include "hv/vmm/topology.hpp"

namespace divisi::hv::vmm {

struct JobRequest {
    std::vector<std::string> argv;
    std::string path;
    std::vector<std::string> environment;
    std::string working_path;
    std::uint32_t nodes = 0, ranks = 0, threads = 0;  // 0: what the mode implies
    std::vector<std::uint32_t> host_ranks;            // left to host processes, which join
    bool label = false;
    bool tell_faults = false;
    bool core = false;  // write a core file of each rank that crashes, into the working folder
    OnDeadlock on_deadlock = OnDeadlock::kEnd;
    ResourceLimits limits;  // the client's
    std::uint64_t client_pid = 0;
    Fd standard_input, standard_output, standard_error, image, working_folder;
};

class Job {
public:
    // `topology` and `services` are lent for the job's lifetime; no other job may run meanwhile.
    // Errors: kUsage for counts the topology does not have; kBadImage; kInsufficient. Nothing runs then.
    static Result<std::unique_ptr<Job>> start(std::string id, JobRequest request, Topology& topology,
                                              Services services);
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    ~Job();

    // A host process becomes rank `rank`, one of those that were left to host processes. `pass_on` is called with each
    // signal that the job is sent, from any thread, until the rank has left. Gives the rank's window.
    // Errors: kNotFound, kBusy.
    Result<std::vector<shm::WindowPiece>> join(std::uint32_t rank, std::function<void(int)> pass_on);
    // It has ended: with an exit code as a shell gives it.
    void leave(std::uint32_t rank, int code);

    void signal(int signo);
    void kill() { signal(9); }
    void wait();
    // Called once, on the job's own thread, when it has ended.
    void on_end(std::function<void()> callback);
    // Called, from any thread, each time that signals have stopped all ranks that still run.
    void on_stop(std::function<void()> callback);

    [[nodiscard]] const std::string& id() const { return id_; }
    [[nodiscard]] bool ended() const { return ended_.load(std::memory_order_acquire); }
    // As docs/vmm-protocol.md describes a job.
    [[nodiscard]] json::object describe() const;
    // Valid when it has ended.
    [[nodiscard]] int exit_code() const { return exit_code_; }
    [[nodiscard]] const json::object& report() const { return report_; }
    // Its threads as docs/vmm-protocol.md describes them; none when it is over.
    [[nodiscard]] json::array threads(bool with_backtraces) const;
    // Whether the node is executing guest code, or waits for something to do.
    [[nodiscard]] std::string_view node_state(std::uint32_t node) const;

private:
    // What nodes have done.
    struct Usage {
        std::uint64_t exits = 0;
        std::chrono::nanoseconds cpu_time{};
    };
    struct Rank {
        std::vector<std::uint32_t> nodes;
        std::unique_ptr<Program> program;
        std::shared_ptr<LineSink> out, error;
        Result<void> created;
        Result<void> ran;
        std::atomic<std::size_t> running{0};
        std::atomic<bool> told{false};  // it has ended, and those that slept for it have been woken
        Outcome outcome;
        Usage before;  // what its nodes had done when it started
        Usage used;
        // A rank that is a host process has no program here.
        bool on_host = false;
        enum class Presence : std::uint8_t { kAwaited, kJoined, kGone } presence = Presence::kAwaited;
        std::function<void(int)> pass_on;
    };

    Job(std::string id, JobRequest request, Topology& topology, Services services);
    Result<void> lay_out();
    Result<void> set_host_ranks();
    Result<void> load();
    Result<void> make_view();
    Result<void> create_program(std::size_t index);
    ProgramSpec program_spec(std::size_t index);
    [[nodiscard]] Limits::Set limits_of(const Ram& ram) const;
    void expect_ranks();
    void run();
    // job_deadlock.cpp
    void watch_for_deadlock();
    [[nodiscard]] bool deadlocked() const;
    [[nodiscard]] json::array describe_waits() const;
    void tell_deadlock() const;
    // job_loans.cpp
    SysResult copy_lent(std::size_t index, const LentCopy& copy) const;
    SysResult view_lent(std::size_t index, const LentView& view) const;
    void rank_over(std::size_t index);
    void tell_if_stopped();
    void host_rank_over(Rank& rank, int code);
    // When all others have ended, nobody needs the host processes any more that have not come.
    void give_up_awaited();
    void tear_down();
    void end(int code);
    void make_report();
    // job_inspection.cpp
    void look_into(std::size_t index);
    [[nodiscard]] Result<std::string> write_core_file(std::size_t index, const FaultReport& fault) const;
    // What its programs asked for, by call: served or not; and why else they left guest code.
    [[nodiscard]] json::object exit_report() const;
    [[nodiscard]] Usage usage_of(const Rank& rank) const;
    void tell_fault(std::size_t index, const FaultReport& fault) const;
    [[nodiscard]] std::vector<std::string> environment(std::uint64_t ram_bytes) const;

    std::string id_;
    JobRequest request_;
    Topology& topology_;
    Services services_;
    Mode mode_;  // the topology's when the job started
    Image image_;
    std::shared_ptr<const FileView> view_;
    std::shared_ptr<SharedOutput> output_, error_;
    LentViews views_;
    std::vector<std::unique_ptr<Rank>> ranks_;
    std::uint32_t threads_ = 1;
    std::unique_ptr<Countdown> left_;
    std::atomic<std::size_t> programs_left_{0};
    std::unique_ptr<OutsideWakes> outside_wakes_;
    std::chrono::system_clock::time_point started_at_;
    std::chrono::steady_clock::time_point started_;
    std::chrono::nanoseconds elapsed_{};
    std::atomic<bool> ended_{false};
    int exit_code_ = 0;
    json::object report_;
    std::optional<json::object> deadlock_;  // under the lock
    mutable std::mutex mutex_;              // guards programs' existence against signals and questions
    std::condition_variable end_;
    std::function<void()> on_end_, on_stop_;
    std::uint64_t stops_told_ = 0;
    std::thread thread_;
};

}  // namespace divisi::hv::vmm
