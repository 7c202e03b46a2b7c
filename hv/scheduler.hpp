// Which thread of a program runs on which of its nodes.
//
// A node that has nothing to do takes a thread from another's queue, so that no runnable thread waits while a node that
// may run it idles. Nodes may share PUs: a new thread starts where its PU has the least to do, and one whose PU has
// long had more to do than another moves there. A thread that waits stays in its node's vCPU until another thread needs
// it: its vector state is saved only then, and only that node can resume it before.
//
// Threads: all members may be called from several threads. No callback into the caller is made under the lock, except
// `kick` and that of `watch_crowds`, which must not block.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "hv/places.hpp"
#include "hv/rousing.hpp"
#include "hv/thread.hpp"
#include "hv/timers.hpp"

namespace divisi::hv {

class Scheduler {
public:
    // A node a place. `kick(cpu)` makes the node leave guest code soon. `timers` is lent.
    Scheduler(const std::vector<CpuPlace>& places, Spread spread, Timers& timers, std::function<void(unsigned)> kick);
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;
    ~Scheduler();

    // Calls `crowded`, now and after every change, with whether threads have to share a PU. Before the first `start`.
    void watch_crowds(std::function<void(bool)> crowded);

    [[nodiscard]] unsigned cpus() const { return static_cast<unsigned>(nodes_.size()); }

    // A new thread: queued on a free node if there is one (which of them, is the spread's to say), else where the
    // fewest wait.
    void start(Thread& thread);

    // The node's next thread, waiting for one; null when the program is over. `resident` is the thread whose vector
    // state the vCPU holds (or null): if another thread is returned, the caller must save it and call `evicted`.
    // `nudged` is called, not under the lock, when `nudge` comes while the node has nothing to do.
    Thread* acquire(unsigned cpu, const std::function<void()>& nudged = nullptr);
    void nudge();
    void evicted(Thread& thread);

    // The running thread is about to wait: gives the ticket by which it is woken. `ended_by_signal`: `interrupt` ends
    // the wait; otherwise whoever holds the ticket must see to it.
    std::uint64_t prepare(Thread& thread, bool ended_by_signal);
    // Waits for the wake. True when it is parked and the node must `acquire`; false when the wake has already come, and
    // the thread goes on with `wake_result`.
    bool park(Thread& thread);
    // Ends the wait that the ticket is for with `result`; nothing if it is over.
    void wake(Thread& thread, std::uint64_t ticket, std::int64_t result);
    // The same by a caller who holds locks: the node's host thread is woken by `rousing`.
    void wake(Thread& thread, std::uint64_t ticket, std::int64_t result, Rousing& rousing);
    // The running thread is about to wait, and its node wakes these once it has been parked, or was woken before: those
    // of its own PU would run in its stead.
    void rouse_when_parked(const Thread& thread, Rousing rousing);
    [[nodiscard]] std::uint32_t pu_of(const Thread& thread) const;
    void interrupt(Thread& thread, std::int64_t result);
    // The running thread gives way. True when another is to run here (and the node must `acquire`).
    bool yield(Thread& thread, bool voluntary);
    void exit(Thread& thread);
    // Whether the running thread may no longer run on its node; it is then saved by the caller and handed on.
    [[nodiscard]] bool misplaced(const Thread& thread) const;
    void migrate(Thread& thread);

    // Moves the thread at its next exit if `affinity` excludes its node.
    void set_affinity(Thread& thread, const CpuSet& affinity);
    [[nodiscard]] CpuSet affinity(const Thread& thread) const;

    // Where the thread stands and the system call it is in; and its registers, unless a vCPU has them: false then.
    bool copy_stopped(const Thread& thread, Registers& regs, std::uint64_t& call, Thread::Scheduling::State& state,
                      int& cpu) const;

    // Nothing runs any more: every `acquire` returns null.
    void close();
    [[nodiscard]] bool closed() const;
    // Whether it waits, and whoever ran it has put it aside.
    [[nodiscard]] bool parked(const Thread& thread) const;
    // Whether every thread waits (and so none can wake another).
    [[nodiscard]] bool idle(unsigned cpu) const;

private:
    struct Node {
        std::deque<Thread*> queue;
        Thread* running = nullptr;
        Thread* resident = nullptr;
        bool waiting = false;  // its host thread sleeps in `acquire`
        bool preempt = false;
        bool leave = false;  // the running thread is to move to another PU
        bool nudged = false;
        bool ticking = false;
        Timers::Id tick = 0;
        std::shared_ptr<Bell> bell;  // by which it is woken
        std::uint32_t place = 0;     // its bit there
        std::uint32_t pu = 0;
        Rousing owed;  // its own host thread's
    };

    void seat_nodes(const std::vector<CpuPlace>& places);
    void add_load(unsigned cpu);
    void remove_load(unsigned cpu);
    void tell_of_crowds();
    void sleep(unsigned cpu, std::unique_lock<std::mutex>& lock);
    void wake_locked(Thread& thread, std::int64_t result, Rousing& rousing);
    [[nodiscard]] std::size_t load(unsigned cpu) const;
    int choose(const Thread& thread) const;
    // `rousing`: takes down the node if it has to be woken.
    void enqueue(Thread& thread, unsigned cpu, Rousing& rousing);
    // Takes a queued thread off its queue; false if it is on none.
    bool unqueue(Thread& thread);
    // The running thread is no longer there.
    void vacate(unsigned cpu);
    Thread* take(unsigned cpu);
    void arm_tick(unsigned cpu);
    void tick(unsigned cpu);
    // After every change of what there is to do: whether it is evenly spread, and since when not.
    void watch_balance();
    void balance();
    bool even_out(PuLoads::Imbalance imbalance);

    mutable std::mutex mutex_;
    std::vector<Node> nodes_;
    PuLoads loads_;
    std::vector<std::shared_ptr<Bell>> bells_;  // each of nodes of one PU
    bool crowded_ = false;
    std::function<void(bool)> on_crowded_;
    Spread spread_;
    std::optional<Timers::Clock::time_point> uneven_since_;
    std::optional<Timers::Id> balance_;
    Timers& timers_;
    std::function<void(unsigned)> kick_;
    bool closed_ = false;
    unsigned ticks_pending_ = 0;  // of nodes, and the balance's
    std::condition_variable ticks_done_;
};

}  // namespace divisi::hv
