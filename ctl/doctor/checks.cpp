#include "ctl/doctor/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/printable.hpp"
#include "base/quantity.hpp"
#include "partitioner/interconnect.hpp"

namespace divisi::ctl::doctor {
namespace {

using partitioner::Machine;

// What one node takes of a limit, roughly: a VM, a virtual CPU, its memory and its eventfds; a thread.
constexpr std::uint64_t kFilesPerNode = 12;
constexpr std::uint64_t kFilesApart = 64;
constexpr std::uint64_t kThreadsApart = 16;
// What ordinary topologies need: beneath it, doctor warns.
constexpr std::uint64_t kUsualNodes = 64;
constexpr std::uint64_t kUsualMaps = 65530;
constexpr std::uint64_t kUsualMemory = 2ULL << 30U;

std::string plural(std::uint64_t count, std::string_view noun) {
    return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string amount(std::uint64_t limit) {
    return limit == RLIM_INFINITY ? "unlimited" : fmt::to_string(limit);
}

Check check_pus(const Machine& machine) {
    Check check{"cores", Verdict::kOk, {}, {}};
    check.text = fmt::format("{} on {} for us", plural(machine.usable_pu_count(), "PU"),
                             plural(machine.usable_cores().size(), "core"));
    for (const partitioner::Exclusion& exclusion : machine.exclusions) {
        check.text += fmt::format("; OS PUs {} are not: {}", partitioner::format_list(exclusion.os_pus), exclusion.why);
        check.way_out += (check.way_out.empty() ? "" : "; ") + exclusion.way_out;
    }
    if (machine.exclusions.empty()) check.text += ", all there are";
    if (machine.usable_cores().size() > 1) return check;
    check.verdict = Verdict::kWarning;
    check.text += "; nodes on one core take turns";
    return check;
}

Check check_smt(const Machine& machine) {
    if (!machine.has_smt()) return {"smt", Verdict::kOk, "no siblings: one PU on each core", {}};
    std::size_t most = 0;
    for (const partitioner::Core& core : machine.cores) most = std::max(most, core.pus.size());
    return {"smt",
            Verdict::kOk,
            fmt::format("up to {} siblings on a core; nodes use one of them unless the policy says otherwise", most),
            {}};
}

Check check_numa(const Machine& machine) {
    if (machine.numa_nodes.size() < 2) return {"numa", Verdict::kOk, "one memory for all cores", {}};
    std::string text = plural(machine.numa_nodes.size(), "NUMA node") + ":";
    for (const partitioner::NumaNode& node : machine.numa_nodes)
        text += fmt::format(" {} ({})", node.os, format_size_rounded(node.memory));
    return {"numa", Verdict::kOk, text + "; a node's memory comes from that of its PU", {}};
}

Check check_memory(const Machine& machine) {
    if (!machine.memory) return {"memory", Verdict::kWarning, "the machine does not tell how much it has", {}};
    const partitioner::Memory& memory = *machine.memory;
    std::string text =
        fmt::format("{} available of {}", format_size_rounded(memory.available), format_size_rounded(memory.total));
    if (memory.limit != 0)
        text += fmt::format("; {} sets a limit of {}", memory.limit_file, format_size_rounded(memory.limit));
    if (memory.available >= kUsualMemory) return {"memory", Verdict::kOk, std::move(text), {}};
    return {"memory", Verdict::kWarning, std::move(text),
            memory.limit != 0 ? "32 nodes of 64MiB need 2GiB: raise the limit, or carve less"
                              : "32 nodes of 64MiB need 2GiB: free some, or carve less"};
}

// The environment asks for one backend, whatever works besides.
Check check_wanted(const Facts& facts, const std::string& tried) {
    const std::string wanted = "DIVISI_BACKEND takes " + printable(facts.wanted_backend);
    for (const BackendProbe& probe : **facts.probe)
        if (probe.name == facts.wanted_backend && probe.ok)
            return {"backend", Verdict::kOk, fmt::format("{} ({})", wanted, tried), {}};
    return {"backend", Verdict::kProblem, fmt::format("{}, which does not work ({})", wanted, tried),
            "unset DIVISI_BACKEND, or set it to one that works"};
}

Check check_backends(const Facts& facts) {
    if (!facts.probe) return {"backend", Verdict::kProblem, "not tried: divisi-vmm is missing", "see programs, below"};
    if (!*facts.probe)
        return {"backend", Verdict::kProblem, "divisi-vmm --probe: " + facts.probe->error().message(),
                "run it by hand to see more: " + facts.bin_dir + "/divisi-vmm --probe"};
    std::string text;
    std::string chosen;
    for (const BackendProbe& probe : **facts.probe) {
        text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", probe.name, probe.ok ? "works" : probe.reason);
        if (probe.ok && chosen.empty()) chosen = probe.name;
    }
    if (chosen.empty()) return {"backend", Verdict::kProblem, "none works: " + text, "see kvm, above"};
    if (!facts.wanted_backend.empty() && facts.wanted_backend != "auto") return check_wanted(facts, text);
    return {"backend", Verdict::kOk, fmt::format("auto takes {} ({})", chosen, text), {}};
}

Check check_files(const Facts& facts) {
    const std::uint64_t most = std::max(facts.open_files.soft, facts.open_files.hard);
    std::string text = fmt::format("{}, may be raised to {}", amount(facts.open_files.soft), amount(most));
    const std::uint64_t nodes =
        most == RLIM_INFINITY ? partitioner::kMaxNodes : (most - std::min(most, kFilesApart)) / kFilesPerNode;
    if (nodes >= kUsualNodes) return {"open files", Verdict::kOk, std::move(text), {}};
    return {"open files", Verdict::kWarning, fmt::format("{}: enough for about {}", text, plural(nodes, "node")),
            "raise it: ulimit -Hn 65536 as root, LimitNOFILE= of systemd, docker's --ulimit nofile=65536"};
}

Check check_processes(const Facts& facts) {
    // Root is not held to the limit on processes.
    std::uint64_t most = facts.is_root ? RLIM_INFINITY : facts.processes.soft;
    if (facts.cgroup_pids) most = std::min(most, *facts.cgroup_pids);
    std::string text = fmt::format("{} processes and threads", amount(most));
    if (facts.cgroup_pids && most == *facts.cgroup_pids) text += " (pids.max of the cgroup)";
    if (most >= kUsualNodes + kThreadsApart) return {"processes", Verdict::kOk, std::move(text), {}};
    return {"processes", Verdict::kWarning, text + ": a node takes a thread",
            "raise it: ulimit -u 4096, TasksMax= of systemd, docker's --pids-limit"};
}

Check check_locked_memory(const Facts& facts) {
    const std::uint64_t soft = facts.locked_memory.soft;
    return {
        "locked memory",
        Verdict::kOk,
        soft == RLIM_INFINITY ? "unlimited" : format_size_rounded(soft) + "; nothing is locked unless you ask for it",
        {}};
}

Check check_maps(const Facts& facts) {
    if (!facts.max_map_count) return {"mappings", Verdict::kOk, "vm.max_map_count is not told", {}};
    std::string text = fmt::format("{} a process (vm.max_map_count)", *facts.max_map_count);
    if (*facts.max_map_count >= kUsualMaps) return {"mappings", Verdict::kOk, std::move(text), {}};
    return {"mappings", Verdict::kWarning, text + ": large interconnects map more",
            fmt::format("as root: sysctl vm.max_map_count={}", kUsualMaps)};
}

Check check_huge_pages(const Facts& facts) {
    if (facts.huge_pages.empty())
        return {"huge pages", Verdict::kOk, "transparent huge pages are not offered; small pages serve", {}};
    std::string text = fmt::format("transparent: {}, for nodes' memory: {}", facts.huge_pages,
                                   facts.shared_huge_pages.empty() ? "not offered" : facts.shared_huge_pages);
    std::string way_out;
    if (facts.shared_huge_pages == "never" || facts.shared_huge_pages == "deny")
        way_out = "for cheaper first touches, as root: echo advise > /sys/kernel/mm/transparent_hugepage/shmem_enabled";
    return {"huge pages", Verdict::kOk, std::move(text), std::move(way_out)};
}

Check check_state(const Facts& facts) {
    if (!facts.state_dir) {
        Error error = facts.state_dir.error();
        const std::string way_out = std::exchange(error.hint, {});
        return {"state folder", Verdict::kProblem, error.message(), way_out};
    }
    return {"state folder", Verdict::kOk, *facts.state_dir, {}};
}

Check check_daemon(const Facts& facts) {
    if (facts.daemon_pid) return {"daemon", Verdict::kOk, fmt::format("runs, process {}", *facts.daemon_pid), {}};
    return {"daemon", Verdict::kOk, "does not run; the first command that needs it starts it", {}};
}

Check check_programs(const Facts& facts) {
    std::string missing;
    if (!facts.has_divisid) missing = "divisid";
    if (!facts.has_vmm) missing += (missing.empty() ? "" : " and ") + std::string("divisi-vmm");
    if (missing.empty())
        return {"programs",
                Verdict::kOk,
                fmt::format("divisi {}, divisid and divisi-vmm in {}", facts.version, facts.bin_dir),
                {}};
    return {"programs", Verdict::kProblem, fmt::format("{} not found in {}", missing, facts.bin_dir),
            "build all of divisi, and keep its programs in one folder"};
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::kOk: return "ok";
        case Verdict::kWarning: return "warning";
        case Verdict::kProblem: return "problem";
    }
    return "?";
}

std::vector<Check> judge(const Facts& facts) {
    std::vector<Check> checks;
    checks.push_back({"processor",
                      Verdict::kOk,
                      (facts.processor.model.empty() ? "unknown" : facts.processor.model) +
                          (facts.processor.hypervisor ? ", in a virtual machine" : ""),
                      {}});
    if (facts.machine) {
        for (const auto check : {check_pus, check_smt, check_numa, check_memory})
            checks.push_back(check(*facts.machine));
    } else {
        checks.push_back({"cores", Verdict::kProblem, facts.machine.error().message(), {}});
    }
    for (const auto check : {judge_kvm, check_backends, check_files, check_processes, check_locked_memory, check_maps,
                             check_huge_pages, check_state, check_daemon, check_programs})
        checks.push_back(check(facts));
    checks.push_back({"hwloc", Verdict::kOk, "interface version " + facts.hwloc_version, {}});
    return checks;
}

}  // namespace divisi::ctl::doctor
