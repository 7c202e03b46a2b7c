// The interconnect: which nodes are joined by a link, and what the resulting graph is like.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"

namespace divisi::partitioner {

// A full graph of this many nodes has half a million links; more than that is a data centre, not a chip.
inline constexpr std::uint32_t kMaxNodes = 1024;
inline constexpr std::size_t kMaxDimensions = 8;

enum class Shape : std::uint8_t { kFull, kRing, kMesh, kTorus, kHypercube, kStar, kTree, kList };

[[nodiscard]] std::string_view to_string(Shape shape) noexcept;

// An undirected link; a < b always.
struct Link {
    NodeId a;
    NodeId b;
    auto operator<=>(const Link&) const = default;
};

// What the fabric adds to a message on each hop. Zero means: nothing but what the implementation itself costs.
struct LinkModel {
    std::chrono::nanoseconds latency{0};
    std::uint64_t bandwidth = 0;  // bits per second, 0: as fast as it goes
    bool operator==(const LinkModel&) const = default;
};

struct Interconnect {
    Shape shape = Shape::kFull;
    std::vector<std::uint32_t> dimensions;  // mesh and torus, the last one varying fastest; empty: near-square
    std::vector<Link> links;                // kList only
    LinkModel link;
};

// Why `interconnect` cannot join `nodes` nodes: the key at fault ("dimensions", "shape", "links"), problem, way out.
struct InterconnectFault {
    std::string_view key;
    std::string problem;
    std::string way_out;
    std::optional<std::size_t> link;  // "links": the index of the one at fault
};
std::optional<InterconnectFault> check(const Interconnect& interconnect, std::uint32_t nodes);

// The dimensions given, or the most nearly square pair whose product is `nodes`. Empty for shapes that have none.
std::vector<std::uint32_t> dimensions_of(const Interconnect& interconnect, std::uint32_t nodes);

// The links of a shape over nodes 0 … nodes-1, sorted, each once. Node 0 is the hub of a star and the root of a tree
// (binary, heap order). Precondition: `check` found no fault.
std::vector<Link> make_links(const Interconnect& interconnect, std::uint32_t nodes);

struct Metrics {
    std::uint32_t links = 0;
    std::optional<std::uint32_t> diameter;  // hops between the two nodes farthest apart; absent if some are unreachable
    std::uint32_t min_degree = 0;           // links of the node that has fewest, most
    std::uint32_t max_degree = 0;
    bool operator==(const Metrics&) const = default;
};
Metrics measure(const std::vector<Link>& links, std::uint32_t nodes);

// The shape that has exactly these (sorted) links, with its dimensions; kList where none has.
Interconnect recognize(const std::vector<Link>& links, std::uint32_t nodes);

}  // namespace divisi::partitioner
