// What `divisi doctor` looks at, as pure data: gathered once, judged by checks.hpp, made up by tests.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "partitioner/machine.hpp"

namespace divisi::ctl::doctor {

// /dev/kvm, and who may open it.
struct KvmDevice {
    bool exists = false;
    int open_error = 0;           // errno of opening it for reading and writing; 0: it opened
    std::string group;            // the group it belongs to
    bool group_may_open = false;  // by its mode bits
    bool user_in_group = false;   // by this process's groups
    bool user_listed = false;  // by the group database: true with user_in_group false after a usermod, before a login
};

// The processor, as /proc/cpuinfo shows it to us.
struct Processor {
    std::string model;
    bool vmx = false;         // VT-x
    bool svm = false;         // AMD-V
    bool hypervisor = false;  // we run in a virtual machine ourselves
};

// A line of `divisi-vmm --probe`: did a node really start on this backend?
struct BackendProbe {
    std::string name;
    bool ok = false;
    std::string reason;
    std::string detail;
};

struct Limit {
    std::uint64_t soft = 0;  // RLIM_INFINITY: none
    std::uint64_t hard = 0;
};

struct Facts {
    std::string version;
    std::string hwloc_version;
    Result<partitioner::Machine> machine;
    Processor processor;
    KvmDevice kvm;
    // Absent: divisi-vmm is not there. An error: it is, and did not answer.
    std::optional<Result<std::vector<BackendProbe>>> probe;
    std::string wanted_backend;  // the environment's DIVISI_BACKEND; empty: none
    Limit open_files;
    Limit processes;
    Limit locked_memory;
    std::optional<std::uint64_t> cgroup_pids;  // pids.max, absent: no limit
    std::optional<std::uint64_t> max_map_count;
    std::string huge_pages;         // the mode in brackets of /sys/kernel/mm/transparent_hugepage/enabled, "" unknown
    std::string shared_huge_pages;  // the same of shmem_enabled
    Result<std::string> state_dir;
    std::optional<int> daemon_pid;  // absent: none answers
    std::string bin_dir;
    bool has_divisid = false;
    bool has_vmm = false;
    std::string user;
    bool is_root = false;
};

// Looks at this machine. Starts `divisi-vmm --probe` where that program exists, and makes the state folder if need be.
Facts gather();

// The parts that read files, for tests; `root` stands before every path.
Processor read_processor(const std::string& root);
std::string selected_mode(const std::string& path);
std::optional<std::uint64_t> read_cgroup_pids(const std::string& root);

// The answer of `divisi-vmm --probe`. Errors: kProtocol.
Result<std::vector<BackendProbe>> parse_probe(std::string_view text);

}  // namespace divisi::ctl::doctor
