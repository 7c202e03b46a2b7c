// A node: a host thread pinned to its PU, and the virtual processor that it runs.
//
// Threads: `post`, `kick` and the const members may be called from any thread; tasks run on the node's own thread, in
// the order they were posted.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>

#include "hv/backend.hpp"
#include "hv/vmm/config.hpp"

namespace divisi::hv::vmm {

class Node {
public:
    // Starts the thread, which creates the processor by itself; `ready` tells how that went.
    Node(NodeConfig config, Backend& backend, std::uint32_t count);
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    // Ends the thread after the tasks that were posted.
    ~Node();

    // Waits until the node is there. Errors: what creating it met.
    Result<void> ready();

    void post(std::function<void(Vcpu&)> task);
    // Makes guest code that runs here return to its task soon.
    void kick() noexcept;

    [[nodiscard]] const NodeConfig& config() const { return config_; }
    [[nodiscard]] std::chrono::nanoseconds cpu_time() const;
    std::atomic<std::uint64_t> exits{0};

private:
    static void* enter(void* self);
    void live();
    Result<void> set_up();

    NodeConfig config_;
    Backend& backend_;
    std::uint32_t count_;
    pthread_t thread_{};
    bool started_ = false;
    std::promise<Result<void>> ready_;
    std::unique_ptr<Vcpu> vcpu_;
    std::mutex mutex_;
    std::condition_variable posted_;
    std::deque<std::function<void(Vcpu&)>> tasks_;
    bool stopping_ = false;
};

}  // namespace divisi::hv::vmm
