// divisi carve: make a policy's topology.
#include <fmt/format.h>

#include <memory>

#include "base/quantity.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/output.hpp"
#include "ctl/policy_file.hpp"
#include "ctl/progress.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

struct CarveOptions {
    std::string policy;
    OverrideOptions overrides;
    bool dry_run = false;
    Format format = Format::kTable;
};

std::string headline(const json::object& topology, bool dry_run) {
    return fmt::format("{}: {}{} nodes, {}, {}", text_of(topology, "name"), dry_run ? "would be carved: " : "",
                       objects_of(topology, "nodes").size(), text_of(topology, "mode"), text_of(topology, "backend"));
}

Result<int> carve(const CarveOptions& options) {
    DIVISI_TRY_ASSIGN(const PolicyText policy, read_policy(options.policy));
    api::CarveRequest request;
    request.policy = policy.text;
    request.source = policy.source;
    request.name = options.overrides.name;
    request.mode = options.overrides.mode;
    DIVISI_TRY_ASSIGN(request.backend, wanted_backend(options.overrides));
    request.dry_run = options.dry_run;
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    Result<json::object> carved = [&] {
        const Progress progress("carving " + policy.source);
        return daemon.client.carve(request);
    }();
    DIVISI_TRY_ASSIGN(const json::object topology, std::move(carved));
    if (options.format == Format::kJson) {
        DIVISI_TRY(print_json(topology));
        return 0;
    }
    print_notes(topology);
    DIVISI_TRY(print(headline(topology, options.dry_run) + "\n"));
    return 0;
}

}  // namespace

void add_carve(CLI::App& app, Context& context) {
    const auto options = std::make_shared<CarveOptions>();
    CLI::App* verb = app.add_subcommand("carve", "Make the topology of a policy");
    verb->add_option("POLICY", options->policy, "The policy's file, - for standard input")->required();
    add_override_options(*verb, options->overrides);
    verb->add_flag("--dry-run", options->dry_run, "Print the plan and carve nothing");
    add_output_option(*verb, options->format);
    verb->callback([options, &context] { context.action = [options] { return carve(*options); }; });
}

}  // namespace divisi::ctl
