// Limits of setrlimit(2), as they are handed from the process that asks for a job to the programs of it.
//
// In JSON they are named as prlimit(1) names them, and "unlimited" is null: {"stack": [8388608, null]}, soft and hard.
// Threads: values.
#pragma once

#include <cstdint>
#include <map>

#include "base/json.hpp"
#include "base/result.hpp"

namespace divisi {

struct ResourceLimit {
    std::uint64_t soft, hard;

    bool operator==(const ResourceLimit&) const = default;
};
// By the resource's number. Only those that mean the same in a node: core, cpu, data, fsize, nofile, stack, as.
using ResourceLimits = std::map<int, ResourceLimit>;

// This process's own.
ResourceLimits own_limits();

json::object to_json(const ResourceLimits& limits);
// Errors: kProtocol, for an unknown name, or what is no pair of numbers with soft <= hard.
Result<ResourceLimits> limits_from_json(const json::object& object);

}  // namespace divisi
