// Host threads for system calls that may wait in the host kernel, so that no node waits with them.
//
// Threads: `submit` may be called from any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace divisi::hv {

class Program;
struct Thread;

class BlockingCalls {
public:
    BlockingCalls() = default;
    BlockingCalls(const BlockingCalls&) = delete;
    BlockingCalls& operator=(const BlockingCalls&) = delete;
    ~BlockingCalls();

    // Runs `call` on another host thread, destroys it, then runs `done` with its result. `call` must return soon with
    // -EINTR when its thread is kicked (hv/kick_signal.hpp). At most one call a guest thread. Where the host has no
    // thread for it, the result is -ENOMEM.
    void submit(const Thread& caller, std::function<std::int64_t()> call, std::function<void(std::int64_t)> done);
    // Makes the guest thread's call return -EINTR early, if it has one and it is not already over.
    void cancel(const Thread& caller);
    // Cancels all calls of a program, and waits until none of them runs: afterwards nothing of them is used.
    void cancel_all(const Program& program);

private:
    struct Call {
        const Thread* caller = nullptr;
        std::function<std::int64_t()> call;
        std::function<void(std::int64_t)> done;
        bool canceled = false;
        bool running = false;
        pthread_t host_thread{};
    };
    bool start_worker();
    void work();
    void run(const std::shared_ptr<Call>& item, std::unique_lock<std::mutex>& lock);

    std::mutex mutex_;
    std::condition_variable arrived_;
    std::condition_variable finished_;
    std::deque<std::shared_ptr<Call>> queue_;
    std::map<const Thread*, std::shared_ptr<Call>> calls_;
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    std::size_t finishing_ = 0;  // calls whose `done` is under way
    bool stopping_ = false;
};

}  // namespace divisi::hv
