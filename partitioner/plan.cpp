#include "partitioner/plan.hpp"

#include <fmt/format.h>

#include <map>

#include "base/quantity.hpp"
#include "partitioner/placement.hpp"

namespace divisi::partitioner {
namespace {

std::string limit_of(const Memory& memory) {
    if (memory.limit == 0) return fmt::format("of {} in the machine", format_size_rounded(memory.total));
    return fmt::format("{} allows {}", memory.limit_file, format_size_rounded(memory.limit));
}

// The largest size in whole MiB that `count` nodes can have.
std::string largest_share(std::uint64_t available, std::uint64_t count) {
    constexpr std::uint64_t kMiB = 1U << 20U;
    const std::uint64_t share = available / count / kMiB * kMiB;
    if (share < kMinNodeMemory) return "use fewer nodes, or free some memory";
    return fmt::format("at most {} for each of {} nodes, or fewer nodes", format_size(share), count);
}

// The memory of the mode that the topology starts in, and of the other one where the policy gives it: a default that
// nobody asked for does not keep a policy off a small machine.
Result<void> check_memory(const Policy& policy, const Machine& machine, Mode mode, std::uint64_t nodes) {
    if (!machine.memory) return {};
    const std::uint64_t available = machine.memory->available;
    const std::string have = fmt::format("{} of RAM are available on {} ({})", format_size_rounded(available),
                                         machine.source, limit_of(*machine.memory));
    const bool node_memory_given = policy.places.node_memory.line != 0;
    const bool shared_memory_given = policy.places.shared_memory.line != 0;
    if ((mode == Mode::kMessagePassing || node_memory_given) && nodes * policy.node_memory > available) {
        const Place& place = node_memory_given ? policy.places.node_memory : policy.places.nodes;
        return policy_error(Errc::kInsufficient, policy, place,
                            fmt::format("{} nodes with {} each need {}, and {}", nodes, format_size(policy.node_memory),
                                        format_size_rounded(nodes * policy.node_memory), have),
                            largest_share(available, nodes));
    }
    if ((mode == Mode::kSharedMemory || shared_memory_given) && policy.shared_memory > available)
        return policy_error(Errc::kInsufficient, policy, policy.places.shared_memory,
                            fmt::format("shared-memory mode needs {}, and {}", format_size(policy.shared_memory), have),
                            "set a smaller shared: {memory: …}");
    return {};
}

void note_numa_memory(Plan& plan, const Machine& machine) {
    std::map<std::int32_t, std::uint64_t> needed;
    for (const PlannedNode& node : plan.nodes) needed[node.numa] += node.memory;
    for (const NumaNode& numa : machine.numa_nodes) {
        const std::uint64_t need = needed[static_cast<std::int32_t>(numa.os)];
        if (numa.memory != 0 && need > numa.memory)
            plan.notes.push_back(fmt::format("nodes on NUMA node {} ask for {}, and it has {}: the rest will be remote",
                                             numa.os, format_size_rounded(need), format_size_rounded(numa.memory)));
    }
}

std::vector<PlannedNode> planned_nodes(const Policy& policy, const Machine& machine,
                                       const std::vector<std::uint32_t>& pus) {
    std::vector<PlannedNode> nodes;
    nodes.reserve(pus.size());
    for (const std::uint32_t index : pus) {
        const Pu& pu = machine.pus.at(index);
        const NodeId id{static_cast<std::uint32_t>(nodes.size())};
        nodes.push_back({id, pu.core, pu.logical, pu.os, pu.numa, policy.node_memory});
    }
    return nodes;
}

}  // namespace

Result<Plan> make_plan(const Policy& policy, const Machine& machine, const PlanOptions& options) {
    if (options.name) DIVISI_TRY(check_name(*options.name));
    DIVISI_TRY_ASSIGN(Placement placement, place_nodes(policy, machine));
    const auto count = static_cast<std::uint32_t>(placement.pus.size());
    DIVISI_TRY(check_memory(policy, machine, options.mode.value_or(policy.mode), count));
    Plan plan;
    plan.name = options.name.value_or(policy.name);
    plan.mode = options.mode.value_or(policy.mode);
    plan.backend = options.backend.value_or(policy.backend);
    plan.files = policy.files;
    plan.machine = machine.source;
    plan.machine_cores = static_cast<std::uint32_t>(machine.usable_cores().size());
    plan.machine_pus = machine.usable_pu_count();
    plan.nodes = planned_nodes(policy, machine, placement.pus);
    plan.shared_memory = policy.shared_memory;
    plan.threads = policy.threads;
    plan.pages = policy.pages;
    plan.prefault = policy.prefault;
    plan.shape = policy.interconnect.shape;
    plan.dimensions = dimensions_of(policy.interconnect, count);
    plan.link = policy.interconnect.link;
    plan.links = make_links(policy.interconnect, count);
    plan.metrics = measure(plan.links, count);
    plan.notes = std::move(placement.notes);
    plan.policy_text = policy.text;
    note_numa_memory(plan, machine);
    return plan;
}

}  // namespace divisi::partitioner
