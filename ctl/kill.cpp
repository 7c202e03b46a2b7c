// divisi kill: send a signal to a job.
#include <csignal>
#include <memory>

#include "ctl/daemon_access.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

struct KillOptions {
    std::string job;
    std::string signal = "TERM";
};

Result<int> kill_job(const KillOptions& options) {
    DIVISI_TRY_ASSIGN(const int signo, api::parse_signal(options.signal));
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY(daemon.client.kill_job(options.job, signo));
    return 0;
}

}  // namespace

void add_kill(CLI::App& app, Context& context) {
    const auto options = std::make_shared<KillOptions>();
    CLI::App* verb = app.add_subcommand("kill", "Send a signal to a job");
    verb->add_option("JOB", options->job, "The job, as ps names it")->required();
    verb->add_option("-s,--signal", options->signal, "A name or a number")->type_name("SIGNAL")->capture_default_str();
    verb->callback([options, &context] { context.action = [options] { return kill_job(*options); }; });
}

}  // namespace divisi::ctl
