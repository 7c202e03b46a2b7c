// What only shows when a policy's keys are seen together, and how problems become an error. Private to this folder.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "partitioner/policy.hpp"

namespace divisi::partitioner {

// The number of nodes, where the policy alone decides it; more than kMaxNodes is not counted further.
std::optional<std::uint32_t> known_node_count(const Policy& policy);

// Does everything that names nodes fit to `nodes` of them: the interconnect, explicit places?
std::vector<Problem> check_with_nodes(const Policy& policy, std::uint32_t nodes);

// One kInvalidPolicy error with a line for each problem, in the order of the text. `problems` is not empty.
Error invalid_policy(std::string_view source, std::vector<Problem> problems);

}  // namespace divisi::partitioner
