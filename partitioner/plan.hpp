// A plan: a policy resolved on a machine. Which node runs on which PU, with which memory, linked to whom.
// Pure data: planning changes nothing, and the same policy on the same machine gives the same plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "partitioner/interconnect.hpp"
#include "partitioner/machine.hpp"
#include "partitioner/policy.hpp"

namespace divisi::partitioner {

// Where a description does not tell the kernel's number of a PU. A plan that `make_plan` made always tells.
inline constexpr std::uint32_t kUnknownPu = UINT32_MAX;

struct PlannedNode {
    NodeId id;
    std::uint32_t core = 0;    // hwloc logical index
    std::uint32_t pu = 0;      // hwloc logical index
    std::uint32_t os_pu = 0;   // the number the kernel pins by
    std::int32_t numa = -1;    // OS index of the NUMA node its memory comes from, -1: any
    std::uint64_t memory = 0;  // bytes of RAM in message-passing mode
};

struct Plan {
    std::string name;
    Mode mode = Mode::kMessagePassing;
    Backend backend = Backend::kAuto;
    FileRules files;
    std::string machine;              // what was planned for: "this machine", a file, a synthetic description
    std::uint32_t machine_cores = 0;  // cores and PUs of it that may be used, whether or not the plan uses them
    std::uint32_t machine_pus = 0;
    std::vector<PlannedNode> nodes;   // by id
    std::uint64_t shared_memory = 0;  // bytes of RAM of the whole multiprocessor in shared-memory mode
    Threads threads = Threads::kScatter;
    Pages pages = Pages::kSmall;  // what memory is made of
    bool prefault = false;        // taken when the topology is carved, not when a program touches it
    Shape shape = Shape::kFull;
    std::vector<std::uint32_t> dimensions;
    LinkModel link;
    std::vector<Link> links;  // sorted
    Metrics metrics;
    std::vector<std::string> notes;  // what the user should know: folding, siblings left idle
    std::string policy_text;         // empty where the plan did not come from a policy
};

// What the command line sets over the policy.
struct PlanOptions {
    std::optional<std::string> name;
    std::optional<Mode> mode;
    std::optional<Backend> backend;
};

// Errors: kInsufficient, with what is asked for and what there is; kInvalidPolicy for what only a machine brings to
// light (a mesh whose sides do not multiply to its nodes); kUsage for an invalid `options.name`.
Result<Plan> make_plan(const Policy& policy, const Machine& machine, const PlanOptions& options = {});

}  // namespace divisi::partitioner
