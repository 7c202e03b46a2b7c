#include "shm/fabric.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <limits>
#include <set>

#include "shm/abi/node_page.h"
#include "shm/abi/ring.h"

namespace divisi::shm {
namespace {

constexpr std::size_t kAutoRingMaxBytes = 256U << 10U;
constexpr std::size_t kAutoTotalBytes = 62U << 20U;
constexpr std::uint32_t kDefaultSpinNs = 150'000;

std::size_t round_to_pages(std::size_t bytes) {
    return (bytes + DIVISI_PAGE_BYTES - 1) / DIVISI_PAGE_BYTES * DIVISI_PAGE_BYTES;
}

// Large rings where there are few, so that bandwidth does not suffer; small ones where there are many: 32 fully
// connected nodes get 64 KiB a ring, and stay under 64 MiB in all.
std::size_t choose_ring_bytes(std::size_t links) {
    std::size_t bytes = kAutoRingMaxBytes;
    while (bytes > DIVISI_RING_MIN_BYTES && 2 * links * bytes > kAutoTotalBytes) bytes /= 2;
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
    if (spec.ring_bytes == 0) spec.ring_bytes = choose_ring_bytes(spec.links.size());
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

void append_piece(std::vector<WindowPiece>& pieces, const WindowPiece& piece) {
    if (!pieces.empty()) {
        WindowPiece& last = pieces.back();
        if (last.writable == piece.writable && last.offset + last.size_bytes == piece.offset) {
            last.size_bytes += piece.size_bytes;
            return;
        }
    }
    pieces.push_back(piece);
}

// Both ends' words: the one that is gone sleeps no more, and to wake it costs nothing.
void wake_sleepers(divisi_ring& ring) {
    for (std::uint32_t* const word : {&ring.data_sleep, &ring.space_sleep}) {
        if (std::atomic_ref(*word).load(std::memory_order_seq_cst) == 0) continue;
        std::atomic_ref(*word).store(0, std::memory_order_seq_cst);
        ::syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
    }
}

// Parents in a breadth-first tree from rank 0: every rank must come to the same one, so it is computed once, here.
std::vector<std::uint32_t> breadth_first_parents(std::uint32_t ranks, const auto& linked) {
    std::vector<std::uint32_t> parents(ranks, DIVISI_NO_RANK);
    std::vector<std::uint32_t> queue{0};
    for (std::size_t next = 0; next < queue.size(); ++next) {
        const std::uint32_t from = queue[next];
        for (std::uint32_t to = 1; to < ranks; ++to) {
            if (parents[to] != DIVISI_NO_RANK || !linked(from, to)) continue;
            parents[to] = from;
            queue.push_back(to);
        }
    }
    return parents;
}

// Whether a page of `fd` holds anything: looking at it would take memory for it.
class Touched {
public:
    explicit Touched(int fd) noexcept : fd_(fd) {}
    // Ask in ascending order: what was found out is good for all holes before the next data.
    bool operator()(std::uint64_t offset) noexcept {
        if (offset + DIVISI_PAGE_BYTES <= next_data_) return false;
        const off_t found = ::lseek(fd_, static_cast<off_t>(offset), SEEK_DATA);
        next_data_ = found < 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(found);
        return next_data_ < offset + DIVISI_PAGE_BYTES;
    }

private:
    int fd_;
    std::uint64_t next_data_ = 0;
};

std::uint32_t to_abi(Mode mode) {
    return mode == Mode::kSharedMemory ? DIVISI_ABI_MODE_SHARED_MEMORY : DIVISI_ABI_MODE_MESSAGE_PASSING;
}

std::uint32_t to_abi(Backend backend) {
    switch (backend) {
        case Backend::kNative: return DIVISI_ABI_BACKEND_NATIVE;
        case Backend::kKvm: return DIVISI_ABI_BACKEND_KVM;
        case Backend::kDirect: return DIVISI_ABI_BACKEND_DIRECT;
    }
    return DIVISI_ABI_BACKEND_NATIVE;
}

}  // namespace

Result<Fabric> Fabric::create(const FabricSpec& spec) {
    Fabric fabric;
    DIVISI_TRY_ASSIGN(fabric.spec_, settle(spec));
    const auto nodes = fabric.node_count();
    fabric.page_bytes_ = divisi_node_page_bytes(nodes);
    fabric.ends_.resize(nodes);
    std::vector<std::size_t> next_offset(nodes, fabric.page_bytes_);
    for (std::uint32_t channel = 0; channel < fabric.spec_.links.size(); ++channel) {
        const Link& link = fabric.spec_.links[channel];
        fabric.ends_[link.a.value].push_back({link.b, channel, next_offset[link.a.value], true});
        fabric.ends_[link.b.value].push_back({link.a, channel, next_offset[link.b.value], false});
        next_offset[link.a.value] += 2 * fabric.spec_.ring_bytes;
        next_offset[link.b.value] += 2 * fabric.spec_.ring_bytes;
    }
    const std::size_t size = fabric.shared_offset() + fabric.spec_.shared_bytes;
    DIVISI_TRY_ASSIGN(fabric.memory_, create_memfd("divisi-fabric", size));
    DIVISI_TRY_ASSIGN(fabric.map_, Mapping::file(fabric.memory_.get(), 0, size, PROT_READ | PROT_WRITE));
    return fabric;
}

std::uint64_t Fabric::channel_offset(std::uint32_t channel) const noexcept {
    return node_count() * page_bytes_ + std::uint64_t{channel} * 2 * spec_.ring_bytes;
}

std::uint64_t Fabric::shared_offset() const noexcept {
    return channel_offset(static_cast<std::uint32_t>(spec_.links.size()));
}

std::vector<WindowPiece> Fabric::window(NodeId node, Mode mode) const {
    std::vector<WindowPiece> pieces{{memory_.get(), node_page_offset(node), page_bytes_, false}};
    for (const End& end : ends_[node.value])
        append_piece(pieces, {memory_.get(), channel_offset(end.channel), 2 * spec_.ring_bytes, true});
    if (mode == Mode::kSharedMemory && spec_.shared_bytes != 0)
        append_piece(pieces, {memory_.get(), shared_offset(), spec_.shared_bytes, true});
    return pieces;
}

std::size_t Fabric::window_bytes(NodeId node, Mode mode) const {
    const std::size_t channels = ends_[node.value].size() * 2 * spec_.ring_bytes;
    return page_bytes_ + channels + (mode == Mode::kSharedMemory ? spec_.shared_bytes : 0);
}

const Fabric::End* Fabric::end_towards(NodeId node, NodeId peer) const noexcept {
    // In the order of channels, which is that of peers: first those below the node, then those above it.
    const auto& ends = ends_[node.value];
    const auto found =
        std::lower_bound(ends.begin(), ends.end(), peer, [](const End& end, NodeId id) { return end.peer < id; });
    return found != ends.end() && found->peer == peer ? &*found : nullptr;
}

Result<void> Fabric::check_job(const JobSpec& job) const {
    const std::string ranks = std::to_string(job.rank_nodes.size()) + " ranks";
    if (job.rank_nodes.empty() || job.rank_nodes.size() > node_count())
        return make_error(Errc::kUsage, ranks + " on " + std::to_string(node_count()) + " nodes", spec_.name);
    if (!job.own_nodes.empty() && job.own_nodes.size() != job.rank_nodes.size())
        return make_error(Errc::kUsage, "the nodes are not dealt out to all ranks", spec_.name);
    std::set<NodeId> seen;
    for (const NodeId node : job.rank_nodes) {
        if (node.value >= node_count())
            return make_error(Errc::kUsage, "the topology has no node " + std::to_string(node.value), spec_.name);
        if (!seen.insert(node).second)
            return make_error(Errc::kUsage, "two ranks on node " + std::to_string(node.value), spec_.name);
    }
    return {};
}

Fabric::Layout Fabric::lay_out(const JobSpec& job) const {
    const auto linked = [&](std::uint32_t from, std::uint32_t to) {
        return end_towards(job.rank_nodes[from], job.rank_nodes[to]) != nullptr;
    };
    const auto ranks = static_cast<std::uint32_t>(job.rank_nodes.size());
    Layout layout;
    layout.parents = breadth_first_parents(ranks, linked);
    // All but rank 0 have one.
    layout.connected = std::count(layout.parents.begin(), layout.parents.end(), DIVISI_NO_RANK) == 1;
    layout.full = true;
    for (std::uint32_t a = 0; a < ranks; ++a)
        for (std::uint32_t b = a + 1; b < ranks; ++b) layout.full = layout.full && linked(a, b);
    std::set<std::uint32_t> pus;
    for (const NodeId node : job.rank_nodes) pus.insert(pu(node));
    layout.own_pus = pus.size() == ranks;
    return layout;
}

Result<void> Fabric::begin_job(const JobSpec& job) {
    DIVISI_TRY(check_job(job));
    const Layout layout = lay_out(job);
    rank_nodes_ = job.rank_nodes;
    for (std::uint32_t rank = 0; rank < job.rank_nodes.size(); ++rank) write_node_page(job, rank, layout);
    return {};
}

void Fabric::write_node_page(const JobSpec& job, std::uint32_t rank, const Layout& layout) const {
    const NodeId node = job.rank_nodes[rank];
    std::byte* const base = map_.data() + node_page_offset(node);
    const auto pu_of = [&](std::uint32_t of) { return spec_.pus[job.rank_nodes[of].value]; };

    divisi_node_page page{};
    page.magic = DIVISI_NODE_PAGE_MAGIC;
    page.version = DIVISI_ABI_VERSION;
    page.page_bytes = static_cast<std::uint32_t>(page_bytes_);
    page.window_bytes = window_bytes(node, job.mode);
    page.node = node.value;
    page.nodes = node_count();
    page.rank = rank;
    page.ranks = static_cast<std::uint32_t>(job.rank_nodes.size());
    page.own_nodes = job.own_nodes.empty() ? 1 : job.own_nodes[rank];
    page.mode = to_abi(job.mode);
    page.backend = to_abi(job.backend);
    page.flags = (layout.full ? DIVISI_ABI_FLAG_FULL : 0U) | (layout.connected ? DIVISI_ABI_FLAG_CONNECTED : 0U) |
                 (layout.own_pus ? DIVISI_ABI_FLAG_OWN_PUS : 0U);
    page.pu = pu_of(rank);
    page.ring_bytes = static_cast<std::uint32_t>(spec_.ring_bytes);
    page.spin_ns = job.spin_ns == 0 ? kDefaultSpinNs : job.spin_ns;
    if (job.mode == Mode::kSharedMemory && spec_.shared_bytes != 0) {
        page.shared_offset = page.window_bytes - spec_.shared_bytes;
        page.shared_bytes = spec_.shared_bytes;
    }
    page.tsc_khz = job.tsc_khz;
    page.peers_offset = sizeof page;
    page.peer_bytes = sizeof(divisi_peer);
    spec_.name.copy(static_cast<char*>(page.name), sizeof page.name - 1);

    for (std::uint32_t other = 0; other < page.ranks; ++other) {
        divisi_peer peer{};
        if (const End* end = end_towards(node, job.rank_nodes[other])) {
            // The first ring of a channel is written by its lower end.
            peer.out_offset = end->window_offset + (end->first ? 0 : spec_.ring_bytes);
            peer.in_offset = end->window_offset + (end->first ? spec_.ring_bytes : 0);
        }
        peer.node = job.rank_nodes[other].value;
        peer.pu = pu_of(other);
        peer.parent = layout.parents[other];
        if (peer.pu == page.pu) ++page.pu_ranks;
        std::memcpy(base + page.peers_offset + other * sizeof peer, &peer, sizeof peer);
    }
    std::memcpy(base, &page, sizeof page);
}

void Fabric::mark_gone(NodeId node) const {
    const auto found = std::find(rank_nodes_.begin(), rank_nodes_.end(), node);
    if (found == rank_nodes_.end()) return;
    const auto rank = static_cast<std::size_t>(found - rank_nodes_.begin());
    for (const NodeId other : rank_nodes_) {
        auto* const peers =
            reinterpret_cast<divisi_peer*>(map_.data() + node_page_offset(other) + sizeof(divisi_node_page));
        std::atomic_ref(peers[rank].gone).store(1, std::memory_order_seq_cst);
    }
    // ORDER: gone is stored (seq_cst: with a fence on x86) before the sleep words are looked at; a sleeper sets its
    // word before it looks at gone for the last time. Whichever comes first, one of the two sees the other
    // (docs/models/channel.pml). A page that was never touched has no sleeper's word in it yet.
    Touched touched(memory_.get());
    for (const End& end : ends_[node.value]) {
        for (const std::uint64_t ring : {std::uint64_t{0}, std::uint64_t{spec_.ring_bytes}}) {
            const std::uint64_t offset = channel_offset(end.channel) + ring;
            if (touched(offset)) wake_sleepers(*reinterpret_cast<divisi_ring*>(map_.data() + offset));
        }
    }
}

Result<void> Fabric::reset() {
    if (::fallocate(memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(map_.size())) != 0)
        return system_error(errno, "cannot give back the pages of the fabric", spec_.name);
    return {};
}

}  // namespace divisi::shm
