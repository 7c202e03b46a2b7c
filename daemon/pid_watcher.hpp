// Tells when processes end: one thread that waits for any number of pidfds.
//
// Threads: `watch` from any thread, also from within a callback. Callbacks run one at a time, on the watcher's thread.
#pragma once

#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace divisi::daemon {

class PidWatcher {
public:
    PidWatcher() = default;
    PidWatcher(const PidWatcher&) = delete;
    PidWatcher& operator=(const PidWatcher&) = delete;
    // Ends the thread; what has not ended by then is forgotten.
    ~PidWatcher();

    Result<void> start();
    // Calls `on_end` once, when the process behind `pidfd` has ended. Takes the descriptor.
    void watch(Fd pidfd, std::function<void()> on_end);

private:
    struct Entry {
        Fd pidfd;
        std::function<void()> on_end;
    };
    void run();
    void wake() const;

    std::mutex mutex_;
    std::list<Entry> arriving_;
    std::list<Entry> entries_;  // the thread's own
    bool stopping_ = false;
    Fd event_;
    std::thread thread_;
};

}  // namespace divisi::daemon
