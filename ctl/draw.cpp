// divisi draw: a picture of a topology in text, of one that lives or of one that a policy would make.
#include <unistd.h>

#include <memory>

#include "ctl/daemon_access.hpp"
#include "ctl/output.hpp"
#include "ctl/policy_file.hpp"
#include "ctl/verbs.hpp"
#include "partitioner/draw.hpp"
#include "partitioner/plan_json.hpp"

namespace divisi::ctl {
namespace {

struct DrawRequest {
    std::string what;
    std::string machine;
    OverrideOptions overrides;
};

bool is_file(const std::string& what) {
    return what == "-" || what.find_first_of("/.") != std::string::npos || ::access(what.c_str(), F_OK) == 0;
}

Result<partitioner::Plan> plan_of_policy(const DrawRequest& request) {
    DIVISI_TRY_ASSIGN(const auto options, plan_options(request.overrides));
    DIVISI_TRY_ASSIGN(const auto policy, load_policy(request.what));
    DIVISI_TRY_ASSIGN(const auto machine, load_machine(request.machine));
    return partitioner::make_plan(policy, machine, options);
}

Result<partitioner::Plan> plan_of_topology(const std::string& name) {
    DIVISI_TRY_ASSIGN(std::optional<DaemonAccess> daemon, running_daemon());
    if (!daemon)
        return make_error(Errc::kNotFound, "no such file, and no daemon runs that could know a topology of this name",
                          name);
    DIVISI_TRY_ASSIGN(const json::object topology, daemon->client.topology(name));
    return partitioner::plan_from_json(topology);
}

Result<int> draw(const DrawRequest& request) {
    DIVISI_TRY_ASSIGN(const auto plan,
                      is_file(request.what) ? plan_of_policy(request) : plan_of_topology(request.what));
    DIVISI_TRY(print(partitioner::draw(plan)));
    for (const std::string& each : plan.notes) note(each);
    return 0;
}

}  // namespace

void add_draw(CLI::App& app, Context& context) {
    const auto request = std::make_shared<DrawRequest>();
    CLI::App* verb = app.add_subcommand("draw", "Draw a topology as text: a live one, or what a policy would make");
    verb->add_option("TOPOLOGY|POLICY", request->what,
                     "A live topology's name, or a policy's file (- for standard input)")
        ->required();
    verb->add_option("--machine", request->machine,
                     "Draw a policy on this machine instead: FILE.xml (hwloc's), or \"synthetic:core:4 pu:1\"")
        ->type_name("MACHINE");
    add_override_options(*verb, request->overrides);
    verb->callback([request, &context] { context.action = [request] { return draw(*request); }; });
}

}  // namespace divisi::ctl
