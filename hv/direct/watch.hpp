// A thread that looks after guest tasks from outside: a node's own thread sleeps in the kernel while its guest runs,
// and wakes when the guest stops. Here is seen to it that it stops:
//
//   - A task that has been kicked and goes on using the processor has blocked the signal: it is killed.
//   - When a task dies, its node's thread is woken. Kernels before 6.11 do not do so by themselves.
//
// It sleeps as long as nobody is kicked and nobody dies.
//
// Threads: all members may be called from several threads.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace divisi::hv {

class Watched {
public:
    Watched() = default;
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    virtual ~Watched() = default;

    // Becomes readable when the task dies; -1 where there is none. Valid until the next `Watch::changed`.
    [[nodiscard]] virtual int death_fd() const = 0;
    // Looks whether a kick is heeded. True as long as one is not.
    virtual bool look_after_kick() noexcept = 0;
    // Wakes the thread that waits for a dead task. True as long as it waits.
    virtual bool tell_death() noexcept = 0;
};

class Watch {
public:
    static Result<std::unique_ptr<Watch>> create();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    // The watched one is lent until `remove`, during and after which it is not called.
    void add(Watched& watched);
    void remove(Watched& watched);
    // A watched one's `death_fd` is another now.
    void changed() noexcept;
    // Somebody was kicked: watch until it has stopped. Never blocks for long, cheap when called often.
    void kicked() noexcept;

private:
    explicit Watch(Fd wake) : wake_(std::move(wake)) {}
    void live();
    bool look_after_kicks();
    bool tell_deaths();
    void sleep(int timeout_ms);

    Fd wake_;
    std::mutex mutex_;
    std::vector<Watched*> watched_;
    std::atomic<bool> armed_{false};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace divisi::hv
