#include "partitioner/policy_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace divisi::partitioner {
namespace {

constexpr std::size_t kMaxProblems = 20;

Place place_of(const Policy& policy, const InterconnectFault& fault) {
    if (fault.link) return policy.places.links.at(*fault.link);
    if (fault.key == "shape") return policy.places.shape;
    if (fault.key == "links") return policy.places.interconnect;
    return policy.places.dimensions;
}

// Every node has exactly one place.
std::vector<Problem> check_pins(const Policy& policy, std::uint32_t nodes) {
    std::vector<Problem> problems;
    std::vector<bool> placed(nodes);
    for (const Pin& pin : policy.pins) {
        for (const std::uint32_t node : pin.nodes) {
            if (node >= nodes) {
                problems.push_back(
                    {pin.place, fmt::format("there is no node {}", node), fmt::format("nodes are 0 to {}", nodes - 1)});
                break;
            }
            if (placed[node])
                problems.push_back(
                    {pin.place, fmt::format("node {} has a place already", node), "name each node once"});
            placed[node] = true;
        }
    }
    const auto first = std::find(placed.begin(), placed.end(), false);
    if (problems.empty() && first != placed.end())
        problems.push_back({policy.places.placement, fmt::format("node {} has no place", first - placed.begin()),
                            fmt::format("name all nodes, 0 to {}", nodes - 1)});
    return problems;
}

std::string describe(std::string_view source, const Problem& problem) {
    std::string line(source);
    if (problem.place.line != 0) line += fmt::format(":{}:{}", problem.place.line, problem.place.column);
    line += ": " + problem.what;
    if (!problem.way_out.empty()) line += " (" + problem.way_out + ")";
    return line;
}

}  // namespace

std::optional<std::uint32_t> known_node_count(const Policy& policy) {
    if (policy.node_count) return policy.node_count;
    if (!policy.nodes_per_core || policy.cores.named() == 0) return std::nullopt;
    const std::uint64_t count = std::uint64_t{*policy.nodes_per_core} * policy.cores.named();
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(count, kMaxNodes + 1));
}

std::vector<Problem> check_with_nodes(const Policy& policy, std::uint32_t nodes) {
    if (nodes > kMaxNodes)
        return {{policy.places.nodes, fmt::format("these are more than {} nodes", kMaxNodes),
                 "use fewer per core, or fewer cores"}};
    std::vector<Problem> problems;
    if (const auto fault = check(policy.interconnect, nodes))
        problems.push_back({place_of(policy, *fault), fault->problem, fault->way_out});
    if (policy.placement == PlacementKind::kExplicit) {
        const auto misplaced = check_pins(policy, nodes);
        problems.insert(problems.end(), misplaced.begin(), misplaced.end());
    }
    return problems;
}

Error invalid_policy(std::string_view source, std::vector<Problem> problems) {
    std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
        return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
    });
    std::string message;
    for (std::size_t i = 0; i < std::min(problems.size(), kMaxProblems); ++i) {
        if (i > 0) message += '\n';
        message += describe(source, problems[i]);
    }
    if (problems.size() > kMaxProblems)
        message += fmt::format("\n{}: and {} problems more", source, problems.size() - kMaxProblems);
    return make_error(Errc::kInvalidPolicy, std::move(message));
}

}  // namespace divisi::partitioner
