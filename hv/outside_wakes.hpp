// Futex wakes that come from outside: from a host process that shares a program's windows and knows no VMM.
//
// It calls futex(2) itself, so the host's kernel must have somebody to wake: a thread here waits there for all words of
// the shared ranges on which a guest's thread waits in the table, and passes wakes on. (The other way, a guest's wake
// of a word in a window also goes to the host's kernel while such a thread lives.)
//
// Threads: any. Source: futex(2), futex_waitv(2).
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "hv/futex.hpp"

namespace divisi::hv {

// Bytes of the memory file behind the windows.
struct SharedRange {
    std::uint64_t begin = 0, end = 0;
};

class OutsideWakes {
public:
    // `futexes` is lent.
    OutsideWakes(FutexTable& futexes, std::vector<SharedRange> ranges);
    OutsideWakes(const OutsideWakes&) = delete;
    OutsideWakes& operator=(const OutsideWakes&) = delete;
    ~OutsideWakes();

private:
    void live();
    void changed() noexcept;
    [[nodiscard]] bool concerns(const FutexTable::Key& key) const;

    FutexTable& futexes_;
    std::vector<SharedRange> ranges_;
    std::atomic<std::uint32_t> changes_{0};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace divisi::hv
