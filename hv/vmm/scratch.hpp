// The scratch folders of a topology's jobs: /tmp, /var/tmp and /dev/shm of their own, gone when the job is.
//
// They lie in a file system in memory of a bounded size, which is mounted nowhere: when the process ends, however it
// does, nothing is left. Where the host lets nobody make one, they lie in the topology's folder, without a bound, and
// who removes that folder removes them.
//
// Threads: one at a time.
// Source: fsmount(2), tmpfs(5), user_namespaces(7).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace divisi::hv::vmm {

class Scratch {
public:
    // `topology_folder` is the fallback; `size_bytes` bounds what programs put there. To be called while there is one
    // thread, and before privileges are dropped. Errors: the errno of making the fallback.
    static Result<Scratch> create(const std::string& topology_folder, std::uint64_t size_bytes);

    // A folder with empty folders tmp, var-tmp and shm, for one job. Errors: the errno; kInsufficient.
    Result<std::shared_ptr<const Fd>> make_folders();
    // Removes what the last job has left there.
    Result<void> clear();
    [[nodiscard]] bool in_memory() const { return in_memory_; }

private:
    Scratch(Fd root, bool in_memory) : root_(std::move(root)), in_memory_(in_memory) {}

    Fd root_;
    bool in_memory_;
    std::uint64_t last_ = 0;
    std::string present_;  // the folder of the running job; empty where there is none
};

}  // namespace divisi::hv::vmm
