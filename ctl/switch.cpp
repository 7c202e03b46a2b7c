// divisi switch: turn a live topology into the other kind of machine.
#include <fmt/format.h>

#include <memory>

#include "ctl/daemon_access.hpp"
#include "ctl/output.hpp"
#include "ctl/progress.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

struct SwitchOptions {
    std::string name;
    std::string mode;
    bool drain = false;
    bool force = false;
    Format format = Format::kTable;
};

Result<int> switch_mode(const SwitchOptions& options) {
    api::SwitchRequest request{options.mode, "now"};
    if (options.drain) request.when = "drain";
    if (options.force) request.when = "force";
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    Result<json::object> switched = [&] {
        const Progress progress(options.drain ? "waiting for the jobs of " + options.name
                                              : "switching " + options.name);
        return daemon.client.switch_mode(options.name, request);
    }();
    DIVISI_TRY_ASSIGN(const json::object answer, std::move(switched));
    if (options.format == Format::kJson) {
        DIVISI_TRY(print_json(answer));
        return 0;
    }
    const bool changed = text_of(answer, "changed") == "true";
    DIVISI_TRY(print(
        fmt::format("{}: {}{}\n", text_of(answer, "name"), text_of(answer, "mode"), changed ? "" : " (as before)")));
    return 0;
}

}  // namespace

void add_switch(CLI::App& app, Context& context) {
    const auto options = std::make_shared<SwitchOptions>();
    CLI::App* verb = app.add_subcommand("switch", "Switch a live topology to the other mode");
    verb->add_option("NAME", options->name, "The topology")->required();
    verb->add_option("MODE", options->mode, "shared-memory or message-passing")->required();
    CLI::Option* drain = verb->add_flag("--drain", options->drain, "Wait for running jobs to end first");
    verb->add_flag("--force", options->force, "End running jobs first")->excludes(drain);
    add_output_option(*verb, options->format);
    verb->callback([options, &context] { context.action = [options] { return switch_mode(*options); }; });
}

}  // namespace divisi::ctl
