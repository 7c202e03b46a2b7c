// The stats board: what every node is doing, one cache line a node, written by divisi-vmm and read by whoever asks.
//
// Shape: a memory file of `node_count` entries of 64 bytes.
// Threads: one writer an entry (the node's thread), any number of readers, no locks. A reader sees each counter whole,
//          and counters of one node that may be some instructions apart.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/fd.hpp"
#include "base/ids.hpp"
#include "base/mapping.hpp"
#include "base/result.hpp"

namespace divisi::shm {

enum class NodeState : std::uint32_t { kIdle, kRunning, kSleeping, kFailed };

// offset  size  content
// 0x00     4    state
// 0x04     4    zero
// 0x08     8    exits: how often the node left guest code
// 0x10     8    cpu_time_ns: CPU time of the node's thread
// 0x18     8    busy_since_ns: CLOCK_MONOTONIC when the present job began; 0 when idle
// 0x20    32    zero
struct alignas(64) NodeStats {
    std::atomic<NodeState> state;
    std::atomic<std::uint64_t> exits;
    std::atomic<std::uint64_t> cpu_time_ns;
    std::atomic<std::uint64_t> busy_since_ns;
};
static_assert(sizeof(NodeStats) == 64 && std::atomic<std::uint64_t>::is_always_lock_free);

class StatsBoard {
public:
    static Result<StatsBoard> create(std::uint32_t node_count);
    // A read-only view of another process's board. Errors: kProtocol when the file is too small for `node_count`.
    static Result<StatsBoard> attach(int fd, std::uint32_t node_count);

    // Valid as long as the board. Ids beyond the board are a bug of the caller's.
    [[nodiscard]] NodeStats& node(NodeId id) noexcept;
    [[nodiscard]] const NodeStats& node(NodeId id) const noexcept;
    [[nodiscard]] std::uint32_t node_count() const noexcept { return node_count_; }
    // For passing on; invalid on an attached board.
    [[nodiscard]] int fd() const noexcept { return memory_.get(); }

private:
    StatsBoard() = default;

    Fd memory_;
    Mapping map_;
    std::uint32_t node_count_ = 0;
};

}  // namespace divisi::shm
