// divisi run: run a program over a topology.
//
// A topology that is there is reached over its own socket: the daemon has no part in it, and need not run.
// Exit codes: the program's own (the worst rank's, 128 + signal included); 123 for a deadlock; 125 for failures of
// `run` itself, 126 for a program that cannot be executed, 127 for one that is not found; 128 + signal when interrupted
// before the start.
#include <fcntl.h>
#include <fmt/format.h>

#include <memory>
#include <thread>

#include "base/paths.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/job_report.hpp"
#include "ctl/job_session.hpp"
#include "ctl/output.hpp"
#include "ctl/policy_file.hpp"
#include "ctl/progress.hpp"
#include "ctl/run_native.hpp"
#include "ctl/verbs.hpp"
#include "partitioner/interconnect.hpp"

namespace divisi::ctl {
namespace {

constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr std::chrono::milliseconds kObituaryPatience{1000};

struct RunOptions {
    std::vector<std::string> words;  // [NAME] PROGRAM [ARGS…]
    std::string policy;
    OverrideOptions overrides;
    std::uint64_t nodes = 0;
    std::uint64_t ranks = 0;
    std::uint64_t threads = 0;
    std::vector<std::uint64_t> host_ranks;
    bool label = false;
    bool detach = false;
    bool native = false;
    bool core = false;
    std::string deadlock = "end";
    std::string report;
    // With --policy there is no topology to name, and with --native need not be one.
    [[nodiscard]] bool names_topology() const { return policy.empty() && !nameless; }
    bool nameless = false;
};

struct Prepared {
    std::string topology;  // empty with --policy
    PreparedJob job;
    Fd report;  // opened before the run: a long run should not end in a file that cannot be written
};

Error usage(std::string what) {
    return make_error(Errc::kUsage, std::move(what), {}, "see 'divisi run --help'");
}

// Only the first `--` is ours, and only where the program has not been named before it.
void add_command(RunOptions& options, const std::vector<std::string>& command) {
    options.nameless = options.native && options.words.empty();
    const std::size_t ours = options.names_topology() ? 1 : 0;
    if (options.words.size() > ours) options.words.emplace_back("--");
    options.words.insert(options.words.end(), command.begin(), command.end());
}

Result<void> check(const RunOptions& options) {
    if (options.native && options.detach) return usage("--detach and --native do not go together");
    if (!options.host_ranks.empty() && (options.native || options.detach))
        return usage("--host-ranks goes together with neither --native nor --detach");
    if (options.native && options.nameless && options.words.empty())
        return usage("which program? divisi run --native -- ./program");
    if (options.names_topology()) {
        const OverrideOptions& given = options.overrides;
        if (!given.name.empty() || !given.mode.empty() || !given.backend.empty())
            return usage("--name, --mode and --backend belong to --policy: a topology that is there has its own");
        if (options.words.empty()) return usage("which topology, and which program?");
        DIVISI_TRY(api::check_name(options.words.front()));
        if (options.words.size() < 2)
            return usage("which program? divisi run " + options.words.front() + " -- ./program");
    } else if (options.words.empty()) {
        return usage("which program? divisi run --policy FILE -- ./program");
    } else if (options.detach) {
        return usage("--detach needs a topology that stays: carve one first");
    }
    return {};
}

Result<Prepared> prepare(const RunOptions& options) {
    Prepared prepared;
    auto first = options.words.begin();
    if (options.names_topology()) prepared.topology = *first++;
    DIVISI_TRY_ASSIGN(prepared.job, prepare_job({first, options.words.end()}));
    prepared.job.request.nodes = options.nodes;
    prepared.job.request.ranks = options.ranks;
    prepared.job.request.threads = options.threads;
    prepared.job.request.label = options.label;
    prepared.job.request.core = options.core;
    prepared.job.request.deadlock = options.deadlock;
    prepared.job.request.host_ranks = options.host_ranks;
    if (!options.report.empty()) {
        DIVISI_TRY_ASSIGN(prepared.report, open_file(options.report, O_WRONLY | O_CREAT | O_TRUNC, 0666));
    }
    return prepared;
}

Result<void> write_report(const Prepared& prepared, const JobOutcome& outcome) {
    json::object document{{"job", outcome.job}, {"exit", outcome.exit}};
    json::array argv;
    for (const std::string& word : prepared.job.request.argv) argv.emplace_back(word);
    document["argv"] = std::move(argv);
    for (const auto& pair : outcome.report) document[pair.key()] = pair.value();
    return write_all(prepared.report.get(), pretty(document) + "\n", "the report");
}

Result<int> finish(const Prepared& prepared, const JobOutcome& outcome) {
    for (const std::string& line : explain(outcome.report, outcome.exit))
        report(make_error(Errc::kFailed, line, outcome.job));
    if (prepared.report.valid()) DIVISI_TRY(write_report(prepared, outcome));
    return outcome.exit;
}

// The topology's own socket; where nothing answers there, the daemon knows why.
Result<api::VmmConnection> reach_topology(const std::string& name) {
    DIVISI_TRY_ASSIGN(const std::string state, state_dir());
    auto vmm = api::VmmConnection::open(vmm_socket(topology_dir(state, name)));
    if (vmm) return vmm;
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY(daemon.client.topology(name));
    return api::VmmConnection::open(vmm_socket(topology_dir(state, name)));
}

// Asks the daemon, if there is one, what became of a topology whose divisi-vmm left us in mid-run.
Error with_obituary(Error error, const std::string& topology) {
    const api::Deadline deadline = api::Clock::now() + kObituaryPatience;
    do {
        auto daemon = running_daemon();
        if (!daemon || !*daemon) return error;
        const auto shown = (*daemon)->client.topology(topology);
        if (!shown && shown.error().is(Errc::kNotFound)) {
            error.operation += "; " + shown.error().message();
            return error;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (api::Clock::now() < deadline);
    return error;
}

Result<int> run_over(const std::string& topology, const Prepared& prepared, JobSignals& signals) {
    DIVISI_TRY_ASSIGN(api::VmmConnection vmm, reach_topology(topology));
    auto outcome = run_job(vmm, prepared.job, signals);
    if (!outcome && outcome.error().is(Errc::kUnreachable)) return with_obituary(std::move(outcome).error(), topology);
    if (!outcome) return std::move(outcome).error();
    return finish(prepared, *outcome);
}

// Carves, runs and releases. The topology belongs to this process: should it be killed, the daemon releases it.
Result<int> run_policy(const RunOptions& options, const Prepared& prepared, JobSignals& signals) {
    DIVISI_TRY_ASSIGN(const PolicyText policy, read_policy(options.policy));
    api::CarveRequest request;
    request.policy = policy.text;
    request.source = policy.source;
    request.name = options.overrides.name;
    request.mode = options.overrides.mode;
    DIVISI_TRY_ASSIGN(request.backend, wanted_backend(options.overrides));
    request.ephemeral = true;
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    daemon.client.set_cancel(signals.fd());
    Result<json::object> carved = [&] {
        const Progress progress("carving " + policy.source);
        return daemon.client.carve(request);
    }();
    DIVISI_TRY_ASSIGN(const json::object topology, std::move(carved));
    print_notes(topology);
    DIVISI_TRY_ASSIGN(const std::string name, string_field(topology, "name"));
    Result<int> result = run_over(name, prepared, signals);
    daemon.client.set_cancel(-1);
    auto released = daemon.client.release(name, true);
    if (!released && !released.error().is(Errc::kNotFound)) report(released.error());
    return result;
}

Result<int> start_detached(const std::string& topology, const PreparedJob& job) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY_ASSIGN(const json::object started, daemon.client.start_job(topology, job.request));
    DIVISI_TRY(print(text_of(started, "job") + "\n"));
    return 0;
}

// A program's own troubles have the codes that env(1) and timeout(1) give them.
Result<int> exit_for(const Error& error) {
    report(error);
    if (error.is(Errc::kBadImage)) return kNotExecutable;
    return error.is(Errc::kNotFound) ? kNotFound : kOwnFailure;
}

Result<int> run(const RunOptions& options) {
    DIVISI_TRY(check(options));
    const auto prepared = prepare(options);
    if (!prepared) return exit_for(prepared.error());
    if (options.native)
        return run_native({prepared->topology, options.policy, options.overrides}, prepared->job, prepared->report);
    if (options.detach) return start_detached(prepared->topology, prepared->job);
    DIVISI_TRY_ASSIGN(JobSignals signals, JobSignals::create());
    auto result = options.policy.empty() ? run_over(prepared->topology, *prepared, signals)
                                         : run_policy(options, *prepared, signals);
    if (result) return result;
    if (const auto signo = signals.take()) return 128 + *signo;  // what was interrupted need not be explained
    if (result.error().is(Errc::kBadImage)) return exit_for(result.error());
    return result;
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
    const auto options = std::make_shared<RunOptions>();
    CLI::App* verb =
        app.add_subcommand("run", "Run a program: run NAME -- PROGRAM [ARGS], or run --policy FILE -- PROGRAM [ARGS]");
    verb->add_option("WORDS", options->words, "The topology, then the program and its arguments")->option_text("…");
    verb->add_option("--policy", options->policy, "Carve this policy for the one run, and release it afterwards")
        ->type_name("FILE");
    add_override_options(*verb, options->overrides);
    const CLI::Range count(1, static_cast<int>(partitioner::kMaxNodes));
    verb->add_option("-n,--nodes", options->nodes, "Use the first K nodes only")->check(count)->type_name("K");
    verb->add_option("--ranks", options->ranks, "Processes (default: one a node, or one in shared-memory mode)")
        ->check(count)
        ->type_name("R");
    verb->add_option("--threads", options->threads, "CPUs a process sees (default: as the mode implies)")
        ->check(count)
        ->type_name("T");
    verb->add_option("--host-ranks", options->host_ranks, "Leave these ranks to host processes; see 'divisi join'")
        ->delimiter(',')
        ->type_name("R,…");
    verb->add_flag("--label", options->label, "Begin each line of output with its [rank]");
    verb->add_flag("-d,--detach", options->detach, "Print the job's name and leave it running; see 'divisi logs'");
    verb->add_flag("--native", options->native,
                   "Run the ranks as host processes, without nodes: with the shape of NAME or of --policy, or of -n K");
    verb->add_flag("--core", options->core, "Write core.JOB.RANK here for each rank that crashes, for gdb");
    verb->add_option("--on-deadlock", options->deadlock, "When all ranks wait for each other: end, report or ignore")
        ->check(CLI::IsMember({"end", "report", "ignore"}))
        ->type_name("WHAT")
        ->capture_default_str();
    verb->add_option("--report", options->report, "Write the job's report (JSON) to this file")->type_name("FILE");
    // Before parsing: a malformed command line is a failure of `run` itself, too.
    verb->preparse_callback([&context](std::size_t) { context.own_failure_exit = kOwnFailure; });
    verb->callback([options, &context] {
        if (context.command) add_command(*options, *context.command);
        context.action = [options] { return run(*options); };
    });
}

}  // namespace divisi::ctl
