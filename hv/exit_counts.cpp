#include "hv/exit_counts.hpp"

namespace divisi::hv {
namespace {

// There is one writer: no read-modify-write is needed.
void increment(std::atomic<std::uint64_t>& counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

}  // namespace

ExitSums& ExitSums::operator+=(const ExitSums& other) {
    for (const auto& [number, times] : other.calls) calls[number] += times;
    page_faults += other.page_faults;
    exceptions += other.exceptions;
    kicks += other.kicks;
    return *this;
}

void ExitCounts::count(unsigned cpu, const Exit& exit, std::uint64_t number) {
    Cpu& mine = cpus_[cpu];
    switch (exit.kind) {
        case Exit::Kind::kSyscall:
            if (number < kNumbers) increment(mine.calls[number]);
            return;
        case Exit::Kind::kException: increment(exit.page_fault() ? mine.page_faults : mine.exceptions); return;
        case Exit::Kind::kInterrupted: increment(mine.kicks); return;
        default: return;
    }
}

ExitSums ExitCounts::sum() const {
    ExitSums sums;
    for (const Cpu& cpu : cpus_) {
        for (std::uint64_t number = 0; number < kNumbers; ++number) {
            const std::uint64_t times = cpu.calls[number].load(std::memory_order_relaxed);
            if (times != 0) sums.calls[number] += times;
        }
        sums.page_faults += cpu.page_faults.load(std::memory_order_relaxed);
        sums.exceptions += cpu.exceptions.load(std::memory_order_relaxed);
        sums.kicks += cpu.kicks.load(std::memory_order_relaxed);
    }
    return sums;
}

}  // namespace divisi::hv
