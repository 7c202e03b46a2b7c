// Serves a topology's control socket (docs/vmm-protocol.md).
//
// Threads: every connection has its own; requests that change the topology are served one at a time.
#pragma once

#include <condition_variable>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/control.hpp"
#include "hv/blocking_calls.hpp"
#include "hv/futex.hpp"
#include "hv/timers.hpp"
#include "hv/unwind/unwinder.hpp"
#include "hv/vmm/job.hpp"
#include "hv/vmm/topology.hpp"

namespace divisi::hv::vmm {

class Server {
public:
    Server(std::unique_ptr<Topology> topology, Fd listener, std::optional<UnwindServer> unwinding);
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;
    ~Server();

    // Serves until a release, or until `stop` is readable; jobs have ended then.
    void serve(int stop);

private:
    struct Connection {
        explicit Connection(ControlConnection accepted) : control(std::move(accepted)) {}
        ControlConnection control;
        std::thread thread;
        std::atomic<bool> done{false};
    };

    void attend(Connection& connection);
    json::object answer(ControlMessage& message, ControlConnection& control, bool& closes);
    json::object status();
    json::object traffic();
    Result<json::object> switch_mode(const json::object& request);
    Result<json::object> threads(const json::object& request);
    Result<json::object> kill_job(const json::object& request);
    Result<json::object> release(const json::object& request);
    Result<std::shared_ptr<Job>> start_job(ControlMessage& message);
    Result<void> serve_joined(const json::object& request, ControlConnection& control);
    void follow_job(const std::shared_ptr<Job>& job, ControlConnection& control, bool detached);
    Result<void> end_running_job(std::string_view when);
    std::shared_ptr<Job> running_job();
    void collect_finished();
    void note_memory();

    std::unique_ptr<Topology> topology_;
    Fd listener_;
    Fd wake_;  // an eventfd: a release was served
    Timers timers_;
    FutexTable futexes_{timers_};
    BlockingCalls blocking_;
    std::optional<UnwindServer> unwinding_;
    std::mutex change_;      // held while the topology changes or a job is being started
    std::mutex jobs_mutex_;  // and of what a status tells
    std::string memory_note_;
    std::deque<std::shared_ptr<Job>> jobs_;
    std::uint64_t last_job_ = 0;
    std::atomic<bool> switching_{false};
    std::atomic<bool> stopping_{false};
    std::list<std::unique_ptr<Connection>> connections_;
};

}  // namespace divisi::hv::vmm
