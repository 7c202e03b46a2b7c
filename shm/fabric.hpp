// The fabric: all channels, node pages and the shared region of one topology, in one memory file.
//
// Shape: a node sees of it only its *window* (shm/fabric_layout.hpp): its node page (read-only), its own channels, and,
//        in shared-memory mode, the shared region; one after another, whole pages. What a guest finds in them is
//        described in shm/abi/node_page.h and shm/abi/ring.h. The address of the window's first byte is what AT_DIVISI
//        tells.
// Owns: the memory file. Pages are taken on first use.
// Threads: const access from several; the others one at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/ids.hpp"
#include "base/mapping.hpp"
#include "base/result.hpp"
#include "shm/fabric_layout.hpp"
#include "shm/loans.hpp"
#include "shm/waits.hpp"

namespace divisi::shm {

// A range of a memory file that is to be mapped, shared, at the next address of a window.
struct WindowPiece {
    int fd = -1;  // lent by the fabric
    std::uint64_t offset = 0;
    std::size_t size_bytes = 0;
    bool writable = false;
};

enum class Backend : std::uint8_t { kNative, kKvm, kDirect };

// What the node pages of one job say.
struct JobSpec {
    Mode mode = Mode::kMessagePassing;
    Backend backend = Backend::kNative;
    std::vector<NodeId> rank_nodes;         // by rank: its (first) node; no node twice
    std::vector<std::uint32_t> own_nodes;   // by rank: how many nodes it has, from that one on; empty: one each
    std::vector<std::uint32_t> host_ranks;  // those that host processes are to be: natively, whatever the backend
    std::uint32_t spin_ns = 0;              // 0: a default
    std::uint64_t tsc_khz = 0;              // 0: unknown; see shm/tsc.hpp
    std::uint64_t call_address = 0;         // of ranks in nodes (shm/abi/node_page.h)
};

// What one rank has sent to another, by its own account.
struct Flow {
    std::uint32_t from = 0;  // ranks
    std::uint32_t to = 0;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
};

// What went over a link, both ways: its own messages and those on their way to somewhere else.
struct LinkTraffic {
    NodeId a, b;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
};

struct Traffic {
    std::vector<Flow> flows;  // those that there were, by sender and receiver
    std::vector<LinkTraffic> links;
};

class Fabric {
public:
    // Errors: kUsage for links or sizes that cannot be meant; errno.
    static Result<Fabric> create(const FabricSpec& spec);

    // What is mapped, in order, for `node`. It changes with the mode alone, not from job to job.
    [[nodiscard]] std::vector<WindowPiece> window(NodeId node, Mode mode) const;
    [[nodiscard]] std::size_t window_bytes(NodeId node, Mode mode) const { return layout_.window_bytes(node, mode); }

    // Writes the node page of every rank's node. Call it on a fresh fabric or after `reset`, before the ranks start.
    // Errors: kUsage for ranks that the topology does not have; nothing is written then.
    Result<void> begin_job(const JobSpec& job);
    // Tells the ranks of the present job that the one on `node` is gone, and wakes those that sleep for it: they may
    // still receive what it sent, and then get an error that names it. Any thread may call it while a job runs.
    void mark_gone(NodeId node) const;
    // What the ranks of the present job have sent until now. Any thread may call it while a job runs.
    [[nodiscard]] Traffic traffic() const;
    // What a rank of the present job said last that it waits for. Any thread may call it while a job runs.
    [[nodiscard]] Wait wait_of(std::uint32_t rank) const;
    // What the rank `owner` has lent to `borrower` in its loan number `loan`; nothing where it has lent nothing to it
    // there. Any thread may call it while a job runs.
    [[nodiscard]] std::optional<Borrowed> borrow(std::uint32_t owner, std::uint32_t loan, std::uint32_t borrower) const;
    // Gives back all pages: every ring is fresh again, nothing of the last job is left. No rank may be running.
    // Errors: errno.
    Result<void> reset();

    [[nodiscard]] std::uint32_t node_count() const noexcept { return layout_.nodes(); }
    [[nodiscard]] const std::vector<Link>& links() const noexcept { return layout_.spec().links; }
    [[nodiscard]] std::uint32_t pu(NodeId node) const noexcept { return layout_.spec().pus[node.value]; }
    [[nodiscard]] std::size_t ring_bytes() const noexcept { return layout_.spec().ring_bytes; }
    [[nodiscard]] int fd() const noexcept { return memory_.get(); }
    [[nodiscard]] std::size_t size_bytes() const noexcept { return map_.size(); }

private:
    // What a job's links and places amount to; the same for all ranks.
    struct Shape {
        std::vector<std::uint32_t> parents;  // by rank, breadth-first from rank 0
        std::uint32_t flags = 0;             // DIVISI_ABI_FLAG_*
    };

    Fabric() = default;
    Result<void> check_job(const JobSpec& job) const;
    [[nodiscard]] Shape shape_of(const JobSpec& job) const;
    void write_node_page(const JobSpec& job, std::uint32_t rank, const Shape& shape) const;
    void write_peers(const JobSpec& job, std::uint32_t rank, const Shape& shape) const;
    void write_map() const;
    void count_on_links(Traffic& traffic) const;
    [[nodiscard]] std::uint64_t longest_queue_ns() const;

    FabricLayout layout_;
    Fd memory_;
    Mapping map_;
    std::vector<NodeId> rank_nodes_;  // of the present job
};

}  // namespace divisi::shm
