#include "shm/routes.hpp"

#include <gtest/gtest.h>

namespace divisi::shm {
namespace {

// Neighbours along every side; numbered line by line, the last side varying fastest.
std::vector<Link> grid(const std::vector<std::uint32_t>& sides, bool wrap) {
    std::uint32_t nodes = 1;
    for (const std::uint32_t side : sides) nodes *= side;
    std::vector<Link> links;
    std::uint32_t stride = nodes;
    for (const std::uint32_t side : sides) {
        stride /= side;
        for (std::uint32_t node = 0; node < nodes; ++node) {
            const std::uint32_t at = node / stride % side;
            if (at + 1 < side) links.push_back({NodeId{node}, NodeId{node + stride}});
            if (wrap && at == 0 && side > 2) links.push_back({NodeId{node}, NodeId{node + (side - 1) * stride}});
        }
    }
    return links;
}

std::vector<std::uint32_t> way(const Routes& routes, std::uint32_t from, std::uint32_t to) {
    std::vector<std::uint32_t> nodes{from};
    routes.walk(NodeId{from}, NodeId{to}, [&](std::uint32_t wire) { nodes.push_back(routes.end_of(wire).value); });
    return nodes;
}

using Way = std::vector<std::uint32_t>;

TEST(Routes, CorrectTheLastDimensionOfAMeshFirst) {
    const Routes routes(12, grid({3, 4}, false));
    EXPECT_EQ(way(routes, 0, 11), (Way{0, 1, 2, 3, 7, 11}));
    EXPECT_EQ(way(routes, 11, 0), (Way{11, 10, 9, 8, 4, 0}));
}

TEST(Routes, TakeTheShorterWayRoundATorus) {
    const Routes routes(32, grid({4, 8}, true));
    EXPECT_EQ(way(routes, 0, 6), (Way{0, 7, 6}));
    EXPECT_EQ(way(routes, 0, 31), (Way{0, 7, 31}));
    EXPECT_EQ(routes.hops(NodeId{0}, NodeId{20}), 6U) << "the diameter";
}

TEST(Routes, CorrectTheLowestBitOfAHypercubeFirst) {
    const Routes routes(16, grid({2, 2, 2, 2}, false));
    EXPECT_EQ(way(routes, 0, 13), (Way{0, 1, 5, 13}));
    EXPECT_EQ(way(routes, 13, 0), (Way{13, 12, 8, 0}));
}

TEST(Routes, GoUpAndDownATree) {
    std::vector<Link> links;
    for (std::uint32_t node = 1; node < 7; ++node) links.push_back({NodeId{(node - 1) / 2}, NodeId{node}});
    EXPECT_EQ(way(Routes(7, links), 3, 6), (Way{3, 1, 0, 2, 6}));
}

TEST(Routes, AreShortestBetweenAllPairs) {
    const Routes routes(60, grid({3, 4, 5}, true));
    for (std::uint32_t from = 0; from < 60; ++from)
        for (std::uint32_t to = 0; to < 60; ++to)
            EXPECT_EQ(way(routes, from, to).size(), routes.hops(NodeId{from}, NodeId{to}) + 1);
}

TEST(Routes, EndWhereNoWayLeads) {
    const Routes routes(3, {{NodeId{0}, NodeId{1}}});
    EXPECT_EQ(routes.hops(NodeId{0}, NodeId{2}), 0U);
    EXPECT_EQ(routes.next_wire(NodeId{0}, NodeId{2}), Routes::kNoWire);
    EXPECT_EQ(way(routes, 0, 2), (Way{0}));
}

TEST(Routes, AreFoundOnTheLargestFullGraph) {
    std::vector<Link> links;
    for (std::uint32_t a = 0; a < 1024; ++a)
        for (std::uint32_t b = a + 1; b < 1024; ++b) links.push_back({NodeId{a}, NodeId{b}});
    const Routes routes(1024, links);
    EXPECT_EQ(way(routes, 1023, 0), (Way{1023, 0}));
}

}  // namespace
}  // namespace divisi::shm
