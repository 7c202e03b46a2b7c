// divisi plan: what would be carved, without carving it.
#include <fmt/format.h>

#include <memory>

#include "base/mode.hpp"
#include "base/quantity.hpp"
#include "ctl/output.hpp"
#include "ctl/policy_file.hpp"
#include "ctl/verbs.hpp"
#include "partitioner/draw.hpp"
#include "partitioner/plan_json.hpp"

namespace divisi::ctl {
namespace {

using partitioner::Plan;
using partitioner::PlannedNode;

struct PlanRequest {
    std::string policy;
    std::string machine;
    OverrideOptions overrides;
    Format format = Format::kTable;
};

bool alike(const PlannedNode& a, const PlannedNode& b) {
    return a.pu == b.pu && a.memory == b.memory;
}

// One row for each run of nodes that share a PU.
std::string node_table(const Plan& plan) {
    Table table({"NODES", "CORE", "PU", "OS-PU", "NUMA", "MEMORY"});
    for (std::size_t i = 0; i < plan.nodes.size();) {
        std::size_t last = i;
        while (last + 1 < plan.nodes.size() && alike(plan.nodes[i], plan.nodes[last + 1])) ++last;
        const PlannedNode& node = plan.nodes[i];
        table.row({last == i ? fmt::to_string(i) : fmt::format("{}-{}", i, last), fmt::to_string(node.core),
                   fmt::to_string(node.pu), fmt::to_string(node.os_pu), node.numa < 0 ? "-" : fmt::to_string(node.numa),
                   format_size(node.memory)});
        i = last + 1;
    }
    return table.text();
}

Result<int> plan(const PlanRequest& request) {
    DIVISI_TRY_ASSIGN(const auto options, plan_options(request.overrides));
    DIVISI_TRY_ASSIGN(const auto policy, load_policy(request.policy));
    DIVISI_TRY_ASSIGN(const auto machine, load_machine(request.machine));
    DIVISI_TRY_ASSIGN(const Plan plan, partitioner::make_plan(policy, machine, options));
    if (request.format == Format::kJson) {
        DIVISI_TRY(print_json(partitioner::to_json(plan)));
        return 0;
    }
    DIVISI_TRY(print(partitioner::headline(plan) + "\n\n" + node_table(plan) + "\n" +
                     partitioner::interconnect_line(plan) + "\n"));
    for (const std::string& each : plan.notes) note(each);
    return 0;
}

}  // namespace

void add_plan(CLI::App& app, Context& context) {
    const auto request = std::make_shared<PlanRequest>();
    CLI::App* verb = app.add_subcommand("plan", "Show what a policy would carve, on this or another machine");
    verb->add_option("POLICY", request->policy, "The policy's file, - for standard input")->required();
    verb->add_option("--machine", request->machine,
                     "Plan for this machine instead: FILE.xml (hwloc's), or \"synthetic:core:4 pu:1\"")
        ->type_name("MACHINE");
    add_override_options(*verb, request->overrides);
    add_output_option(*verb, request->format);
    verb->callback([request, &context] { context.action = [request] { return plan(*request); }; });
}

}  // namespace divisi::ctl
