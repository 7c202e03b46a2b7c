#include "shm/tsc.hpp"

#include <cpuid.h>
#include <x86intrin.h>

#include <chrono>

namespace divisi::shm {
namespace {

bool tsc_is_constant() {
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    // CPUID 8000_0007h EDX bit 8: invariant TSC. Source: SDM volume 3, 18.17.1; APM volume 3, E.4.6.
    return __get_cpuid(0x80000007U, &eax, &ebx, &ecx, &edx) != 0 && (edx & (1U << 8U)) != 0;
}

}  // namespace

std::uint64_t measure_tsc_khz() {
    using Clock = std::chrono::steady_clock;
    if (!tsc_is_constant()) return 0;
    const auto begin = Clock::now();
    const std::uint64_t first = __rdtsc();
    auto end = begin;
    while (end - begin < std::chrono::milliseconds(2)) end = Clock::now();
    const std::uint64_t ticks = __rdtsc() - first;
    const auto ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(end - begin).count());
    return ticks * 1'000'000 / ns;
}

}  // namespace divisi::shm
