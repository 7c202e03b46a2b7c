// Ways through an interconnect: how far any two nodes are from each other, and which links lie between them.
//
// Every way is a shortest one. Where several are, the next node is the one whose number is nearest to the present
// node's, and the higher of two equally near ones. On a mesh or a torus, whose nodes are numbered line by line, that is
// dimension-ordered routing, the last dimension first; on a hypercube it is e-cube routing, the lowest bit first; on a
// tree and a star there is but one way.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.hpp"

namespace divisi::shm {

struct Link {
    NodeId a;
    NodeId b;
    std::uint64_t latency_ns = 0;      // what it adds to a message
    std::uint64_t bandwidth_bits = 0;  // a second, each way; 0: no limit
};

class Routes {
public:
    static constexpr std::uint32_t kNoWire = 0xffffffff;

    Routes() = default;
    // `links`: a < b, each once.
    Routes(std::uint32_t nodes, const std::vector<Link>& links);

    // Links between the two. 0: no way leads there, or they are one.
    [[nodiscard]] std::uint32_t hops(NodeId from, NodeId to) const noexcept { return hops_[at(from, to)]; }
    // The direction of a link that a message takes next: link * 2, and 1 more towards the link's lower end.
    [[nodiscard]] std::uint32_t next_wire(NodeId from, NodeId to) const noexcept { return next_[at(from, to)]; }
    // The node that a wire leads to.
    [[nodiscard]] NodeId end_of(std::uint32_t wire) const noexcept { return ends_[wire]; }
    [[nodiscard]] std::uint32_t wires() const noexcept { return static_cast<std::uint32_t>(ends_.size()); }
    // Calls `visit(wire)` for each wire on the way.
    template <typename Visit>
    void walk(NodeId from, NodeId to, Visit visit) const {
        while (from != to) {
            const std::uint32_t wire = next_wire(from, to);
            if (wire == kNoWire) return;
            visit(wire);
            from = end_of(wire);
        }
    }

private:
    struct Neighbour {
        std::uint32_t node;
        std::uint32_t wire;  // that leads there
    };
    using Neighbours = std::vector<std::vector<Neighbour>>;

    [[nodiscard]] std::size_t at(NodeId from, NodeId to) const noexcept { return from.value * nodes_ + to.value; }
    void measure(const Neighbours& neighbours, std::uint32_t to);
    void choose(const Neighbours& neighbours, std::uint32_t to);

    std::size_t nodes_ = 0;
    std::vector<NodeId> ends_;         // by wire
    std::vector<std::uint16_t> hops_;  // by from and to
    std::vector<std::uint32_t> next_;
};

}  // namespace divisi::shm
