#include "partitioner/link_mapping.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>

// Scotch's header needs <cstdio> before it.
#include <scotch/scotch.h>

namespace divisi::partitioner {
namespace {

using Parts = std::vector<std::uint32_t>;

constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

template <typename T, void (*exit)(T*)>
struct Owned {
    T value{};
    Owned() = default;
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() { exit(&value); }
    T* get() { return &value; }
};
using Graph = Owned<SCOTCH_Graph, SCOTCH_graphExit>;
using Arch = Owned<SCOTCH_Arch, SCOTCH_archExit>;
using Strategy = Owned<SCOTCH_Strat, SCOTCH_stratExit>;

// The neighbours of each vertex, as Scotch takes them.
struct Adjacency {
    std::vector<SCOTCH_Num> first{0};
    std::vector<SCOTCH_Num> neighbours;
};

Adjacency adjacency_of(const std::vector<Link>& links, std::uint32_t nodes) {
    std::vector<std::vector<SCOTCH_Num>> lists(nodes);
    for (const Link& link : links) {
        lists[link.a.value].push_back(static_cast<SCOTCH_Num>(link.b.value));
        lists[link.b.value].push_back(static_cast<SCOTCH_Num>(link.a.value));
    }
    Adjacency result;
    for (const auto& list : lists) {
        result.neighbours.insert(result.neighbours.end(), list.begin(), list.end());
        result.first.push_back(static_cast<SCOTCH_Num>(result.neighbours.size()));
    }
    return result;
}

// Scotch's own division into parts of these weights; it may be off by a node here and there.
Result<Parts> divide_roughly(const Adjacency& graph_data, const std::vector<std::uint32_t>& weights) {
    // Its random numbers are one state for the process.
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    SCOTCH_randomReset();
    const auto failed = [](const char* what) { return make_error(Errc::kFailed, what, "Scotch"); };
    const auto nodes = static_cast<SCOTCH_Num>(graph_data.first.size()) - 1;
    const std::vector<SCOTCH_Num> sizes(weights.begin(), weights.end());
    Graph graph;
    Arch arch;
    Strategy strategy;
    if (SCOTCH_graphInit(graph.get()) != 0 || SCOTCH_archInit(arch.get()) != 0 || SCOTCH_stratInit(strategy.get()) != 0)
        return failed("cannot be set up");
    if (SCOTCH_graphBuild(graph.get(), 0, nodes, graph_data.first.data(), nullptr, nullptr, nullptr,
                          static_cast<SCOTCH_Num>(graph_data.neighbours.size()), graph_data.neighbours.data(),
                          nullptr) != 0)
        return failed("does not take the interconnect");
    if (SCOTCH_archCmpltw(arch.get(), static_cast<SCOTCH_Num>(sizes.size()), sizes.data()) != 0)
        return failed("does not take the cores");
    std::vector<SCOTCH_Num> parts(static_cast<std::size_t>(nodes));
    if (SCOTCH_graphMap(graph.get(), arch.get(), strategy.get(), parts.data()) != 0)
        return failed("cannot map the interconnect");
    return Parts(parts.begin(), parts.end());
}

// How many more links of `node` lead into part `to` than into the part that it is in.
std::int64_t gain_of(const Adjacency& graph, const Parts& parts, std::uint32_t node, std::uint32_t to) {
    std::int64_t gain = 0;
    for (auto at = graph.first[node]; at < graph.first[node + 1]; ++at) {
        const std::uint32_t there = parts[static_cast<std::size_t>(graph.neighbours[static_cast<std::size_t>(at)])];
        if (there == to) ++gain;
        if (there == parts[node]) --gain;
    }
    return gain;
}

// Moves nodes from parts that have too many to those that have too few, each time the one whose move costs least.
void even_out(const Adjacency& graph, const std::vector<std::uint32_t>& weights, Parts& parts) {
    std::vector<std::int64_t> room(weights.begin(), weights.end());
    for (const std::uint32_t part : parts) --room[part];
    for (;;) {
        std::uint32_t best_node = kNowhere;
        std::uint32_t best_part = 0;
        std::int64_t best_gain = std::numeric_limits<std::int64_t>::min();
        for (std::uint32_t node = 0; node < parts.size(); ++node) {
            if (room[parts[node]] >= 0) continue;
            for (std::uint32_t part = 0; part < room.size(); ++part) {
                if (room[part] <= 0) continue;
                const std::int64_t gain = gain_of(graph, parts, node, part);
                if (gain <= best_gain) continue;
                best_gain = gain, best_node = node, best_part = part;
            }
        }
        if (best_node == kNowhere) return;
        ++room[parts[best_node]];
        --room[best_part];
        parts[best_node] = best_part;
    }
}

Parts in_order(const std::vector<std::uint32_t>& weights) {
    Parts parts;
    for (std::uint32_t part = 0; part < weights.size(); ++part) parts.insert(parts.end(), weights[part], part);
    return parts;
}

// Parts are numbered as their first nodes are, where they are of one size: so node 0 is on the first core.
void renumber(const std::vector<std::uint32_t>& weights, Parts& parts) {
    std::vector<std::uint32_t> numbers(weights.size(), kNowhere);
    std::vector<bool> taken(weights.size(), false);
    for (std::uint32_t& part : parts) {
        if (numbers[part] == kNowhere) {
            std::uint32_t number = 0;
            while (taken[number] || weights[number] != weights[part]) ++number;
            numbers[part] = number;
            taken[number] = true;
        }
        part = numbers[part];
    }
}

Result<Parts> divide(const std::vector<Link>& links, const std::vector<std::uint32_t>& weights) {
    Parts best = in_order(weights);
    // Where all are linked with all, every division into these sizes is as good.
    const bool full = links.size() == best.size() * (best.size() - 1) / 2;
    if (weights.size() < 2 || links.empty() || full) return best;
    const Adjacency graph = adjacency_of(links, static_cast<std::uint32_t>(best.size()));
    DIVISI_TRY_ASSIGN(Parts parts, divide_roughly(graph, weights));
    even_out(graph, weights, parts);
    renumber(weights, parts);
    if (links_between(links, parts) < links_between(links, best)) best = std::move(parts);
    return best;
}

// The links among some of the nodes, which are numbered anew.
std::vector<Link> links_among(const std::vector<Link>& links, const std::vector<std::uint32_t>& members,
                              std::size_t nodes) {
    std::vector<std::uint32_t> numbers(nodes, kNowhere);
    for (std::uint32_t i = 0; i < members.size(); ++i) numbers[members[i]] = i;
    std::vector<Link> result;
    for (const Link& link : links) {
        const std::uint32_t a = numbers[link.a.value];
        const std::uint32_t b = numbers[link.b.value];
        if (a != kNowhere && b != kNowhere) result.push_back({NodeId{a}, NodeId{b}});
    }
    return result;
}

}  // namespace

std::size_t links_between(const std::vector<Link>& links, const std::vector<std::uint32_t>& parts) {
    return static_cast<std::size_t>(std::count_if(
        links.begin(), links.end(), [&parts](const Link& link) { return parts[link.a.value] != parts[link.b.value]; }));
}

Result<std::vector<std::uint32_t>> map_links(const std::vector<Link>& links, const std::vector<Seats>& cores) {
    // First over the packages, whose distances are the longer ones; then, in each, over its cores.
    std::vector<std::uint32_t> package_begins;
    std::vector<std::uint32_t> package_sizes;
    for (std::uint32_t i = 0; i < cores.size(); ++i) {
        if (i == 0 || cores[i].package != cores[i - 1].package) {
            package_begins.push_back(i);
            package_sizes.push_back(0);
        }
        package_sizes.back() += cores[i].nodes;
    }
    package_begins.push_back(static_cast<std::uint32_t>(cores.size()));
    DIVISI_TRY_ASSIGN(const Parts packages, divide(links, package_sizes));
    Parts result(packages.size());
    for (std::uint32_t package = 0; package < package_sizes.size(); ++package) {
        Parts members;
        for (std::uint32_t node = 0; node < packages.size(); ++node)
            if (packages[node] == package) members.push_back(node);
        std::vector<std::uint32_t> sizes;
        for (std::uint32_t i = package_begins[package]; i < package_begins[package + 1]; ++i)
            sizes.push_back(cores[i].nodes);
        DIVISI_TRY_ASSIGN(const Parts parts, divide(links_among(links, members, packages.size()), sizes));
        for (std::size_t i = 0; i < members.size(); ++i) result[members[i]] = package_begins[package] + parts[i];
    }
    return result;
}

}  // namespace divisi::partitioner
