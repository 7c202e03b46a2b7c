// divisi kill: send a signal to a job, or to the one that runs on a topology.
#include <csignal>
#include <memory>

#include "ctl/daemon_access.hpp"
#include "ctl/jobs_table.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

struct KillOptions {
    std::string job;
    std::string signal = "TERM";
};

// A topology runs one job at a time, so its name is enough.
Result<std::string> job_on(api::Client& client, const std::string& topology) {
    DIVISI_TRY_ASSIGN(const json::object shown, client.topology(topology));
    if (const auto running = running_jobs(shown); !running.empty()) return text_of(*running.front(), "id");
    return make_error(Errc::kNotFound, "no job is running on it", topology, "see divisi ps");
}

Result<int> kill_job(const KillOptions& options) {
    DIVISI_TRY_ASSIGN(const int signo, api::parse_signal(options.signal));
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    std::string job = options.job;
    if (api::check_name(job)) {
        DIVISI_TRY_ASSIGN(job, job_on(daemon.client, job));
    }
    DIVISI_TRY(daemon.client.kill_job(job, signo));
    return 0;
}

}  // namespace

void add_kill(CLI::App& app, Context& context) {
    const auto options = std::make_shared<KillOptions>();
    CLI::App* verb = app.add_subcommand("kill", "Send a signal to a job");
    verb->add_option("JOB", options->job, "The job, as ps names it, or the topology that it runs on")->required();
    verb->add_option("-s,--signal", options->signal, "A name or a number")->type_name("SIGNAL")->capture_default_str();
    verb->callback([options, &context] { context.action = [options] { return kill_job(*options); }; });
}

}  // namespace divisi::ctl
