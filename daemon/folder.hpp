// The folder of one topology, as far as the daemon writes and reads it (base/paths.hpp lists its content).
//
// Beside config.json the daemon keeps `daemon.json`: what the next daemon needs to go on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "daemon/accounting.hpp"

namespace divisi::daemon {

// A process, named so that a later owner of its pid is not taken for it.
struct ProcessName {
    pid_t pid = -1;
    std::uint64_t started = 0;  // clock ticks after boot: field 22 of /proc/PID/stat
};

// Errors: kNotFound where it is gone.
Result<ProcessName> name_process(pid_t pid);
// A pidfd; invalid where the process is gone (or its pid has another owner).
Fd open_process(const ProcessName& process);

// What the daemon remembers of a topology.
struct Facts {
    std::string name;
    std::string source;                // where the policy came from
    std::int64_t created = 0;          // unix seconds
    std::optional<ProcessName> owner;  // of an ephemeral topology
    Claims claims;
};

// Makes the folder with its two files. Errors: errno; nothing is left behind.
Result<void> create_folder(const std::string& dir, const Facts& facts, const json::object& config);
// Errors: errno, kProtocol: the folder was never complete, or is not ours.
Result<Facts> read_folder(const std::string& dir);
// Removes it with all it holds; a folder that is not there is fine.
Result<void> remove_folder(const std::string& dir);
// The names of all folders there are. Errors: errno.
Result<std::vector<std::string>> list_folders(const std::string& topologies_dir);

std::string vmm_log(const std::string& dir);

}  // namespace divisi::daemon
