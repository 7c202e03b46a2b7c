// How much RAM there is for us: the machine's, and what a cgroup leaves of it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace divisi::partitioner {

struct Memory {
    std::uint64_t total = 0;      // bytes of RAM that the machine has
    std::uint64_t available = 0;  // bytes that can be taken now without swapping, the cgroup's limit included
    std::uint64_t limit = 0;      // the tightest cgroup limit in bytes, 0 where there is none below `total`
    std::string limit_file;       // the file that sets it
};

// Reads /proc/meminfo and the cgroup (v1 or v2) of this process, all below `root` (for tests; "" otherwise).
// Errors: errno of /proc/meminfo; kFailed when it makes no sense. A cgroup that cannot be read sets no limit.
Result<Memory> read_memory(const std::string& root = {});

}  // namespace divisi::partitioner
