#include "shm/routes.hpp"

namespace divisi::shm {
namespace {

std::uint32_t distance(std::uint32_t a, std::uint32_t b) {
    return a < b ? b - a : a - b;
}

}  // namespace

Routes::Routes(std::uint32_t nodes, const std::vector<Link>& links)
    : nodes_(nodes), hops_(nodes_ * nodes_), next_(nodes_ * nodes_, kNoWire) {
    Neighbours neighbours(nodes);
    for (const Link& link : links) {
        neighbours[link.a.value].push_back({link.b.value, wires()});
        neighbours[link.b.value].push_back({link.a.value, wires() + 1});
        ends_.push_back(link.b);
        ends_.push_back(link.a);
    }
    for (std::uint32_t to = 0; to < nodes; ++to) {
        measure(neighbours, to);
        choose(neighbours, to);
    }
}

// Breadth first, from the end: links lead both ways.
void Routes::measure(const Neighbours& neighbours, std::uint32_t to) {
    std::vector<std::uint32_t> queue{to};
    for (std::size_t next = 0; next < queue.size() && queue.size() < nodes_; ++next) {
        const std::uint32_t here = queue[next];
        for (const Neighbour& neighbour : neighbours[here]) {
            std::uint16_t& hops = hops_[neighbour.node * nodes_ + to];
            if (hops != 0 || neighbour.node == to) continue;
            hops = static_cast<std::uint16_t>(hops_[here * nodes_ + to] + 1);
            if (here == to) next_[neighbour.node * nodes_ + to] = neighbour.wire ^ 1U;
            queue.push_back(neighbour.node);
        }
    }
}

void Routes::choose(const Neighbours& neighbours, std::uint32_t to) {
    for (std::uint32_t from = 0; from < nodes_; ++from) {
        const std::uint16_t hops = hops_[from * nodes_ + to];
        if (hops < 2) continue;
        const Neighbour* best = nullptr;
        for (const Neighbour& neighbour : neighbours[from]) {
            if (hops_[neighbour.node * nodes_ + to] + 1U != hops) continue;
            const bool nearer = best == nullptr || distance(neighbour.node, from) < distance(best->node, from) ||
                                (distance(neighbour.node, from) == distance(best->node, from) && neighbour.node > from);
            if (nearer) best = &neighbour;
        }
        if (best != nullptr) next_[from * nodes_ + to] = best->wire;
    }
}

}  // namespace divisi::shm
