#include "partitioner/draw.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "tests/unit/partitioner/testing.hpp"

namespace divisi::partitioner {
namespace {

using testing::HasSubstr;

std::string with_shape(std::string_view shape, int nodes) {
    return "nodes: {count: " + std::to_string(nodes) + "}\ninterconnect: {shape: " + std::string(shape) + "}\n";
}

TEST(Draw, ShowsPusAsBoxesWithTheirNodes) {
    EXPECT_EQ(draw(plan("nodes: {per-core: 2}\ninterconnect: {shape: ring}\n", "synthetic:core:2 pu:1")),
              "test: 4 nodes on 2 cores, message-passing, 64MiB a node\n"
              "\n"
              "┌ core 0 · PU 0 (OS 0) ─┐ ┌ core 1 · PU 1 (OS 1) ─┐\n"
              "│ 0 1                   │ │ 2 3                   │\n"
              "└───────────────────────┘ └───────────────────────┘\n"
              "\n"
              "interconnect: ring, 4 links (2 a node), diameter 2\n"
              "\n"
              "  ╭─ 0 ── 1 ─╮\n"
              "  ╰─ 3 ── 2 ─╯\n");
}

TEST(Draw, ShowsAMeshAsAGrid) {
    EXPECT_THAT(draw(plan(with_shape("mesh", 4), "synthetic:pu:1")), HasSubstr("  0 ── 1\n  │    │\n  2 ── 3\n"));
}

TEST(Draw, ShowsATreeFromItsRoot) {
    EXPECT_THAT(draw(plan(with_shape("tree", 5), "synthetic:pu:1")), HasSubstr("          0\n"
                                                                               "      ┌───┴───┐\n"
                                                                               "      1       2\n"
                                                                               "    ┌─┴─┐\n"
                                                                               "    3   4\n"));
}

TEST(Draw, GroupsPusByNumaNode) {
    const std::string text = draw(plan("nodes: {per-core: 1}\n", data_file("machines/numa.xml")));
    EXPECT_THAT(text, HasSubstr("NUMA node 0\n"));
    EXPECT_THAT(text, HasSubstr("NUMA node 1\n"));
}

TEST(Draw, TellsTheLinkModelAndTheSharedMemory) {
    const std::string text =
        draw(plan("mode: shared-memory\nnodes: {count: 4}\ninterconnect: {link: {latency: 2us, bandwidth: 10Gbit/s}}\n",
                  "synthetic:pu:1"));
    EXPECT_THAT(text, HasSubstr("1GiB shared"));
    EXPECT_THAT(text, HasSubstr("2us a hop, 10Gbit/s a link"));
}

// Every shape, from one node to the most there can be: no crash, and lines that fit a wide terminal.
TEST(Draw, FitsThePageForEveryShapeAndSize) {
    for (const char* shape : {"full", "ring", "mesh", "torus", "hypercube", "star", "tree"}) {
        for (const int nodes : {1, 2, 3, 4, 5, 8, 15, 16, 31, 32, 64, 97, 256, 1024}) {
            if (std::string_view(shape) == "hypercube" && (nodes & (nodes - 1)) != 0) continue;
            std::istringstream lines(draw(plan(with_shape(shape, nodes), "synthetic:pack:2 core:3 pu:2")));
            for (std::string line; std::getline(lines, line);) {
                const auto columns = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
                EXPECT_LE(columns, 100) << shape << " " << nodes << ": " << line;
            }
        }
    }
}

TEST(Draw, ShowsPlanesAndLists) {
    EXPECT_THAT(draw(plan("nodes: {count: 8}\ninterconnect: {shape: mesh, dimensions: [2, 2, 2]}\n", "synthetic:pu:1")),
                HasSubstr("1 more such planes"));
    EXPECT_THAT(
        draw(plan("nodes: {count: 3}\ninterconnect: {shape: list, links: [[0, 1], [1, 2]]}\n", "synthetic:pu:1")),
        HasSubstr("  1 ── 0 2\n"));
}

}  // namespace
}  // namespace divisi::partitioner
