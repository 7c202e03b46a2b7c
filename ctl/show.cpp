// divisi show: one topology in full.
#include <fmt/format.h>

#include <memory>

#include "base/quantity.hpp"
#include "ctl/daemon_access.hpp"
#include "ctl/jobs_table.hpp"
#include "ctl/output.hpp"
#include "ctl/show_job.hpp"
#include "ctl/show_threads.hpp"
#include "ctl/traffic.hpp"
#include "ctl/verbs.hpp"
#include "partitioner/draw.hpp"
#include "partitioner/plan_json.hpp"

namespace divisi::ctl {
namespace {

struct ShowOptions {
    std::string name;
    std::string job;
    bool threads = false;
    bool backtrace = false;
    bool every_node = false;
    bool traffic = false;
    Format format = Format::kTable;
};

bool alike(const json::object& a, const json::object& b) {
    return count_of(a, "pu") == count_of(b, "pu") && text_of(a, "state") == text_of(b, "state");
}

// One row for each run of nodes that share a PU and a state, with their sums; or a row for each node.
std::string node_table(const std::vector<const json::object*>& nodes, bool every_node) {
    Table table({"NODES", "CORE", "PU", "STATE", "MEMORY", "EXITS", "CPU"});
    for (std::size_t first = 0; first < nodes.size();) {
        std::size_t end = first + 1;
        while (!every_node && end < nodes.size() && alike(*nodes[first], *nodes[end])) ++end;
        std::uint64_t exits = 0;
        std::chrono::nanoseconds cpu_time{0};
        for (std::size_t i = first; i < end; ++i) {
            exits += count_of(*nodes[i], "exits");
            cpu_time += std::chrono::nanoseconds(static_cast<std::int64_t>(count_of(*nodes[i], "cpu_time_ns")));
        }
        const std::string ids = end == first + 1 ? text_of(*nodes[first], "id")
                                                 : text_of(*nodes[first], "id") + "-" + text_of(*nodes[end - 1], "id");
        table.row({ids, text_of(*nodes[first], "core"), text_of(*nodes[first], "pu"), text_of(*nodes[first], "state"),
                   format_size(count_of(*nodes[first], "memory")), fmt::to_string(exits), format_duration(cpu_time)});
        first = end;
    }
    return table.text();
}

std::string headline(const json::object& topology) {
    std::string backend = text_of(topology, "backend");
    if (const std::string why = text_of(topology, "backend_reason"); why != "-") backend += " (" + why + ")";
    return fmt::format("{}: {}, {}, {}\ncarved {} ago from {}, divisi-vmm is pid {}\n", text_of(topology, "name"),
                       text_of(topology, "mode"), text_of(topology, "state"), backend,
                       age_of(count_of(topology, "created")), text_of(topology, "source"),
                       text_of(topology, "vmm_pid"));
}

Result<int> show_traffic(DaemonAccess& daemon, const ShowOptions& options) {
    DIVISI_TRY_ASSIGN(const json::object traffic, daemon.client.traffic(options.name));
    if (options.format == Format::kJson) {
        DIVISI_TRY(print_json(traffic));
    } else {
        DIVISI_TRY(print(traffic_text(traffic)));
    }
    return 0;
}

Result<int> show_topology(const ShowOptions& options) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    if (options.traffic) return show_traffic(daemon, options);
    DIVISI_TRY_ASSIGN(const json::object topology, daemon.client.topology(options.name));
    if (options.format == Format::kJson) {
        DIVISI_TRY(print_json(topology));
        return 0;
    }
    std::string out = headline(topology);
    if (const std::string problem = text_of(topology, "problem"); problem != "-") out += "problem: " + problem + "\n";
    if (const std::string memory = text_of(topology, "memory_note"); memory != "-" && !memory.empty())
        out += "memory: " + memory + "\n";
    if (const auto plan = partitioner::plan_from_json(topology)) out += partitioner::interconnect_line(*plan) + "\n";
    out += "\n" + node_table(objects_of(topology, "nodes"), options.every_node);
    const auto jobs = objects_of(topology, "jobs");
    if (!jobs.empty()) out += "\n" + jobs_table(jobs);
    DIVISI_TRY(print(out));
    return 0;
}

Result<int> show(const ShowOptions& options) {
    const auto usage = [](const char* what) { return make_error(Errc::kUsage, what, {}, "see 'divisi show --help'"); };
    if (options.name.empty() == options.job.empty()) return usage("which topology, or with --job which job?");
    if (!options.job.empty()) return show_job(options.job, options.format);
    if (options.threads && options.traffic) return usage("--threads and --traffic: one at a time");
    if (options.backtrace && !options.threads) return usage("--backtrace belongs to --threads");
    if (options.threads) return show_threads(options.name, options.backtrace, options.format);
    return show_topology(options);
}

}  // namespace

void add_show(CLI::App& app, Context& context) {
    const auto options = std::make_shared<ShowOptions>();
    CLI::App* verb = app.add_subcommand("show", "Show one topology: its nodes, its interconnect, its jobs; or a job");
    verb->add_option("NAME", options->name, "The topology");
    verb->add_flag("--threads", options->threads, "What every thread of its running job does now, and where");
    verb->add_flag("--backtrace", options->backtrace, "With --threads: how each got there");
    verb->add_option("--job", options->job, "A job, running or ended: how it went")->type_name("JOB");
    verb->add_flag("-a,--all", options->every_node, "A row for every node, instead of one for those that are alike");
    verb->add_flag("--traffic", options->traffic,
                   "What the ranks of its present or last job have sent, by link and by pair of ranks");
    add_output_option(*verb, options->format);
    verb->callback([options, &context] { context.action = [options] { return show(*options); }; });
}

}  // namespace divisi::ctl
