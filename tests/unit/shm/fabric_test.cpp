#include "shm/fabric.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <map>
#include <set>

#include "shm/abi/node_page.h"

namespace divisi::shm {
namespace {

using testing::HasSubstr;

FabricSpec full(std::uint32_t nodes) {
    FabricSpec spec;
    spec.name = "test";
    for (std::uint32_t a = 0; a < nodes; ++a) {
        spec.pus.push_back(a % 2);
        for (std::uint32_t b = a + 1; b < nodes; ++b) spec.links.push_back({NodeId{a}, NodeId{b}});
    }
    return spec;
}

FabricSpec chain(std::uint32_t nodes) {
    FabricSpec spec;
    spec.name = "chain";
    spec.pus.resize(nodes);
    for (std::uint32_t a = 0; a + 1 < nodes; ++a) spec.links.push_back({NodeId{a + 1}, NodeId{a}});
    return spec;
}

JobSpec job_on_all(std::uint32_t nodes) {
    JobSpec job;
    for (std::uint32_t node = 0; node < nodes; ++node) job.rank_nodes.push_back(NodeId{node});
    return job;
}

// A node's window, mapped as a node would have it.
struct Window {
    Window(const Fabric& fabric, NodeId node, Mode mode)
        : map(*Mapping::reserve(fabric.window_bytes(node, mode), DIVISI_PAGE_BYTES)) {
        std::size_t at = 0;
        for (const WindowPiece& piece : fabric.window(node, mode)) {
            const int protection = piece.writable ? PROT_READ | PROT_WRITE : PROT_READ;
            EXPECT_TRUE(map.overlay(at, piece.fd, piece.offset, piece.size_bytes, protection));
            at += piece.size_bytes;
        }
        EXPECT_EQ(at, map.size());
    }

    [[nodiscard]] const divisi_node_page& page() const { return *reinterpret_cast<divisi_node_page*>(map.data()); }
    [[nodiscard]] const divisi_peer& peer(std::uint32_t rank) const {
        return reinterpret_cast<divisi_peer*>(map.data() + page().peers_offset)[rank];
    }
    [[nodiscard]] divisi_ring& ring(std::uint64_t offset) const {
        return *reinterpret_cast<divisi_ring*>(map.data() + offset);
    }

    Mapping map;
};

std::string error_of(const FabricSpec& spec) {
    const auto fabric = Fabric::create(spec);
    return fabric ? "" : fabric.error().message();
}

TEST(Fabric, RefusesLinksThatCannotBe) {
    auto spec = full(3);
    spec.links.push_back({NodeId{2}, NodeId{1}});
    EXPECT_THAT(error_of(spec), HasSubstr("link 2-1: stands there twice"));
    spec = full(3);
    spec.links.push_back({NodeId{1}, NodeId{1}});
    EXPECT_THAT(error_of(spec), HasSubstr("link 1-1: joins a node to itself"));
    spec = full(3);
    spec.links.push_back({NodeId{1}, NodeId{3}});
    EXPECT_THAT(error_of(spec), HasSubstr("not in the topology"));
}

TEST(Fabric, RefusesSizesThatCannotBe) {
    EXPECT_THAT(error_of(FabricSpec{}), HasSubstr("1 to 1024 nodes"));
    auto spec = full(2);
    spec.ring_bytes = 12288;
    EXPECT_THAT(error_of(spec), HasSubstr("power of two"));
    spec.ring_bytes = 4096;
    EXPECT_THAT(error_of(spec), HasSubstr("power of two"));
}

TEST(Fabric, Of32FullyConnectedNodesStaysUnder64MiB) {
    const auto fabric = Fabric::create(full(32));
    ASSERT_TRUE(fabric);
    EXPECT_LT(fabric->size_bytes(), 64U << 20U);
}

TEST(Fabric, TakesNoMemoryBeforeItIsUsed) {
    const auto fabric = Fabric::create(full(32));
    ASSERT_TRUE(fabric);
    struct stat status {};
    ASSERT_EQ(::fstat(fabric->fd(), &status), 0);
    EXPECT_EQ(status.st_blocks, 0);
}

TEST(Fabric, LeadsFromEveryNodeToEveryOtherUpTo256) {
    for (const std::uint32_t nodes : {256U, 257U}) {
        const auto layout = FabricLayout::create(chain(nodes));
        ASSERT_TRUE(layout);
        EXPECT_NE(layout->end_towards(NodeId{7}, NodeId{8}), nullptr);
        EXPECT_EQ(layout->end_towards(NodeId{0}, NodeId{nodes - 1}) != nullptr, nodes <= 256);
    }
}

TEST(Fabric, TellsEveryRankWhoItIs) {
    auto fabric = Fabric::create(full(4));
    ASSERT_TRUE(fabric);
    auto job = job_on_all(4);
    job.rank_nodes = {NodeId{3}, NodeId{1}};
    job.tsc_khz = 77;
    job.backend = Backend::kKvm;
    ASSERT_TRUE(fabric->begin_job(job));
    const Window window(*fabric, NodeId{3}, Mode::kMessagePassing);
    const auto& page = window.page();
    EXPECT_EQ(page.magic, DIVISI_NODE_PAGE_MAGIC);
    EXPECT_EQ(page.version, DIVISI_ABI_VERSION);
    EXPECT_EQ(page.rank, 0U);
    EXPECT_EQ(page.ranks, 2U);
    EXPECT_EQ(page.node, 3U);
    EXPECT_EQ(page.nodes, 4U);
    EXPECT_EQ(page.pu, 1U);
    EXPECT_EQ(page.pu_ranks, 2U) << "nodes 1 and 3 share PU 1";
    EXPECT_EQ(page.backend, DIVISI_ABI_BACKEND_KVM);
    EXPECT_EQ(page.mode, DIVISI_ABI_MODE_MESSAGE_PASSING);
    EXPECT_EQ(page.flags, DIVISI_ABI_FLAG_FULL | DIVISI_ABI_FLAG_CONNECTED | DIVISI_ABI_FLAG_ALL);
    EXPECT_EQ(page.tsc_khz, 77U);
    EXPECT_STREQ(static_cast<const char*>(page.name), "test");
    EXPECT_EQ(page.window_bytes, window.map.size());
    EXPECT_EQ(window.peer(1).node, 1U);
    EXPECT_EQ(window.peer(1).pu, 1U);
    EXPECT_NE(window.peer(1).out_offset, 0U);
    EXPECT_EQ(window.peer(1).hops, 1U);
    EXPECT_EQ(window.peer(0).out_offset, 0U) << "no link to itself";
    EXPECT_EQ(window.peer(0).hops, 0U);
}

TEST(Fabric, WindowOfANodeHoldsItsOwnChannelsOnly) {
    const auto fabric = Fabric::create(full(6));
    ASSERT_TRUE(fabric);
    // How many windows each page lies in: node pages and tables of traffic in one, channels in two.
    std::map<std::uint64_t, int> seen;
    for (std::uint32_t node = 0; node < 6; ++node)
        for (const WindowPiece& piece : fabric->window(NodeId{node}, Mode::kMessagePassing))
            for (std::size_t at = 0; at < piece.size_bytes; at += DIVISI_PAGE_BYTES)
                seen[piece.offset + at] += piece.writable ? 1 : 10;
    std::map<int, std::size_t> pages;
    for (const auto& [page, windows] : seen) ++pages[windows];
    EXPECT_EQ(pages.size(), 3U);
    EXPECT_EQ(pages[10], 6U);
    EXPECT_EQ(pages[1], 6U);
    EXPECT_EQ(pages[2] * DIVISI_PAGE_BYTES, 15 * 2 * fabric->ring_bytes());
}

TEST(Fabric, RingsOfAChannelMeetAtBothEnds) {
    auto fabric = Fabric::create(full(5));
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(5)));
    std::vector<Window> windows;
    for (std::uint32_t node = 0; node < 5; ++node) windows.emplace_back(*fabric, NodeId{node}, Mode::kMessagePassing);
    for (std::uint32_t from = 0; from < 5; ++from)
        for (std::uint32_t to = 0; to < 5; ++to)
            if (from != to) windows[from].ring(windows[from].peer(to).out_offset).signal = 100 * from + to;
    for (std::uint32_t from = 0; from < 5; ++from)
        for (std::uint32_t to = 0; to < 5; ++to)
            if (from != to) {
                EXPECT_EQ(windows[to].ring(windows[to].peer(from).in_offset).signal, 100 * from + to);
            }
}

TEST(Fabric, WindowIsFewPieces) {
    const auto fabric = Fabric::create(full(32));
    ASSERT_TRUE(fabric);
    std::size_t pieces = 0;
    for (std::uint32_t node = 0; node < 32; ++node)
        pieces += fabric->window(NodeId{node}, Mode::kMessagePassing).size();
    EXPECT_LE(pieces, 32U + 32U + 496U + 31U);
}

TEST(Fabric, SharedRegionIsSeenInSharedMemoryModeOnly) {
    auto spec = chain(2);
    spec.shared_bytes = 5000;
    auto fabric = Fabric::create(spec);
    ASSERT_TRUE(fabric);
    auto job = job_on_all(2);
    ASSERT_TRUE(fabric->begin_job(job));
    EXPECT_EQ(Window(*fabric, NodeId{0}, Mode::kMessagePassing).page().shared_bytes, 0U);

    job.mode = Mode::kSharedMemory;
    ASSERT_TRUE(fabric->begin_job(job));
    const Window first(*fabric, NodeId{0}, Mode::kSharedMemory);
    const Window second(*fabric, NodeId{1}, Mode::kSharedMemory);
    EXPECT_EQ(first.page().shared_bytes, 8192U) << "whole pages";
    first.map.data()[first.page().shared_offset + 8191] = std::byte{9};
    EXPECT_EQ(second.map.data()[second.page().shared_offset + 8191], std::byte{9});
}

TEST(Fabric, TreeLeadsFromEveryRankToTheFirst) {
    auto fabric = Fabric::create(chain(5));
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(5)));
    const Window window(*fabric, NodeId{2}, Mode::kMessagePassing);
    EXPECT_EQ(window.page().flags, DIVISI_ABI_FLAG_CONNECTED | DIVISI_ABI_FLAG_ALL);
    EXPECT_EQ(window.peer(0).parent, DIVISI_NO_RANK);
    for (std::uint32_t rank = 1; rank < 5; ++rank) EXPECT_EQ(window.peer(rank).parent, rank - 1);
}

// The fabric is hardware: a node on the way needs no rank.
TEST(Fabric, RoutesLeadOverNodesWithoutARank) {
    auto fabric = Fabric::create(chain(5));
    ASSERT_TRUE(fabric);
    auto job = job_on_all(0);
    job.rank_nodes = {NodeId{0}, NodeId{1}, NodeId{3}};
    ASSERT_TRUE(fabric->begin_job(job));
    const Window window(*fabric, NodeId{0}, Mode::kMessagePassing);
    EXPECT_EQ(window.page().flags, DIVISI_ABI_FLAG_ALL);
    EXPECT_EQ(window.peer(2).parent, DIVISI_NO_RANK) << "no path of links between ranks";
    EXPECT_EQ(window.peer(2).hops, 3U);
    EXPECT_NE(window.peer(2).out_offset, 0U);
}

TEST(Fabric, SaysWhenNoWayLeadsToARank) {
    auto spec = chain(5);
    spec.links.pop_back();
    auto fabric = Fabric::create(spec);
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(5)));
    const Window window(*fabric, NodeId{0}, Mode::kMessagePassing);
    EXPECT_EQ(window.page().flags, 0U);
    EXPECT_EQ(window.peer(4).out_offset, 0U);
    EXPECT_EQ(window.peer(4).hops, 0U);
    EXPECT_EQ(window.peer(3).hops, 3U);
}

// What routes cost is taken on first use, and bounded.
TEST(Fabric, RoutesOfARingOf32TakeNoMemoryBeforeTheyAreUsedAndLittleAtMost) {
    auto spec = chain(32);
    spec.links.push_back({NodeId{0}, NodeId{31}});
    auto fabric = Fabric::create(spec);
    ASSERT_TRUE(fabric);
    EXPECT_LT(fabric->size_bytes(), 64U << 20U);
    ASSERT_TRUE(fabric->begin_job(job_on_all(32)));
    struct stat status {};
    ASSERT_EQ(::fstat(fabric->fd(), &status), 0);
    EXPECT_EQ(status.st_blocks * 512, 32 * DIVISI_PAGE_BYTES) << "the node pages";
    const Window window(*fabric, NodeId{0}, Mode::kMessagePassing);
    EXPECT_EQ(window.peer(16).hops, 16U);
    EXPECT_LT(window.peer(16).ring_bytes, window.peer(1).ring_bytes);
}

TEST(Fabric, CountsTrafficByRanksAndByTheLinksOnTheWay) {
    auto fabric = Fabric::create(chain(4));
    ASSERT_TRUE(fabric);
    auto job = job_on_all(0);
    job.rank_nodes = {NodeId{3}, NodeId{0}, NodeId{1}};
    ASSERT_TRUE(fabric->begin_job(job));
    EXPECT_TRUE(fabric->traffic().flows.empty());
    const auto count = [&](NodeId node, std::uint32_t to, divisi_traffic what) {
        const Window window(*fabric, node, Mode::kMessagePassing);
        reinterpret_cast<divisi_traffic*>(window.map.data() + window.page().traffic_offset)[to] = what;
    };
    count(NodeId{3}, 1, {5, 100});
    count(NodeId{0}, 2, {1, 7});
    const Traffic traffic = fabric->traffic();
    ASSERT_EQ(traffic.flows.size(), 2U);
    EXPECT_EQ(traffic.flows[0].from, 0U);
    EXPECT_EQ(traffic.flows[0].to, 1U);
    EXPECT_EQ(traffic.flows[0].messages, 5U);
    EXPECT_EQ(traffic.flows[1].from, 1U);
    ASSERT_EQ(traffic.links.size(), 3U);
    EXPECT_EQ(traffic.links[0].bytes, 107U) << "link 0-1";
    EXPECT_EQ(traffic.links[1].bytes, 100U) << "link 1-2";
    EXPECT_EQ(traffic.links[2].messages, 5U) << "link 2-3";
}

TEST(Fabric, TellsOfTheTimeThatLinksTake) {
    auto spec = chain(3);
    for (Link& link : spec.links) link.latency_ns = 2000;
    auto fabric = Fabric::create(spec);
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(3)));
    const Window window(*fabric, NodeId{0}, Mode::kMessagePassing);
    EXPECT_NE(window.page().flags & DIVISI_ABI_FLAG_TIMED, 0U);
    EXPECT_EQ(window.page().routes_offset, 0U) << "no bandwidth to share";
    EXPECT_EQ(window.peer(2).latency_ns, 4000U);
}

TEST(Fabric, MapsTheInterconnectWhereLinksHaveABandwidth) {
    auto spec = chain(3);
    for (Link& link : spec.links) link.bandwidth_bits = 8'000'000'000;
    auto fabric = Fabric::create(spec);
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(3)));
    const Window window(*fabric, NodeId{2}, Mode::kMessagePassing);
    const auto& page = window.page();
    ASSERT_EQ(page.wires, 4U);
    const auto* routes = reinterpret_cast<const std::uint32_t*>(window.map.data() + page.routes_offset);
    const auto* wires = reinterpret_cast<const divisi_wire*>(window.map.data() + page.wires_offset);
    EXPECT_EQ(routes[2 * 3 + 0], 3U) << "from 2 to 0: back over link 1";
    EXPECT_EQ(routes[1 * 3 + 0], 1U);
    EXPECT_EQ(routes[0], DIVISI_NO_WIRE);
    EXPECT_EQ(wires[3].to, 1U);
    EXPECT_EQ(wires[3].ps_per_byte, 1000U);
    EXPECT_GT(page.queue_ns, 0U);
    // All nodes write the same table of times.
    const Window other(*fabric, NodeId{0}, Mode::kMessagePassing);
    *reinterpret_cast<std::uint64_t*>(window.map.data() + page.busy_offset) = 77;
    EXPECT_EQ(*reinterpret_cast<std::uint64_t*>(other.map.data() + other.page().busy_offset), 77U);
}

TEST(Fabric, RefusesRanksItHasNoNodesFor) {
    auto fabric = Fabric::create(full(2));
    ASSERT_TRUE(fabric);
    EXPECT_THAT(fabric->begin_job(job_on_all(3)).error().message(), HasSubstr("3 ranks on 2 nodes"));
    EXPECT_THAT(fabric->begin_job(job_on_all(0)).error().message(), HasSubstr("0 ranks"));
    auto job = job_on_all(2);
    job.rank_nodes = {NodeId{1}, NodeId{1}};
    EXPECT_THAT(fabric->begin_job(job).error().message(), HasSubstr("two ranks on node 1"));
    job.rank_nodes = {NodeId{1}, NodeId{2}};
    EXPECT_THAT(fabric->begin_job(job).error().message(), HasSubstr("no node 2"));
    job = job_on_all(2);
    job.own_nodes = {1};
    EXPECT_FALSE(fabric->begin_job(job));
}

TEST(Fabric, GivesBackAllPagesBetweenJobs) {
    auto fabric = Fabric::create(full(3));
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(3)));
    const Window window(*fabric, NodeId{0}, Mode::kMessagePassing);
    const auto offset = window.peer(1).out_offset;
    window.ring(offset).signal = 7;
    ASSERT_TRUE(fabric->reset());
    struct stat status {};
    ASSERT_EQ(::fstat(fabric->fd(), &status), 0);
    EXPECT_EQ(status.st_blocks, 0);
    EXPECT_EQ(window.page().magic, 0U);
    EXPECT_EQ(window.ring(offset).signal, 0U);
}

TEST(Fabric, TellsPeersThatANodeIsGone) {
    auto fabric = Fabric::create(full(3));
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(3)));
    fabric->mark_gone(NodeId{1});
    const Window window(*fabric, NodeId{0}, Mode::kMessagePassing);
    EXPECT_EQ(window.peer(0).gone, 0U);
    EXPECT_EQ(window.peer(1).gone, 1U);
    EXPECT_EQ(window.peer(2).gone, 0U);
}

TEST(Fabric, ClearsTheSleepWordsOfThoseWhoWaitForANodeThatGoes) {
    auto fabric = Fabric::create(full(3));
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(3)));
    const Window window(*fabric, NodeId{0}, Mode::kMessagePassing);
    for (const std::uint32_t rank : {1U, 2U}) {
        window.ring(window.peer(rank).in_offset).data_sleep = 1;
        window.ring(window.peer(rank).out_offset).space_sleep = 1;
    }
    fabric->mark_gone(NodeId{1});
    EXPECT_EQ(window.ring(window.peer(1).in_offset).data_sleep, 0U);
    EXPECT_EQ(window.ring(window.peer(1).out_offset).space_sleep, 0U);
    EXPECT_EQ(window.ring(window.peer(2).in_offset).data_sleep, 1U);
    EXPECT_EQ(window.ring(window.peer(2).out_offset).space_sleep, 1U);
}

TEST(Fabric, TakesNoMemoryToSayThatNodesAreGone) {
    auto fabric = Fabric::create(full(8));
    ASSERT_TRUE(fabric);
    ASSERT_TRUE(fabric->begin_job(job_on_all(8)));
    for (std::uint32_t node = 0; node < 8; ++node) fabric->mark_gone(NodeId{node});
    struct stat status {};
    ASSERT_EQ(::fstat(fabric->fd(), &status), 0);
    EXPECT_EQ(status.st_blocks * 512, 8 * DIVISI_PAGE_BYTES) << "the node pages, and no ring";
}

}  // namespace
}  // namespace divisi::shm
