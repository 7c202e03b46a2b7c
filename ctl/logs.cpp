// divisi logs: what a detached job wrote.
#include <chrono>
#include <memory>
#include <thread>

#include "ctl/daemon_access.hpp"
#include "ctl/output.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

constexpr std::chrono::milliseconds kPause{200};

struct LogsOptions {
    std::string job;
    bool follow = false;
};

Result<int> logs(const LogsOptions& options) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    for (std::uint64_t offset = 0;;) {
        DIVISI_TRY_ASSIGN(const api::JobOutput output, daemon.client.output(options.job, offset));
        offset += output.text.size();
        DIVISI_TRY(print(output.text));
        if (output.complete) return 0;
        if (!output.text.empty()) continue;
        if (!options.follow) return 0;
        std::this_thread::sleep_for(kPause);
    }
}

}  // namespace

void add_logs(CLI::App& app, Context& context) {
    const auto options = std::make_shared<LogsOptions>();
    CLI::App* verb = app.add_subcommand("logs", "Print what a detached job wrote");
    verb->add_option("JOB", options->job, "The job, as ps names it")->required();
    verb->add_flag("-f,--follow", options->follow, "Go on until the job ends");
    verb->callback([options, &context] { context.action = [options] { return logs(*options); }; });
}

}  // namespace divisi::ctl
