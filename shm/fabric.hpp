// The fabric: all channels, node pages and the shared region of one topology, in one memory file.
//
// Shape: a node sees of it only its *window*: its node page (read-only), the channels of its own links, and, in
//        shared-memory mode, the shared region; one after another, whole pages. What a guest finds in them is described
//        in shm/abi/node_page.h and shm/abi/ring.h. The address of the window's first byte is what AT_DIVISI tells.
// Owns: the memory file. Pages are taken on first use.
// Threads: const access from several; the others one at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/ids.hpp"
#include "base/mapping.hpp"
#include "base/result.hpp"

namespace divisi::shm {

struct Link {
    NodeId a;
    NodeId b;
};

struct FabricSpec {
    std::string name;                // the topology's; cut to 63 bytes in the node page
    std::vector<std::uint32_t> pus;  // by node: its PU, as the kernel numbers it; also says how many nodes there are
    std::vector<Link> links;         // either order of ends; no link twice
    std::size_t ring_bytes = 0;      // a power of two (shm/abi/ring.h); 0: chosen by the number of links
    std::size_t shared_bytes = 0;    // the shared region of shared-memory mode; rounded up to pages
};

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
    std::vector<NodeId> rank_nodes;        // by rank: its (first) node; no node twice
    std::vector<std::uint32_t> own_nodes;  // by rank: how many nodes it has, from that one on; empty: one each
    std::uint32_t spin_ns = 0;             // 0: a default
    std::uint64_t tsc_khz = 0;             // 0: unknown; see shm/tsc.hpp
};

class Fabric {
public:
    // Errors: kUsage for links or sizes that cannot be meant; errno.
    static Result<Fabric> create(const FabricSpec& spec);

    // What is mapped, in order, for `node`. It changes with the mode alone, not from job to job.
    [[nodiscard]] std::vector<WindowPiece> window(NodeId node, Mode mode) const;
    [[nodiscard]] std::size_t window_bytes(NodeId node, Mode mode) const;

    // Writes the node page of every rank's node. Call it on a fresh fabric or after `reset`, before the ranks start.
    // Errors: kUsage for ranks that the topology does not have; nothing is written then.
    Result<void> begin_job(const JobSpec& job);
    // Tells the ranks of the present job that the one on `node` is gone, and wakes those that sleep for it: they may
    // still receive what it sent, and then get an error that names it. Any thread may call it while a job runs.
    void mark_gone(NodeId node) const;
    // Gives back all pages: every ring is fresh again, nothing of the last job is left. No rank may be running.
    // Errors: errno.
    Result<void> reset();

    [[nodiscard]] std::uint32_t node_count() const noexcept { return static_cast<std::uint32_t>(spec_.pus.size()); }
    [[nodiscard]] const std::vector<Link>& links() const noexcept { return spec_.links; }
    [[nodiscard]] std::uint32_t pu(NodeId node) const noexcept { return spec_.pus[node.value]; }
    [[nodiscard]] std::size_t ring_bytes() const noexcept { return spec_.ring_bytes; }
    [[nodiscard]] int fd() const noexcept { return memory_.get(); }
    [[nodiscard]] std::size_t size_bytes() const noexcept { return map_.size(); }

private:
    // A channel as one of its ends sees it.
    struct End {
        NodeId peer;
        std::uint32_t channel = 0;  // the place in `spec_.links`
        std::size_t window_offset = 0;
        bool first = false;  // this end writes the channel's first ring
    };

    // What a job's links and places amount to; the same for all ranks.
    struct Layout {
        std::vector<std::uint32_t> parents;  // by rank, breadth-first from rank 0
        bool full = false;
        bool connected = false;
        bool own_pus = false;  // no two ranks on one PU
    };

    Fabric() = default;
    [[nodiscard]] std::uint64_t channel_offset(std::uint32_t channel) const noexcept;
    [[nodiscard]] std::uint64_t shared_offset() const noexcept;
    [[nodiscard]] std::uint64_t node_page_offset(NodeId node) const noexcept { return node.value * page_bytes_; }
    [[nodiscard]] const End* end_towards(NodeId node, NodeId peer) const noexcept;
    Result<void> check_job(const JobSpec& job) const;
    [[nodiscard]] Layout lay_out(const JobSpec& job) const;
    void write_node_page(const JobSpec& job, std::uint32_t rank, const Layout& layout) const;

    FabricSpec spec_;  // links in order, sizes settled
    Fd memory_;
    Mapping map_;
    std::size_t page_bytes_ = 0;          // of one node page
    std::vector<std::vector<End>> ends_;  // by node, in the order of the window
    std::vector<NodeId> rank_nodes_;      // of the present job
};

}  // namespace divisi::shm
