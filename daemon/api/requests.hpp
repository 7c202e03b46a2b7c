// The bodies of requests, typed: what clients send and the daemon acts on.
//
// Parsing is strict: an unknown field, a wrong type or a NUL inside a string is an error (kUsage) that names the field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/resource_limits.hpp"
#include "base/result.hpp"

namespace divisi::api {

struct CarveRequest {
    std::string policy;      // the text
    std::string source;      // how errors name it, "quad32.yaml"
    std::string name;        // empty: the policy's
    std::string mode;        // empty: the policy's
    std::string backend;     // empty: the policy's
    bool ephemeral = false;  // lives as long as the process that asks; made unique where `name` is empty
    bool dry_run = false;    // answer with the plan and carve nothing
};

struct SwitchRequest {
    std::string mode;
    std::string when = "now";  // now | drain | force
};

struct JobRequest {
    std::vector<std::string> argv;
    std::string path;  // the program's file; empty: looked up by argv[0], as a shell does
    std::string cwd;   // absolute
    std::vector<std::string> env;
    std::uint64_t nodes = 0;                // 0: all
    std::uint64_t ranks = 0;                // 0: as the mode implies
    std::uint64_t threads = 0;              // 0: as the mode implies
    std::vector<std::uint64_t> host_ranks;  // left to host processes that join
    bool label = false;
    bool core = false;
    std::string deadlock = "end";  // end | report | ignore
    ResourceLimits limits;         // those that are not here are what a node's programs usually have
};

json::object to_json(const CarveRequest& request);
json::object to_json(const SwitchRequest& request);
json::object to_json(const JobRequest& request);

Result<CarveRequest> parse_carve_request(const json::object& body);
Result<SwitchRequest> parse_switch_request(const json::object& body);
Result<JobRequest> parse_job_request(const json::object& body);
// A body that may hold `force` alone, or be empty.
Result<bool> parse_force(std::string_view body);
// The JSON object of a body. Errors: kUsage.
Result<json::object> parse_body(std::string_view body);

// A topology's name becomes a folder's name: 1 to 48 letters, digits, '-' and '_', first a letter or digit.
Result<void> check_name(std::string_view name);
// "quad32.3" is the third job of quad32. Errors: kNotFound for what cannot be a job's name.
Result<std::string> topology_of_job(std::string_view job);

// "9", "KILL" or "SIGKILL". Errors: kUsage.
Result<int> parse_signal(std::string_view text);

}  // namespace divisi::api
