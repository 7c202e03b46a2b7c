// A latch whose waiting can end early: std::latch has none such.
//
// Threads: all members may be called from several threads. Whoever has waited to the end may destroy it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace divisi::hv::vmm {

class Countdown {
public:
    explicit Countdown(std::size_t count) : count_(count) {}

    void count_down() {
        // Notified under the lock: a waiter cannot go on, and destroy this, before the lock is free.
        const std::lock_guard lock(mutex_);
        if (--count_ == 0) zero_.notify_all();
    }
    // Whether zero was reached.
    bool wait_for(std::chrono::milliseconds time) {
        std::unique_lock lock(mutex_);
        return zero_.wait_for(lock, time, [this] { return count_ == 0; });
    }
    void wait() {
        std::unique_lock lock(mutex_);
        zero_.wait(lock, [this] { return count_ == 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable zero_;
    std::size_t count_;
};

}  // namespace divisi::hv::vmm
