// The threads of a program that sleep until a point of time.
//
// Threads: `add` and `remove` are called by the node that runs the thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "hv/timers.hpp"

namespace divisi::hv {

class Scheduler;
struct Thread;

class Sleepers {
public:
    explicit Sleepers(Scheduler& scheduler);
    Sleepers(const Sleepers&) = delete;
    Sleepers& operator=(const Sleepers&) = delete;
    // After this no timer touches the program any more.
    ~Sleepers();

    // Wakes the thread's wait `ticket` with 0 at `deadline`.
    void add(Timers& timers, Thread& thread, std::uint64_t ticket, Timers::Clock::time_point deadline);
    void remove(Thread& thread);

private:
    struct Sleep {
        Timers* timers = nullptr;
        Timers::Id id = 0;
        std::uint64_t ticket = 0;
    };
    // Shared with the timers' callbacks: one that comes late finds its sleep gone, and touches nothing.
    struct Book {
        std::mutex mutex;
        Scheduler* scheduler = nullptr;
        std::map<Thread*, Sleep> sleeps;
    };

    std::shared_ptr<Book> book_;
};

}  // namespace divisi::hv
