// divisi ps: the jobs of all topologies.
#include <memory>

#include "ctl/daemon_access.hpp"
#include "ctl/jobs_table.hpp"
#include "ctl/output.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

struct PsOptions {
    bool all = false;
    Format format = Format::kTable;
};

Result<int> list_jobs(const PsOptions& options) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY_ASSIGN(const json::object answer, daemon.client.jobs());
    const std::vector<const json::object*> jobs = options.all ? objects_of(answer, "jobs") : running_jobs(answer);
    if (options.format == Format::kTable) {
        DIVISI_TRY(print(jobs_table(jobs)));
        return 0;
    }
    json::array array;
    for (const json::object* job : jobs) array.push_back(*job);
    DIVISI_TRY(print_json(json::object{{"jobs", std::move(array)}}));
    return 0;
}

}  // namespace

void add_ps(CLI::App& app, Context& context) {
    const auto options = std::make_shared<PsOptions>();
    CLI::App* verb = app.add_subcommand("ps", "List the running jobs");
    verb->add_flag("-a,--all", options->all, "Those that ended lately, too");
    add_output_option(*verb, options->format);
    verb->callback([options, &context] { context.action = [options] { return list_jobs(*options); }; });
}

}  // namespace divisi::ctl
