// Which PU each node gets. Private to this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "partitioner/machine.hpp"
#include "partitioner/policy.hpp"

namespace divisi::partitioner {

struct Placement {
    std::vector<std::uint32_t> pus;  // by node: the logical index of its PU
    std::vector<std::string> notes;
};

// Errors: kInsufficient, kInvalidPolicy, at the place of the policy that cannot be met.
Result<Placement> place_nodes(const Policy& policy, const Machine& machine);

}  // namespace divisi::partitioner
