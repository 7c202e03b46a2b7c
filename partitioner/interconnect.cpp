#include "partitioner/interconnect.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <set>
#include <utility>

#include "partitioner/words.hpp"

namespace divisi::partitioner {
namespace {

Link link(std::uint32_t a, std::uint32_t b) {
    return a < b ? Link{{a}, {b}} : Link{{b}, {a}};
}

std::uint64_t product(const std::vector<std::uint32_t>& sides) {
    std::uint64_t result = 1;
    for (const std::uint32_t side : sides) {
        result *= side;
        if (result > kMaxNodes) return kMaxNodes + 1;
    }
    return result;
}

// Neighbours along each dimension; `wrap` joins the two ends of each line. The caller removes duplicates: on a side of
// two, the wire around the back joins the same two nodes again.
void add_grid(std::vector<Link>& links, const std::vector<std::uint32_t>& sides, std::uint32_t nodes, bool wrap) {
    std::uint32_t stride = nodes;
    for (const std::uint32_t side : sides) {
        stride /= side;
        for (std::uint32_t node = 0; node < nodes; ++node) {
            const std::uint32_t at = node / stride % side;
            if (at + 1 < side) links.push_back(link(node, node + stride));
            if (wrap && at + 1 == side && side > 1) links.push_back(link(node, node - at * stride));
        }
    }
}

void add_hypercube(std::vector<Link>& links, std::uint32_t nodes) {
    for (std::uint32_t node = 0; node < nodes; ++node)
        for (std::uint32_t bit = 1; bit < nodes; bit <<= 1U)
            if ((node & bit) == 0) links.push_back(link(node, node | bit));
}

void add_full(std::vector<Link>& links, std::uint32_t nodes) {
    for (std::uint32_t a = 0; a < nodes; ++a)
        for (std::uint32_t b = a + 1; b < nodes; ++b) links.push_back(link(a, b));
}

using NodeSet = std::bitset<kMaxNodes>;

std::vector<NodeSet> neighbours(const std::vector<Link>& links, std::uint32_t nodes) {
    std::vector<NodeSet> sets(nodes);
    for (const Link& each : links) {
        sets.at(each.a.value).set(each.b.value);
        sets.at(each.b.value).set(each.a.value);
    }
    return sets;
}

// Breadth first, a whole frontier at a time: the farthest node's distance, and who was reached.
std::pair<std::uint32_t, NodeSet> explore(const std::vector<NodeSet>& adjacent, std::uint32_t from) {
    NodeSet reached;
    NodeSet frontier;
    reached.set(from);
    frontier.set(from);
    for (std::uint32_t hops = 0;; ++hops) {
        NodeSet next;
        // libstdc++'s own way from one set bit to the next: testing all bits made a long ring take a second.
        for (std::size_t node = frontier._Find_first(); node < adjacent.size(); node = frontier._Find_next(node))
            next |= adjacent[node];
        frontier = next & ~reached;
        if (frontier.none()) return {hops, reached};
        reached |= frontier;
    }
}

InterconnectFault dimensions_fault(std::string problem, std::string way_out = {}) {
    return {"dimensions", std::move(problem), std::move(way_out), std::nullopt};
}

std::optional<InterconnectFault> check_dimensions(const Interconnect& interconnect, std::uint32_t nodes) {
    const bool grid = interconnect.shape == Shape::kMesh || interconnect.shape == Shape::kTorus;
    const auto& sides = interconnect.dimensions;
    if (sides.empty()) return std::nullopt;
    if (!grid)
        return dimensions_fault(fmt::format("a {} has no dimensions", to_string(interconnect.shape)),
                                "remove them, or use shape mesh or torus");
    if (product(sides) != nodes)
        return dimensions_fault(fmt::format("{} is not {} nodes", fmt::join(sides, " x "), nodes),
                                fmt::format("their product must be the number of nodes; for example [{}]",
                                            fmt::join(dimensions_of({interconnect.shape, {}, {}, {}}, nodes), ", ")));
    return std::nullopt;
}

std::optional<InterconnectFault> check_list(const Interconnect& interconnect, std::uint32_t nodes) {
    std::set<Link> seen;
    for (std::size_t i = 0; i < interconnect.links.size(); ++i) {
        const Link& each = interconnect.links[i];
        const auto fault = [&](std::string problem, std::string way_out) {
            return InterconnectFault{"links", fmt::format("link [{}, {}]: {}", each.a.value, each.b.value, problem),
                                     std::move(way_out), i};
        };
        if (each.b.value >= nodes)
            return fault(fmt::format("there is no node {}", each.b.value), fmt::format("nodes are 0 to {}", nodes - 1));
        if (each.a == each.b) return fault("a node is not linked to itself", "remove this link");
        if (!seen.insert(each).second) return fault("this link is there already", "links go both ways: list each once");
    }
    const NodeSet reached = explore(neighbours(interconnect.links, nodes), 0).second;
    for (std::uint32_t node = 0; node < nodes; ++node)
        if (!reached.test(node))
            return InterconnectFault{"links", fmt::format("no way leads from node 0 to node {}", node),
                                     "add links until every node can be reached", std::nullopt};
    return std::nullopt;
}

}  // namespace

std::string_view to_string(Shape shape) noexcept {
    return name_of(shape, kShapes);
}

std::optional<InterconnectFault> check(const Interconnect& interconnect, std::uint32_t nodes) {
    if (auto fault = check_dimensions(interconnect, nodes)) return fault;
    if (interconnect.shape == Shape::kHypercube && !std::has_single_bit(nodes))
        return InterconnectFault{"shape", fmt::format("a hypercube of {} nodes does not exist", nodes),
                                 fmt::format("the number of nodes must be a power of two: {} or {}",
                                             std::bit_floor(nodes), std::bit_ceil(nodes)),
                                 std::nullopt};
    if (interconnect.shape == Shape::kList) return check_list(interconnect, nodes);
    return std::nullopt;
}

std::vector<std::uint32_t> dimensions_of(const Interconnect& interconnect, std::uint32_t nodes) {
    if (interconnect.shape != Shape::kMesh && interconnect.shape != Shape::kTorus) return {};
    if (!interconnect.dimensions.empty()) return interconnect.dimensions;
    std::uint32_t rows = 1;
    for (std::uint32_t side = 1; side * side <= nodes; ++side)
        if (nodes % side == 0) rows = side;
    return {rows, nodes / rows};
}

std::vector<Link> make_links(const Interconnect& interconnect, std::uint32_t nodes) {
    std::vector<Link> links = interconnect.links;
    switch (interconnect.shape) {
        case Shape::kFull: add_full(links, nodes); break;
        case Shape::kRing: add_grid(links, {nodes}, nodes, true); break;
        case Shape::kMesh: add_grid(links, dimensions_of(interconnect, nodes), nodes, false); break;
        case Shape::kTorus: add_grid(links, dimensions_of(interconnect, nodes), nodes, true); break;
        case Shape::kHypercube: add_hypercube(links, nodes); break;
        case Shape::kStar:
            for (std::uint32_t node = 1; node < nodes; ++node) links.push_back(link(0, node));
            break;
        case Shape::kTree:
            for (std::uint32_t node = 1; node < nodes; ++node) links.push_back(link((node - 1) / 2, node));
            break;
        case Shape::kList: break;
    }
    std::sort(links.begin(), links.end());
    links.erase(std::unique(links.begin(), links.end()), links.end());
    return links;
}

Metrics measure(const std::vector<Link>& links, std::uint32_t nodes) {
    Metrics metrics;
    metrics.links = static_cast<std::uint32_t>(links.size());
    metrics.min_degree = nodes;
    metrics.diameter = 0;
    const std::vector<NodeSet> adjacent = neighbours(links, nodes);
    for (std::uint32_t node = 0; node < nodes; ++node) {
        const auto degree = static_cast<std::uint32_t>(adjacent[node].count());
        metrics.min_degree = std::min(metrics.min_degree, degree);
        metrics.max_degree = std::max(metrics.max_degree, degree);
        const auto [farthest, reached] = explore(adjacent, node);
        if (reached.count() != nodes) metrics.diameter.reset();
        if (metrics.diameter) metrics.diameter = std::max(*metrics.diameter, farthest);
    }
    return metrics;
}

Interconnect recognize(const std::vector<Link>& links, std::uint32_t nodes) {
    std::vector<Interconnect> candidates;
    // A graph that has several names gets the first: two nodes are a full graph, and a ring, a mesh, a star …
    for (const Shape shape : {Shape::kFull, Shape::kRing, Shape::kStar, Shape::kTree})
        candidates.push_back({shape, {}, {}, {}});
    for (std::uint32_t rows = 1; rows <= nodes; ++rows)
        if (nodes % rows == 0)
            for (const Shape shape : {Shape::kMesh, Shape::kTorus})
                candidates.push_back({shape, {rows, nodes / rows}, {}, {}});
    if (std::has_single_bit(nodes)) candidates.push_back({Shape::kHypercube, {}, {}, {}});
    for (Interconnect& candidate : candidates)
        if (make_links(candidate, nodes) == links) return candidate;
    return {Shape::kList, {}, links, {}};
}

}  // namespace divisi::partitioner
