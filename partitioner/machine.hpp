// A machine as pure data: its cores, processing units (PUs) and NUMA nodes, and which of them divisi may use.
//
// Numbers: `logical` is hwloc's logical index, as `hwloc-ls` shows it without flags, and the one people write in
// policies. `os` is the number the kernel uses. They differ on most machines with several packages or with SMT.
// Threads: values; copy them freely.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "partitioner/memory.hpp"

namespace divisi::partitioner {

struct Pu {
    std::uint32_t logical = 0;
    std::uint32_t os = 0;
    std::uint32_t core = 0;  // logical index of its core
    std::int32_t numa = -1;  // OS index of the NUMA node nearest to it, -1 where the machine has none
    bool usable = true;      // false: `Machine::exclusions` says why
};

struct Core {
    std::uint32_t logical = 0;
    std::uint32_t package = 0;       // logical index, 0 where the machine has none
    std::vector<std::uint32_t> pus;  // logical indexes of its PUs: SMT siblings of each other
};

struct NumaNode {
    std::uint32_t logical = 0;
    std::uint32_t os = 0;
    std::uint64_t memory = 0;  // bytes; 0 where it is not known
};

// PUs that the machine has and divisi must not use.
struct Exclusion {
    std::vector<std::uint32_t> os_pus;
    std::string why;      // "the container's or cgroup's cpuset leaves them out"
    std::string way_out;  // how to get them
};

struct Machine {
    std::string source;  // "this machine", the XML file, or the synthetic description
    bool here = false;   // true: this machine, now; nodes can be carved on it
    // Sorted by logical index, and found at that index. PUs outside the cgroup's cpuset are not among them, as in
    // hwloc-ls; PUs outside the process's affinity are, with `usable` false.
    std::vector<Core> cores;
    std::vector<Pu> pus;
    std::vector<NumaNode> numa_nodes;
    std::vector<Exclusion> exclusions;
    std::optional<Memory> memory;  // absent where the description says nothing about it

    // The PUs of a core that divisi may use, in logical order.
    [[nodiscard]] std::vector<std::uint32_t> usable_pus(const Core& core) const;
    // The cores with at least one usable PU, in logical order.
    [[nodiscard]] std::vector<std::uint32_t> usable_cores() const;
    [[nodiscard]] std::uint32_t usable_pu_count() const;
    [[nodiscard]] bool has_smt() const;
};

// This machine: what the kernel shows, the cgroup's cpuset and this thread's affinity taken into account.
// Errors: kFailed, when hwloc cannot read it, or when the environment makes hwloc describe another machine.
Result<Machine> discover();

// `description` is "FILE.xml" (as `hwloc-ls FILE.xml` writes it) or "synthetic:core:4 pu:1" (hwloc's synthetic syntax).
// The input is untrusted. Errors: errno of the file; kUsage when it describes no machine.
Result<Machine> describe_machine(std::string_view description);

// The version of the interface that the hwloc library in use offers: "2.8" (hwloc 2.9 does; it tells no more).
std::string hwloc_version();

// "0-3,7": a sorted list of numbers, for messages.
std::string format_list(const std::vector<std::uint32_t>& numbers);

}  // namespace divisi::partitioner
