#include <unistd.h>

#include <algorithm>
#include <string_view>

#include "base/fd.hpp"
#include "partitioner/hwloc_topology.hpp"
#include "partitioner/machine.hpp"

namespace divisi::partitioner {
namespace {

constexpr std::size_t kXmlLimit = 16U << 20U;
constexpr std::string_view kSyntheticPrefix = "synthetic:";

std::vector<std::uint32_t> members(hwloc_const_bitmap_t set) {
    std::vector<std::uint32_t> result;
    // A set without end names no PUs that exist.
    const int last = hwloc_bitmap_last(set);
    for (int i = hwloc_bitmap_first(set); i >= 0 && i <= last; i = hwloc_bitmap_next(set, i))
        result.push_back(static_cast<std::uint32_t>(i));
    return result;
}

// Empty where the kernel does not say.
Bitmap online_pus() {
    Bitmap online(hwloc_bitmap_alloc());
    const auto text = read_file("/sys/devices/system/cpu/online", 1U << 16U);
    if (text) hwloc_bitmap_list_sscanf(online.get(), text->c_str());
    return online;
}

void exclude(Machine& machine, hwloc_const_bitmap_t set, std::string why, std::string way_out) {
    if (hwloc_bitmap_iszero(set) == 0) machine.exclusions.push_back({members(set), std::move(why), std::move(way_out)});
}

// The PUs that hwloc left out: offline ones, and those outside the cgroup's cpuset.
void note_disallowed(Machine& machine, hwloc_topology_t topology) {
    Bitmap missing(hwloc_bitmap_alloc());
    hwloc_bitmap_andnot(missing.get(), hwloc_topology_get_complete_cpuset(topology),
                        hwloc_topology_get_allowed_cpuset(topology));
    const Bitmap online = machine.here ? online_pus() : Bitmap(hwloc_bitmap_alloc());
    if (hwloc_bitmap_iszero(online.get()) == 0) {
        Bitmap offline(hwloc_bitmap_alloc());
        hwloc_bitmap_andnot(offline.get(), missing.get(), online.get());
        exclude(machine, offline.get(), "they are offline", "as root: echo 1 > /sys/devices/system/cpu/cpuN/online");
        hwloc_bitmap_and(missing.get(), missing.get(), online.get());
    }
    exclude(machine, missing.get(), "the cpuset of the container or cgroup leaves them out",
            "widen it, for example with docker's --cpuset-cpus or systemd's AllowedCPUs=");
}

// The PUs that this thread may not run on although its cgroup lets it: taskset, sched_setaffinity, a batch system.
void apply_affinity(Machine& machine, hwloc_topology_t topology) {
    Bitmap affinity(hwloc_bitmap_alloc());
    if (hwloc_get_cpubind(topology, affinity.get(), HWLOC_CPUBIND_THREAD) != 0) return;
    Bitmap outside(hwloc_bitmap_alloc());
    hwloc_bitmap_andnot(outside.get(), hwloc_topology_get_topology_cpuset(topology), affinity.get());
    for (Pu& pu : machine.pus) pu.usable = hwloc_bitmap_isset(affinity.get(), pu.os) != 0;
    exclude(machine, outside.get(), "the CPU affinity of this process leaves them out",
            "start divisi without taskset, or with more CPUs in its list");
}

Machine machine_of(const Topology& topology, std::string_view source) {
    Machine machine = to_machine(topology.get());
    machine.source = source;
    note_disallowed(machine, topology.get());
    return machine;
}

std::uint64_t total_memory(const Machine& machine) {
    std::uint64_t total = 0;
    for (const NumaNode& node : machine.numa_nodes) total += node.memory;
    return total;
}

void assume_all_memory_is_free(Machine& machine) {
    const std::uint64_t total = total_memory(machine);
    if (total > 0) machine.memory = Memory{total, total, 0, {}};
}

}  // namespace

Result<Machine> discover() {
    DIVISI_TRY_ASSIGN(const Topology topology, load_this_machine());
    Machine machine = to_machine(topology.get());
    machine.source = "this machine";
    machine.here = true;
    note_disallowed(machine, topology.get());
    apply_affinity(machine, topology.get());
    // hwloc invents a NUMA node where the kernel has none to show.
    if (::access("/sys/devices/system/node/node0", F_OK) != 0 && machine.numa_nodes.size() == 1) {
        machine.numa_nodes.clear();
        for (Pu& pu : machine.pus) pu.numa = -1;
    }
    DIVISI_TRY_ASSIGN(machine.memory, read_memory());
    if (machine.usable_pu_count() == 0)
        return make_error(Errc::kFailed, "no processing unit of this machine is usable", {}, "divisi doctor says why");
    return machine;
}

Result<Machine> describe_machine(std::string_view description) {
    if (description.starts_with(kSyntheticPrefix)) {
        const std::string text(description.substr(kSyntheticPrefix.size()));
        DIVISI_TRY_ASSIGN(const Topology topology, load_synthetic(text));
        Machine machine = machine_of(topology, description);
        // hwloc gives every synthetic NUMA node 1 GiB unless told otherwise: that says nothing.
        if (text.find("memory=") != std::string::npos)
            assume_all_memory_is_free(machine);
        else
            for (NumaNode& node : machine.numa_nodes) node.memory = 0;
        return machine;
    }
    const std::string path(description);
    DIVISI_TRY_ASSIGN(const std::string text, read_file(path, kXmlLimit));
    DIVISI_TRY_ASSIGN(const Topology topology, load_xml(text, path));
    Machine machine = machine_of(topology, description);
    assume_all_memory_is_free(machine);
    return machine;
}

}  // namespace divisi::partitioner
