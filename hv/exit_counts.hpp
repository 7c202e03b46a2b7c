// What made a program's nodes leave guest code, and how often: each system call by its number, faults of pages, kicks.
//
// Threads: `count` by the node itself, whose counters are its own; `sum` by any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <vector>

#include "hv/vcpu.hpp"

namespace divisi::hv {

// Sums over a program's nodes, or a job's.
struct ExitSums {
    std::map<std::uint64_t, std::uint64_t> calls;  // by number, of those that Linux has
    std::uint64_t page_faults = 0;
    std::uint64_t exceptions = 0;  // others
    std::uint64_t kicks = 0;

    ExitSums& operator+=(const ExitSums& other);
};

class ExitCounts {
public:
    explicit ExitCounts(std::size_t cpus) : cpus_(cpus) {}

    // `number` is that of the system call, for an exit that is one.
    void count(unsigned cpu, const Exit& exit, std::uint64_t number);
    [[nodiscard]] ExitSums sum() const;

private:
    static constexpr std::size_t kNumbers = 512;
    using Counter = std::atomic<std::uint64_t>;
    struct alignas(64) Cpu {
        std::array<Counter, kNumbers> calls{};
        Counter page_faults{0}, exceptions{0}, kicks{0};
    };

    std::vector<Cpu> cpus_;
};

}  // namespace divisi::hv
