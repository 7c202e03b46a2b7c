// The control groups that this process is in: where the kernel's limits on it stand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace divisi {

struct CgroupFolder {
    int version = 2;   // 1: "memory.limit_in_bytes" and the like; 2: "memory.max"
    std::string path;  // ends with '/'
};

// The folders that may limit `controller` ("memory", "pids") for this process: its own group and every ancestor, in
// whichever versions are mounted in the usual places. Not all need exist: a container may see its own group as the root
// of the mount while its path is the host's. The tightest limit among them counts, as it does in the kernel.
// `root` stands before every path (for tests).
std::vector<CgroupFolder> cgroup_folders(std::string_view controller, const std::string& root = {});

// The number that is all a file holds; absent where the file is missing, or says "max".
std::optional<std::uint64_t> read_number(const std::string& path);

}  // namespace divisi
