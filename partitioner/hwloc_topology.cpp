#include "partitioner/hwloc_topology.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdlib>

namespace divisi::partitioner {
namespace {

// What a description may hold. hwloc would build whatever a hundred characters ask for.
constexpr std::uint64_t kMaxSyntheticObjects = 65536;

Result<Topology> new_topology() {
    hwloc_topology_t topology = nullptr;
    if (hwloc_topology_init(&topology) != 0) return system_error(errno, "cannot start hwloc");
    return Topology(topology);
}

// The product of all level sizes: "pack:2 core:4 pu:2" is 16. Attributes in parentheses are not sizes.
std::uint64_t synthetic_objects(std::string_view text) {
    std::uint64_t objects = 1;
    int depth = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '(') ++depth;
        if (text[i] == ')') --depth;
        const bool starts_number = std::isdigit(static_cast<unsigned char>(text[i])) != 0 &&
                                   (i == 0 || text[i - 1] == ':' || text[i - 1] == ' ');
        if (depth > 0 || !starts_number) continue;
        std::uint64_t size = 0;
        const auto status = std::from_chars(text.data() + i, text.data() + text.size(), size).ec;
        if (status != std::errc{} || size > kMaxSyntheticObjects) return kMaxSyntheticObjects + 1;
        objects *= std::max<std::uint64_t>(size, 1);
        if (objects > kMaxSyntheticObjects) return objects;
    }
    return objects;
}

std::int32_t nearest_numa(hwloc_topology_t topology, hwloc_obj_t pu) {
    // A PU may have several memories (DRAM beside HBM): Linux numbers ordinary memory first.
    hwloc_obj_t best = nullptr;
    for (hwloc_obj_t node = nullptr;
         (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr;) {
        if (node->os_index == HWLOC_UNKNOWN_INDEX || hwloc_bitmap_isset(node->cpuset, pu->os_index) == 0) continue;
        const bool has_memory = node->attr->numanode.local_memory > 0;
        const bool best_has_memory = best != nullptr && best->attr->numanode.local_memory > 0;
        if (best == nullptr || (has_memory && !best_has_memory) ||
            (has_memory == best_has_memory && node->os_index < best->os_index))
            best = node;
    }
    return best == nullptr ? -1 : static_cast<std::int32_t>(best->os_index);
}

std::uint32_t package_of(hwloc_topology_t topology, hwloc_obj_t object) {
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_PACKAGE, object);
    return package == nullptr ? 0 : package->logical_index;
}

}  // namespace

Result<Topology> load_this_machine() {
    DIVISI_TRY_ASSIGN(Topology topology, new_topology());
    if (hwloc_topology_load(topology.get()) != 0)
        return system_error(errno, "hwloc cannot read this machine", {}, "does hwloc-ls work here?");
    if (hwloc_topology_is_thissystem(topology.get()) == 0)
        return make_error(
            Errc::kFailed, "the environment makes hwloc describe another machine", {},
            "unset HWLOC_XMLFILE, HWLOC_SYNTHETIC, HWLOC_FSROOT and HWLOC_COMPONENTS; to plan for another "
            "machine, use --machine");
    return topology;
}

Result<Topology> load_xml(const std::string& text, const std::string& path) {
    const auto refuse = [&path] {
        return make_error(Errc::kUsage, "not a machine description in hwloc's XML", path,
                          "make one on that machine with: hwloc-ls FILE.xml");
    };
    DIVISI_TRY_ASSIGN(Topology topology, new_topology());
    // The length counts the terminating zero.
    if (hwloc_topology_set_xmlbuffer(topology.get(), text.c_str(), static_cast<int>(text.size() + 1)) != 0 ||
        hwloc_topology_load(topology.get()) != 0)
        return refuse();
    return topology;
}

Result<Topology> load_synthetic(const std::string& description) {
    const std::string object = "synthetic:" + description;
    if (synthetic_objects(description) > kMaxSyntheticObjects)
        return make_error(Errc::kUsage, "describes more than " + std::to_string(kMaxSyntheticObjects) + " objects",
                          object);
    DIVISI_TRY_ASSIGN(Topology topology, new_topology());
    if (hwloc_topology_set_synthetic(topology.get(), description.c_str()) != 0 ||
        hwloc_topology_load(topology.get()) != 0)
        return make_error(Errc::kUsage, "not a machine in hwloc's synthetic syntax", object,
                          "for example: synthetic:pack:2 core:4 pu:2");
    return topology;
}

Machine to_machine(hwloc_topology_t topology) {
    Machine machine;
    for (hwloc_obj_t core = nullptr; (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core)) != nullptr;)
        machine.cores.push_back({core->logical_index, package_of(topology, core), {}});
    for (hwloc_obj_t pu = nullptr; (pu = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_PU, pu)) != nullptr;) {
        hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, pu);
        const auto owner = core != nullptr ? core->logical_index : static_cast<std::uint32_t>(machine.cores.size());
        // Some virtual machines show PUs without cores: each is then a core of its own.
        if (core == nullptr) machine.cores.push_back({owner, package_of(topology, pu), {}});
        machine.cores.at(owner).pus.push_back(static_cast<std::uint32_t>(machine.pus.size()));
        machine.pus.push_back({pu->logical_index, pu->os_index, owner, nearest_numa(topology, pu), true});
    }
    for (hwloc_obj_t node = nullptr;
         (node = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr;)
        if (node->os_index != HWLOC_UNKNOWN_INDEX)
            machine.numa_nodes.push_back({node->logical_index, node->os_index, node->attr->numanode.local_memory});
    return machine;
}

std::string hwloc_version() {
    const unsigned version = hwloc_get_api_version();
    return std::to_string(version >> 16U) + "." + std::to_string((version >> 8U) & 0xFFU);
}

}  // namespace divisi::partitioner
