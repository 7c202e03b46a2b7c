// From a policy's text to what divisi-vmm is told to carve, on this machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "daemon/api/requests.hpp"

namespace divisi::daemon {

struct Planned {
    std::string name;
    json::object config;             // docs/vmm-protocol.md
    json::object plan;               // for show, as `divisi plan -o json` prints it
    std::vector<std::string> notes;  // what the user should know: folded cores, …
    std::uint64_t machine_memory = 0;
};

// Errors: kInvalidPolicy with its place, kInsufficient, kUsage for an unknown mode or backend.
Result<Planned> plan(const api::CarveRequest& request);

}  // namespace divisi::daemon
