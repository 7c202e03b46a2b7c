// Threads for work that may block, as many as there is work, up to a limit.
//
// Threads: `start` from one thread; the work runs on threads of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <list>
#include <thread>

namespace divisi::api {

class Workers {
public:
    explicit Workers(std::size_t limit) noexcept : limit_(limit) {}
    Workers(const Workers&) = delete;
    Workers& operator=(const Workers&) = delete;
    // Waits for all work.
    ~Workers();

    // False, and nothing happens, where the limit is reached or the system has no thread to give.
    bool start(std::function<void()> work);

private:
    struct Worker {
        std::atomic<bool> done{false};
        std::thread thread;
    };
    void reap();

    std::size_t limit_;
    std::list<Worker> workers_;
};

}  // namespace divisi::api
