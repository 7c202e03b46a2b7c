// What a fabric is made of and where it lies, as pure numbers: in the memory file, and in the window of each node.
//
// The file:  node pages | map of the interconnect | times of its wires | tables of traffic | channels | shared region
// A window:  node page  | map (read-only) | times | own table of traffic | own channels | shared region
//
// Behind a node's table of traffic stand what it waits for (divisi_wait) and what it lends (divisi_loan).
// Map and times are there only where links have a bandwidth. Channels that are links come first, with large rings; then
// those between nodes that share no link and reach each other over a route. Everything begins on a page of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "shm/routes.hpp"

namespace divisi::shm {

struct FabricSpec {
    std::string name;                // the topology's; cut to 63 bytes in the node page
    std::vector<std::uint32_t> pus;  // by node: its PU, as the kernel numbers it; also says how many nodes there are
    std::vector<Link> links;         // either order of ends; no link twice
    std::size_t ring_bytes = 0;      // a power of two (shm/abi/ring.h); 0: chosen by the number of links
    std::size_t shared_bytes = 0;    // the shared region of shared-memory mode; rounded up to pages
};

// Beyond so many nodes those without a link do not reach each other: the process that maps all windows needs an area
// for about each channel (n (n - 1) / 2), and the kernel gives it 65530.
inline constexpr std::uint32_t kMaxRoutedNodes = 256;

class FabricLayout {
public:
    struct Channel {
        NodeId a, b;  // a < b; the first of its rings is written by a
        std::uint64_t offset = 0;
        std::uint64_t ring_bytes = 0;
    };
    // A channel as one of its ends sees it.
    struct End {
        NodeId peer;
        std::uint32_t channel = 0;
        std::uint64_t window_offset = 0;
        bool first = false;  // this end writes the channel's first ring
    };
    struct Range {
        std::uint64_t offset = 0;
        std::uint64_t size_bytes = 0;
        bool writable = false;
    };

    FabricLayout() = default;
    // Errors: kUsage for links or sizes that cannot be meant.
    static Result<FabricLayout> create(FabricSpec spec);

    [[nodiscard]] const FabricSpec& spec() const noexcept { return spec_; }
    [[nodiscard]] const Routes& routes() const noexcept { return routes_; }
    [[nodiscard]] std::uint32_t nodes() const noexcept { return static_cast<std::uint32_t>(spec_.pus.size()); }
    [[nodiscard]] const Channel& channel(std::uint32_t index) const noexcept { return channels_[index]; }
    // In the order of the window and of the file.
    [[nodiscard]] const std::vector<End>& ends(NodeId node) const noexcept { return ends_[node.value]; }
    [[nodiscard]] const End* end_towards(NodeId node, NodeId peer) const noexcept;
    // Whether messages take time on links, and whether they share a bandwidth there.
    [[nodiscard]] bool timed() const noexcept { return timed_; }
    [[nodiscard]] bool has_bandwidth() const noexcept { return times_bytes_ != 0; }

    // In the file.
    [[nodiscard]] std::uint64_t node_page(NodeId node) const noexcept { return node.value * page_bytes_; }
    [[nodiscard]] std::uint64_t map() const noexcept { return nodes() * page_bytes_; }
    [[nodiscard]] std::uint64_t times() const noexcept { return map() + map_bytes_; }
    [[nodiscard]] std::uint64_t traffic(NodeId node) const noexcept {
        return times() + times_bytes_ + node.value * traffic_bytes_;
    }
    [[nodiscard]] std::uint64_t wait(NodeId node) const noexcept { return traffic(node) + table_bytes(); }
    [[nodiscard]] std::uint64_t loans(NodeId node) const noexcept { return traffic(node) + loans_at(); }
    [[nodiscard]] std::uint64_t shared() const noexcept { return shared_; }
    [[nodiscard]] std::uint64_t size_bytes() const noexcept { return shared_ + spec_.shared_bytes; }

    // In a window.
    [[nodiscard]] std::uint64_t page_bytes() const noexcept { return page_bytes_; }
    [[nodiscard]] std::uint64_t window_map() const noexcept { return page_bytes_; }
    [[nodiscard]] std::uint64_t window_wires() const noexcept;
    [[nodiscard]] std::uint64_t window_times() const noexcept { return page_bytes_ + map_bytes_; }
    [[nodiscard]] std::uint64_t window_traffic() const noexcept { return window_times() + times_bytes_; }
    [[nodiscard]] std::uint64_t window_wait() const noexcept { return window_traffic() + table_bytes(); }
    [[nodiscard]] std::uint64_t window_loans() const noexcept { return window_traffic() + loans_at(); }
    [[nodiscard]] std::uint64_t window_bytes(NodeId node, Mode mode) const noexcept;
    [[nodiscard]] std::vector<Range> window(NodeId node, Mode mode) const;

private:
    [[nodiscard]] std::uint64_t table_bytes() const noexcept;
    [[nodiscard]] std::uint64_t loans_at() const noexcept;
    void add_channel(NodeId a, NodeId b, std::uint64_t ring_bytes);
    void add_routed_channels();

    FabricSpec spec_;  // links in order, sizes settled
    Routes routes_;
    bool timed_ = false;
    std::uint64_t page_bytes_ = 0;
    std::uint64_t map_bytes_ = 0;
    std::uint64_t times_bytes_ = 0;
    std::uint64_t traffic_bytes_ = 0;
    std::uint64_t shared_ = 0;  // also the end of the channels
    std::vector<Channel> channels_;
    std::vector<std::vector<End>> ends_;               // by node
    std::vector<std::uint64_t> window_ends_;           // by node: where the channels end in its window
    std::vector<std::vector<std::uint16_t>> by_peer_;  // by node and peer: the place in `ends_`, from 1; 0: none
};

}  // namespace divisi::shm
