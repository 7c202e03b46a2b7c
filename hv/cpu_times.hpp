// Processor time: how much of it a program took, and each of its threads.
//
// While a node is present, its host thread runs nothing but the program: the program's time is that of its nodes since
// they came. A thread's is what its node spent between taking it up and putting it down.
//
// Threads: all members may be called from several threads; `take_up` and `put_down` by the node itself.
#pragma once

#include <time.h>

#include <chrono>
#include <mutex>
#include <vector>

namespace divisi::hv {

class Vcpu;
struct Thread;

class CpuTimes {
public:
    explicit CpuTimes(std::size_t cpus) : nodes_(cpus) {}

    // The calling node is one of the program's processors for as long as this lives.
    class Presence {
    public:
        Presence(CpuTimes& times, unsigned cpu, const Vcpu& vcpu) : times_(times), cpu_(cpu) { times.enter(cpu, vcpu); }
        Presence(const Presence&) = delete;
        Presence& operator=(const Presence&) = delete;
        ~Presence() { times_.leave(cpu_); }

    private:
        CpuTimes& times_;
        unsigned cpu_;
    };

    void take_up(Thread& thread, unsigned cpu);
    void put_down(Thread& thread);

    [[nodiscard]] std::chrono::nanoseconds program() const;
    [[nodiscard]] std::chrono::nanoseconds thread(Thread& thread) const;

private:
    struct Node {
        const Vcpu* vcpu = nullptr;  // null: not present
        clockid_t clock{};
        std::chrono::nanoseconds entered{0};  // what its clock said then
        std::chrono::nanoseconds past{0};     // of earlier presences
    };
    void enter(unsigned cpu, const Vcpu& vcpu);
    void leave(unsigned cpu);
    static std::chrono::nanoseconds read(const Node& node);
    [[nodiscard]] std::chrono::nanoseconds now(unsigned cpu) const;

    mutable std::mutex mutex_;
    std::vector<Node> nodes_;
};

}  // namespace divisi::hv
