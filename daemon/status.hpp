// What topologies say of themselves, asked of their divisi-vmm processes, all at once and within a time limit.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "daemon/registry.hpp"

namespace divisi::daemon {

// A divisi-vmm's status, or why there is none.
struct Status {
    Entry entry;
    Result<json::object> answer;
};

// Asks all that are past carving; the others get kBusy. The answers come in the order of `entries`.
std::vector<Status> ask(const std::string& state, const std::vector<Entry>& entries);

// One topology as the interface shows it: in full, or in a line of a list.
json::object describe(const std::string& state, const Status& status);
json::object summarize(const Status& status);
// The jobs of a status, each with the field `topology`. Empty without an answer.
json::array jobs_of(const Status& status);
// The names of the jobs that run.
std::vector<std::string> running_jobs(const Status& status);

}  // namespace divisi::daemon
