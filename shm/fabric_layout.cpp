#include "shm/fabric_layout.hpp"

#include <algorithm>
#include <set>

#include "shm/abi/node_page.h"
#include "shm/abi/ring.h"

namespace divisi::shm {
namespace {

constexpr std::size_t kAutoRingMaxBytes = 256U << 10U;
constexpr std::size_t kAutoTotalBytes = 62U << 20U;
// A route is worth less memory than a link: there are many, and most programs speak to neighbours.
constexpr std::size_t kRouteRingMaxBytes = 64U << 10U;

std::size_t round_to_pages(std::size_t bytes) {
    return (bytes + DIVISI_PAGE_BYTES - 1) / DIVISI_PAGE_BYTES * DIVISI_PAGE_BYTES;
}

// Large rings where there are few, so that bandwidth does not suffer; small ones where there are many: 32 fully
// connected nodes get 64 KiB a ring, and stay under 64 MiB in all.
std::size_t choose_ring_bytes(std::size_t channels, std::size_t most, std::size_t budget) {
    std::size_t bytes = most;
    while (bytes > DIVISI_RING_MIN_BYTES && 2 * channels * bytes > budget) bytes /= 2;
    return bytes;
}

std::string describe(const Link& link) {
    return "link " + std::to_string(link.a.value) + "-" + std::to_string(link.b.value);
}

Result<void> check_links(const std::vector<Link>& links, std::size_t nodes) {
    std::set<std::pair<NodeId, NodeId>> seen;
    for (const Link& link : links) {
        if (link.a.value >= nodes || link.b.value >= nodes)
            return make_error(Errc::kUsage, "names a node that is not in the topology", describe(link));
        if (link.a == link.b) return make_error(Errc::kUsage, "joins a node to itself", describe(link));
        if (!seen.emplace(std::minmax(link.a, link.b)).second)
            return make_error(Errc::kUsage, "stands there twice", describe(link));
    }
    return {};
}

Result<FabricSpec> settle(FabricSpec spec) {
    if (spec.pus.empty() || spec.pus.size() > DIVISI_MAX_NODES)
        return make_error(Errc::kUsage, "a topology has 1 to " + std::to_string(DIVISI_MAX_NODES) + " nodes",
                          spec.name);
    DIVISI_TRY(check_links(spec.links, spec.pus.size()));
    if (spec.ring_bytes == 0)
        spec.ring_bytes = choose_ring_bytes(spec.links.size(), kAutoRingMaxBytes, kAutoTotalBytes);
    if (divisi_ring_bytes_valid(spec.ring_bytes) == 0)
        return make_error(Errc::kUsage, "a ring of " + std::to_string(spec.ring_bytes) + " bytes", spec.name,
                          "a power of two from 8 KiB to 4 MiB");
    spec.shared_bytes = round_to_pages(spec.shared_bytes);
    for (Link& link : spec.links)
        if (link.b < link.a) std::swap(link.a, link.b);
    // Channels that share their lower end lie side by side, so that a window needs few mappings.
    std::sort(spec.links.begin(), spec.links.end(), [](const Link& left, const Link& right) {
        return std::pair(left.a, left.b) < std::pair(right.a, right.b);
    });
    return spec;
}

void append(std::vector<FabricLayout::Range>& ranges, const FabricLayout::Range& range) {
    if (range.size_bytes == 0) return;
    if (!ranges.empty()) {
        FabricLayout::Range& last = ranges.back();
        if (last.writable == range.writable && last.offset + last.size_bytes == range.offset) {
            last.size_bytes += range.size_bytes;
            return;
        }
    }
    ranges.push_back(range);
}

std::uint64_t round_to_lines(std::uint64_t bytes) {
    return (bytes + DIVISI_LINE_BYTES - 1) / DIVISI_LINE_BYTES * DIVISI_LINE_BYTES;
}

std::uint64_t table_of_routes_bytes(std::uint64_t nodes) {
    return round_to_lines(nodes * nodes * sizeof(std::uint32_t));
}

}  // namespace

Result<FabricLayout> FabricLayout::create(FabricSpec spec) {
    FabricLayout layout;
    DIVISI_TRY_ASSIGN(layout.spec_, settle(std::move(spec)));
    const std::uint32_t nodes = layout.nodes();
    const std::vector<Link>& links = layout.spec_.links;
    layout.routes_ = Routes(nodes, links);
    layout.page_bytes_ = divisi_node_page_bytes(nodes);
    layout.traffic_bytes_ = round_to_pages(layout.loans_at() + DIVISI_LOANS * sizeof(divisi_loan));
    layout.timed_ = std::any_of(links.begin(), links.end(),
                                [](const Link& link) { return link.latency_ns != 0 || link.bandwidth_bits != 0; });
    if (std::any_of(links.begin(), links.end(), [](const Link& link) { return link.bandwidth_bits != 0; })) {
        const std::uint64_t wires = layout.routes_.wires();
        layout.map_bytes_ = round_to_pages(table_of_routes_bytes(nodes) + wires * sizeof(divisi_wire));
        layout.times_bytes_ = round_to_pages(wires * sizeof(std::uint64_t));
    }
    layout.shared_ = layout.traffic(NodeId{nodes});
    layout.ends_.resize(nodes);
    layout.by_peer_.assign(nodes, std::vector<std::uint16_t>(nodes));
    layout.window_ends_.assign(nodes, layout.window_traffic() + layout.traffic_bytes_);
    for (const Link& link : links) layout.add_channel(link.a, link.b, layout.spec_.ring_bytes);
    if (nodes <= kMaxRoutedNodes) layout.add_routed_channels();
    return layout;
}

void FabricLayout::add_channel(NodeId a, NodeId b, std::uint64_t ring_bytes) {
    const auto index = static_cast<std::uint32_t>(channels_.size());
    channels_.push_back({a, b, shared_, ring_bytes});
    shared_ += 2 * ring_bytes;
    for (const auto& [node, peer] : {std::pair(a.value, b), std::pair(b.value, a)}) {
        ends_[node].push_back({peer, index, window_ends_[node], node == a.value});
        by_peer_[node][peer.value] = static_cast<std::uint16_t>(ends_[node].size());
        window_ends_[node] += 2 * ring_bytes;
    }
}

void FabricLayout::add_routed_channels() {
    std::vector<std::pair<NodeId, NodeId>> pairs;
    for (NodeId a{0}; a.value < nodes(); ++a.value)
        for (NodeId b{a.value + 1}; b.value < nodes(); ++b.value)
            if (routes_.hops(a, b) > 1) pairs.emplace_back(a, b);
    const std::size_t taken = std::min(2 * spec_.links.size() * spec_.ring_bytes, kAutoTotalBytes);
    const std::size_t bytes =
        choose_ring_bytes(pairs.size(), std::min(spec_.ring_bytes, kRouteRingMaxBytes), kAutoTotalBytes - taken);
    for (const auto& [a, b] : pairs) add_channel(a, b, bytes);
}

const FabricLayout::End* FabricLayout::end_towards(NodeId node, NodeId peer) const noexcept {
    const std::uint16_t place = by_peer_[node.value][peer.value];
    return place == 0 ? nullptr : &ends_[node.value][place - 1U];
}

std::uint64_t FabricLayout::table_bytes() const noexcept {
    return nodes() * sizeof(divisi_traffic);
}

std::uint64_t FabricLayout::loans_at() const noexcept {
    return round_to_lines(table_bytes() + sizeof(divisi_wait));
}

std::uint64_t FabricLayout::window_wires() const noexcept {
    return window_map() + table_of_routes_bytes(nodes());
}

std::uint64_t FabricLayout::window_bytes(NodeId node, Mode mode) const noexcept {
    return window_ends_[node.value] + (mode == Mode::kSharedMemory ? spec_.shared_bytes : 0);
}

std::vector<FabricLayout::Range> FabricLayout::window(NodeId node, Mode mode) const {
    std::vector<Range> ranges;
    append(ranges, {node_page(node), page_bytes_, false});
    append(ranges, {map(), map_bytes_, false});
    append(ranges, {times(), times_bytes_, true});
    append(ranges, {traffic(node), traffic_bytes_, true});
    for (const End& end : ends(node)) {
        const Channel& channel = channels_[end.channel];
        append(ranges, {channel.offset, 2 * channel.ring_bytes, true});
    }
    if (mode == Mode::kSharedMemory) append(ranges, {shared_, spec_.shared_bytes, true});
    return ranges;
}

}  // namespace divisi::shm
