// divisi top: what all nodes and jobs do, again and again.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "ctl/daemon_access.hpp"
#include "ctl/jobs_table.hpp"
#include "ctl/output.hpp"
#include "ctl/verbs.hpp"

namespace divisi::ctl {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kClear = "\033[H\033[J";
constexpr std::chrono::milliseconds kGlance{500};  // what a single table is measured over

struct TopOptions {
    bool once = false;
    double delay_seconds = 2;
};

// What a node had done by some moment.
struct Mark {
    std::uint64_t cpu_time_ns = 0;
    std::uint64_t exits = 0;
};

struct Sample {
    Clock::time_point when;
    std::vector<json::object> topologies;
    std::map<std::string, Mark> nodes;  // by "topology/node"
};

std::string key(const json::object& topology, const json::object& node) {
    return text_of(topology, "name") + "/" + text_of(node, "id");
}

Result<Sample> take_sample(api::Client& client) {
    Sample sample;
    DIVISI_TRY_ASSIGN(const json::object list, client.topologies());
    for (const json::object* each : objects_of(list, "topologies")) {
        auto topology = client.topology(text_of(*each, "name"));
        if (!topology) continue;  // released meanwhile, or being carved
        for (const json::object* node : objects_of(*topology, "nodes"))
            sample.nodes[key(*topology, *node)] = {count_of(*node, "cpu_time_ns"), count_of(*node, "exits")};
        sample.topologies.push_back(std::move(*topology));
    }
    sample.when = Clock::now();
    return sample;
}

std::string node_table(const json::object& topology, const Sample& before, const Sample& now) {
    const double seconds = std::chrono::duration<double>(now.when - before.when).count();
    Table table({"NODE", "CORE", "PU", "STATE", "CPU%", "EXITS/s"});
    for (const json::object* node : objects_of(topology, "nodes")) {
        const Mark& mark = now.nodes.at(key(topology, *node));
        const auto then = before.nodes.find(key(topology, *node));
        const Mark since = then == before.nodes.end() || then->second.exits > mark.exits ? mark : then->second;
        table.row({text_of(*node, "id"), text_of(*node, "core"), text_of(*node, "pu"), text_of(*node, "state"),
                   fmt::format("{:.0f}", static_cast<double>(mark.cpu_time_ns - since.cpu_time_ns) / seconds / 1e7),
                   fmt::format("{:.0f}", static_cast<double>(mark.exits - since.exits) / seconds)});
    }
    return table.text();
}

std::string picture(const Sample& before, const Sample& now) {
    if (now.topologies.empty()) return "no topology (make one with: divisi carve POLICY)\n";
    std::string text;
    for (const json::object& topology : now.topologies) {
        text += fmt::format("{}{}: {}, {}, {}\n", text.empty() ? "" : "\n", text_of(topology, "name"),
                            text_of(topology, "mode"), text_of(topology, "state"), text_of(topology, "backend"));
        if (const auto running = running_jobs(topology); !running.empty()) text += jobs_table(running);
        text += node_table(topology, before, now);
    }
    return text;
}

Result<int> top(const TopOptions& options) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    const bool live = !options.once && ::isatty(STDOUT_FILENO) == 1;
    const auto delay =
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options.delay_seconds));
    DIVISI_TRY_ASSIGN(Sample before, take_sample(daemon.client));
    for (bool first = true;; first = false) {
        std::this_thread::sleep_for(first ? Clock::duration(kGlance) : delay);
        DIVISI_TRY_ASSIGN(Sample now, take_sample(daemon.client));
        DIVISI_TRY(print((live ? std::string(kClear) : std::string()) + picture(before, now)));
        if (!live) return 0;
        before = std::move(now);
    }
}

}  // namespace

void add_top(CLI::App& app, Context& context) {
    const auto options = std::make_shared<TopOptions>();
    CLI::App* verb = app.add_subcommand("top", "Show what all nodes and jobs do, again and again");
    verb->add_flag("--once", options->once, "One table, and no more; so it is where the output is no terminal");
    verb->add_option("-d,--delay", options->delay_seconds, "Seconds from one table to the next")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    verb->callback([options, &context] { context.action = [options] { return top(*options); }; });
}

}  // namespace divisi::ctl
