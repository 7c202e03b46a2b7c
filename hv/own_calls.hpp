// The numbers of the system calls that are ours (shm/abi/node_page.h): beyond those of Linux.
#pragma once

#include <cstdint>

namespace divisi::hv {

inline constexpr std::uint64_t kSysViewLent = 508;
inline constexpr std::uint64_t kSysCopyLent = 509;
inline constexpr std::uint64_t kSysWakeAndWait = 510;
inline constexpr std::uint64_t kSysEndJob = 511;

}  // namespace divisi::hv
