// divisi release: end a topology and give back what it holds.
#include <fmt/format.h>

#include <memory>

#include "ctl/daemon_access.hpp"
#include "ctl/output.hpp"
#include "ctl/progress.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

struct ReleaseOptions {
    std::vector<std::string> names;
    bool force = false;
};

// Goes on after a failure: the others should not stay because of it. The first error is the verb's.
Result<int> release(const ReleaseOptions& options) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    std::optional<Error> first;
    for (const std::string& name : options.names) {
        const Progress progress("releasing " + name);
        auto released = daemon.client.release(name, options.force);
        if (released) continue;
        if (first) report(released.error());
        if (!first) first = std::move(released).error();
    }
    if (first) return *first;
    return 0;
}

}  // namespace

void add_release(CLI::App& app, Context& context) {
    const auto options = std::make_shared<ReleaseOptions>();
    CLI::App* verb = app.add_subcommand("release", "End topologies and give back what they hold");
    verb->add_option("NAME", options->names, "The topologies")->required();
    verb->add_flag("--force", options->force, "End their running jobs, too");
    verb->callback([options, &context] { context.action = [options] { return release(*options); }; });
}

}  // namespace divisi::ctl
