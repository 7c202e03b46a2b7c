#include "daemon/planning.hpp"

#include <algorithm>

#include "base/mode.hpp"
#include "partitioner/machine.hpp"
#include "partitioner/plan.hpp"
#include "partitioner/plan_json.hpp"
#include "partitioner/policy.hpp"

namespace divisi::daemon {
namespace {

Result<partitioner::PlanOptions> options_of(const api::CarveRequest& request) {
    partitioner::PlanOptions options;
    if (!request.name.empty()) options.name = request.name;
    if (!request.mode.empty()) {
        DIVISI_TRY_ASSIGN(options.mode, parse_mode(request.mode));
    }
    if (!request.backend.empty()) {
        DIVISI_TRY_ASSIGN(options.backend, partitioner::parse_backend(request.backend));
    }
    return options;
}

// What all topologies together may promise: RAM, not what happens to be free now, which they themselves lessen.
std::uint64_t memory_of(const partitioner::Machine& machine) {
    if (!machine.memory) return 0;
    return machine.memory->limit != 0 ? std::min(machine.memory->limit, machine.memory->total) : machine.memory->total;
}

}  // namespace

Result<Planned> plan(const api::CarveRequest& request) {
    DIVISI_TRY_ASSIGN(const partitioner::PlanOptions options, options_of(request));
    DIVISI_TRY_ASSIGN(const partitioner::Policy policy, partitioner::parse_policy(request.policy, request.source));
    DIVISI_TRY_ASSIGN(const partitioner::Machine machine, partitioner::discover());
    DIVISI_TRY_ASSIGN(const partitioner::Plan plan, partitioner::make_plan(policy, machine, options));
    return Planned{plan.name, partitioner::to_vmm_config(plan), partitioner::to_json(plan), plan.notes,
                   memory_of(machine)};
}

}  // namespace divisi::daemon
