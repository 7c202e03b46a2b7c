// The rate of the time stamp counter, for guests that tell time without an exit.
#pragma once

#include <cstdint>

namespace divisi::shm {

// Ticks of RDTSC a millisecond, measured against CLOCK_MONOTONIC over about 2 ms; 0 where the CPU does not promise a
// constant rate. Threads: any.
std::uint64_t measure_tsc_khz();

}  // namespace divisi::shm
