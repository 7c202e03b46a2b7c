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

constexpr std::uint32_t kDefaultSpinNs = 150'000;
constexpr std::uint64_t kPsPerSecond = 1'000'000'000'000;

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
    DIVISI_TRY_ASSIGN(fabric.layout_, FabricLayout::create(spec));
    const std::size_t size = fabric.layout_.size_bytes();
    DIVISI_TRY_ASSIGN(fabric.memory_, create_memfd("divisi-fabric", size));
    DIVISI_TRY_ASSIGN(fabric.map_, Mapping::file(fabric.memory_.get(), 0, size, PROT_READ | PROT_WRITE));
    return fabric;
}

std::vector<WindowPiece> Fabric::window(NodeId node, Mode mode) const {
    std::vector<WindowPiece> pieces;
    for (const FabricLayout::Range& range : layout_.window(node, mode))
        pieces.push_back({memory_.get(), range.offset, range.size_bytes, range.writable});
    return pieces;
}

Result<void> Fabric::check_job(const JobSpec& job) const {
    const std::string ranks = std::to_string(job.rank_nodes.size()) + " ranks";
    if (job.rank_nodes.empty() || job.rank_nodes.size() > node_count())
        return make_error(Errc::kUsage, ranks + " on " + std::to_string(node_count()) + " nodes", layout_.spec().name);
    if (!job.own_nodes.empty() && job.own_nodes.size() != job.rank_nodes.size())
        return make_error(Errc::kUsage, "the nodes are not dealt out to all ranks", layout_.spec().name);
    std::set<NodeId> seen;
    for (const NodeId node : job.rank_nodes) {
        if (node.value >= node_count())
            return make_error(Errc::kUsage, "the topology has no node " + std::to_string(node.value),
                              layout_.spec().name);
        if (!seen.insert(node).second)
            return make_error(Errc::kUsage, "two ranks on node " + std::to_string(node.value), layout_.spec().name);
    }
    return {};
}

Fabric::Shape Fabric::shape_of(const JobSpec& job) const {
    const auto ranks = static_cast<std::uint32_t>(job.rank_nodes.size());
    const auto hops = [&](std::uint32_t a, std::uint32_t b) {
        return layout_.routes().hops(job.rank_nodes[a], job.rank_nodes[b]);
    };
    Shape shape;
    shape.parents = breadth_first_parents(ranks, [&](std::uint32_t a, std::uint32_t b) { return hops(a, b) == 1; });
    bool full = true;
    bool all = true;
    for (std::uint32_t a = 0; a < ranks; ++a) {
        for (std::uint32_t b = a + 1; b < ranks; ++b) {
            full = full && hops(a, b) == 1;
            all = all && layout_.end_towards(job.rank_nodes[a], job.rank_nodes[b]) != nullptr;
        }
    }
    std::set<std::uint32_t> pus;
    for (const NodeId node : job.rank_nodes) pus.insert(pu(node));
    // All but rank 0 have a parent.
    const bool connected = std::count(shape.parents.begin(), shape.parents.end(), DIVISI_NO_RANK) == 1;
    shape.flags = (full ? DIVISI_ABI_FLAG_FULL : 0U) | (connected ? DIVISI_ABI_FLAG_CONNECTED : 0U) |
                  (pus.size() == ranks ? DIVISI_ABI_FLAG_OWN_PUS : 0U) | (all ? DIVISI_ABI_FLAG_ALL : 0U) |
                  (layout_.timed() ? DIVISI_ABI_FLAG_TIMED : 0U);
    return shape;
}

Result<void> Fabric::begin_job(const JobSpec& job) {
    DIVISI_TRY(check_job(job));
    const Shape shape = shape_of(job);
    rank_nodes_ = job.rank_nodes;
    if (layout_.has_bandwidth()) write_map();
    for (std::uint32_t rank = 0; rank < job.rank_nodes.size(); ++rank) {
        write_peers(job, rank, shape);
        write_node_page(job, rank, shape);
    }
    return {};
}

void Fabric::write_node_page(const JobSpec& job, std::uint32_t rank, const Shape& shape) const {
    const NodeId node = job.rank_nodes[rank];
    divisi_node_page page{};
    page.magic = DIVISI_NODE_PAGE_MAGIC;
    page.version = DIVISI_ABI_VERSION;
    page.page_bytes = static_cast<std::uint32_t>(layout_.page_bytes());
    page.window_bytes = window_bytes(node, job.mode);
    page.node = node.value;
    page.nodes = node_count();
    page.rank = rank;
    page.ranks = static_cast<std::uint32_t>(job.rank_nodes.size());
    page.own_nodes = job.own_nodes.empty() ? 1 : job.own_nodes[rank];
    page.mode = to_abi(job.mode);
    const bool on_host = std::find(job.host_ranks.begin(), job.host_ranks.end(), rank) != job.host_ranks.end();
    page.backend = to_abi(on_host ? Backend::kNative : job.backend);
    page.flags = shape.flags;
    page.pu = pu(node);
    page.pu_ranks = static_cast<std::uint32_t>(std::count_if(job.rank_nodes.begin(), job.rank_nodes.end(),
                                                             [&](NodeId other) { return pu(other) == page.pu; }));
    page.ring_bytes = static_cast<std::uint32_t>(ring_bytes());
    page.spin_ns = job.spin_ns == 0 ? kDefaultSpinNs : job.spin_ns;
    const std::size_t shared_bytes = layout_.spec().shared_bytes;
    if (job.mode == Mode::kSharedMemory && shared_bytes != 0) {
        page.shared_offset = page.window_bytes - shared_bytes;
        page.shared_bytes = shared_bytes;
    }
    page.tsc_khz = job.tsc_khz;
    if (!on_host) page.call_address = job.call_address;
    page.peers_offset = sizeof page;
    page.peer_bytes = sizeof(divisi_peer);
    layout_.spec().name.copy(static_cast<char*>(page.name), sizeof page.name - 1);
    page.traffic_offset = layout_.window_traffic();
    page.wait_offset = layout_.window_wait();
    // A host process that copies does so with its user's rights, wherever it is told: nodes do not tell it.
    if (!on_host || job.backend == Backend::kNative) page.loans_offset = layout_.window_loans();
    if (layout_.has_bandwidth()) {
        page.routes_offset = layout_.window_map();
        page.wires_offset = layout_.window_wires();
        page.busy_offset = layout_.window_times();
        page.queue_ns = longest_queue_ns();
        page.wires = layout_.routes().wires();
    }
    std::memcpy(map_.data() + layout_.node_page(node), &page, sizeof page);
}

void Fabric::write_peers(const JobSpec& job, std::uint32_t rank, const Shape& shape) const {
    const NodeId node = job.rank_nodes[rank];
    std::byte* const peers = map_.data() + layout_.node_page(node) + sizeof(divisi_node_page);
    for (std::uint32_t other = 0; other < job.rank_nodes.size(); ++other) {
        const NodeId there = job.rank_nodes[other];
        divisi_peer peer{};
        if (const FabricLayout::End* end = layout_.end_towards(node, there)) {
            const std::uint64_t ring = layout_.channel(end->channel).ring_bytes;
            peer.ring_bytes = static_cast<std::uint32_t>(ring);
            // The first ring of a channel is written by its lower end.
            peer.out_offset = end->window_offset + (end->first ? 0 : ring);
            peer.in_offset = end->window_offset + (end->first ? ring : 0);
            if (layout_.timed())
                layout_.routes().walk(node, there,
                                      [&](std::uint32_t wire) { peer.latency_ns += links()[wire / 2].latency_ns; });
        }
        peer.node = there.value;
        peer.pu = pu(there);
        peer.parent = shape.parents[other];
        peer.hops = layout_.routes().hops(node, there);
        std::memcpy(peers + other * sizeof peer, &peer, sizeof peer);
    }
}

void Fabric::write_map() const {
    const Routes& routes = layout_.routes();
    std::byte* at = map_.data() + layout_.map();
    for (NodeId from{0}; from.value < node_count(); ++from.value) {
        for (NodeId to{0}; to.value < node_count(); ++to.value, at += sizeof(std::uint32_t)) {
            const std::uint32_t wire = routes.next_wire(from, to);
            std::memcpy(at, &wire, sizeof wire);
        }
    }
    at = map_.data() + layout_.map() + (layout_.window_wires() - layout_.window_map());
    for (std::uint32_t wire = 0; wire < routes.wires(); ++wire, at += sizeof(divisi_wire)) {
        const Link& link = links()[wire / 2];
        const std::uint64_t ps_per_byte = link.bandwidth_bits == 0 ? 0 : kPsPerSecond * 8 / link.bandwidth_bits;
        const divisi_wire entry{routes.end_of(wire).value, 0, link.latency_ns, ps_per_byte};
        std::memcpy(at, &entry, sizeof entry);
    }
}

// No more can wait for a wire than what is under way in all rings.
std::uint64_t Fabric::longest_queue_ns() const {
    std::uint64_t slowest = UINT64_MAX;
    for (const Link& link : links())
        if (link.bandwidth_bits != 0) slowest = std::min(slowest, link.bandwidth_bits);
    const std::uint64_t bytes = std::uint64_t{node_count()} * node_count() * ring_bytes();
    return static_cast<std::uint64_t>(static_cast<double>(bytes) * 8e9 / static_cast<double>(slowest));
}

void Fabric::mark_gone(NodeId node) const {
    const auto found = std::find(rank_nodes_.begin(), rank_nodes_.end(), node);
    if (found == rank_nodes_.end()) return;
    const auto rank = static_cast<std::size_t>(found - rank_nodes_.begin());
    for (const NodeId other : rank_nodes_) {
        auto* const peers =
            reinterpret_cast<divisi_peer*>(map_.data() + layout_.node_page(other) + sizeof(divisi_node_page));
        std::atomic_ref(peers[rank].gone).store(1, std::memory_order_seq_cst);
    }
    // ORDER: gone is stored (seq_cst: with a fence on x86) before the sleep words are looked at; a sleeper sets its
    // word before it looks at gone for the last time. Whichever comes first, one of the two sees the other
    // (docs/models/channel.pml). A page that was never touched has no sleeper's word in it yet.
    Touched touched(memory_.get());
    for (const FabricLayout::End& end : layout_.ends(node)) {
        const FabricLayout::Channel& channel = layout_.channel(end.channel);
        for (const std::uint64_t offset : {channel.offset, channel.offset + channel.ring_bytes})
            if (touched(offset)) wake_sleepers(*reinterpret_cast<divisi_ring*>(map_.data() + offset));
    }
}

Traffic Fabric::traffic() const {
    Traffic traffic;
    const auto ranks = static_cast<std::uint32_t>(rank_nodes_.size());
    constexpr std::uint32_t kEntriesPerPage = DIVISI_PAGE_BYTES / sizeof(divisi_traffic);
    for (std::uint32_t from = 0; from < ranks; ++from) {
        Touched touched(memory_.get());
        const std::uint64_t table = layout_.traffic(rank_nodes_[from]);
        for (std::uint32_t to = 0; to < ranks; ++to) {
            if (to % kEntriesPerPage == 0 && !touched(table + to * sizeof(divisi_traffic))) {
                to += kEntriesPerPage - 1;
                continue;
            }
            // SAFETY: the rank writes here what it likes; two whole words are read, shown, and added up.
            auto& entry = reinterpret_cast<divisi_traffic*>(map_.data() + table)[to];
            const Flow flow{from, to, std::atomic_ref(entry.messages).load(std::memory_order_relaxed),
                            std::atomic_ref(entry.bytes).load(std::memory_order_relaxed)};
            if (flow.messages != 0) traffic.flows.push_back(flow);
        }
    }
    count_on_links(traffic);
    return traffic;
}

Wait Fabric::wait_of(std::uint32_t rank) const {
    divisi_wait record{};
    // SAFETY: the rank writes here what it likes, at any time: copied once, and looked at in the copy.
    std::memcpy(&record, map_.data() + layout_.wait(rank_nodes_[rank]), sizeof record);
    return read_wait(record, static_cast<std::uint32_t>(rank_nodes_.size()));
}

std::optional<Borrowed> Fabric::borrow(std::uint32_t owner, std::uint32_t loan, std::uint32_t borrower) const {
    if (owner >= rank_nodes_.size() || loan >= DIVISI_LOANS) return std::nullopt;
    const std::uint64_t at = layout_.loans(rank_nodes_[owner]) + loan * sizeof(divisi_loan);
    return Borrowed::take(*reinterpret_cast<divisi_loan*>(map_.data() + at), borrower);
}

void Fabric::count_on_links(Traffic& traffic) const {
    for (const Link& link : links()) traffic.links.push_back({link.a, link.b, 0, 0});
    for (const Flow& flow : traffic.flows) {
        layout_.routes().walk(rank_nodes_[flow.from], rank_nodes_[flow.to], [&](std::uint32_t wire) {
            traffic.links[wire / 2].messages += flow.messages;
            traffic.links[wire / 2].bytes += flow.bytes;
        });
    }
}

Result<void> Fabric::reset() {
    if (::fallocate(memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(map_.size())) != 0)
        return system_error(errno, "cannot give back the pages of the fabric", layout_.spec().name);
    return {};
}

}  // namespace divisi::shm
