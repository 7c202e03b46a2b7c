// What a program may use at most: the limits of setrlimit(2), which are the program's, not a thread's.
//
// Threads: all members may be called from several threads.
// Source: setrlimit(2).
#pragma once

#include <sys/resource.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace divisi::hv {

class Limits {
public:
    static constexpr std::uint64_t kUnlimited = RLIM_INFINITY;

    struct Limit {
        std::uint64_t soft = kUnlimited, hard = kUnlimited;
    };
    using Set = std::array<Limit, RLIMIT_NLIMITS>;
    // What a program starts with, as on an ordinary machine.
    static Set usual();

    explicit Limits(const Set& first);

    static bool known(int resource) { return resource >= 0 && resource < static_cast<int>(RLIMIT_NLIMITS); }
    // Of a known resource.
    [[nodiscard]] Limit get(int resource) const;
    [[nodiscard]] std::uint64_t soft(int resource) const;
    // 0, or -EINVAL, -EPERM: no program of a node has the right to raise a hard limit.
    int set(int resource, const Limit& wanted);

    // Text in the form of /proc/self/limits.
    [[nodiscard]] std::string describe() const;

private:
    struct Kept {
        std::atomic<std::uint64_t> soft, hard;
    };
    mutable std::mutex mutex_;  // for both of a limit at once
    std::array<Kept, RLIMIT_NLIMITS> limits_;
};

}  // namespace divisi::hv
