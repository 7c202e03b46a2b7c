#include "ctl/run_native.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/paths.hpp"
#include "ctl/daemon_access.hpp"
#include "partitioner/plan_json.hpp"

namespace divisi::ctl {
namespace {

// The topology as it was carved, in the mode that it is in now.
Result<json::object> config_of_topology(const std::string& name) {
    DIVISI_TRY_ASSIGN(DaemonAccess daemon, reach_daemon());
    DIVISI_TRY_ASSIGN(const json::object shown, daemon.client.topology(name));
    DIVISI_TRY_ASSIGN(const std::string text, read_file(topology_dir(daemon.state, name) + "/config.json"));
    DIVISI_TRY_ASSIGN(json::object config, parse_object(text));
    DIVISI_TRY_ASSIGN(const std::string mode, string_field(shown, "mode"));
    config["mode"] = mode;
    return config;
}

Result<partitioner::Policy> any_policy(std::uint64_t nodes, const partitioner::Machine& machine) {
    const std::uint64_t count = nodes != 0 ? nodes : machine.usable_pu_count();
    return partitioner::parse_policy(
        fmt::format(
            "apiVersion: divisi/v1\nname: native\nnodes: {{count: {}, memory: 4MiB}}\nmachine: {{smt: allow}}\n",
            count),
        fmt::format("{} nodes", count));
}

Result<json::object> config_of(const NativeRun& run, std::uint64_t nodes) {
    if (!run.topology.empty()) return config_of_topology(run.topology);
    DIVISI_TRY_ASSIGN(const auto options, plan_options(run.overrides));
    DIVISI_TRY_ASSIGN(const auto machine, load_machine({}));
    DIVISI_TRY_ASSIGN(const auto policy, run.policy.empty() ? any_policy(nodes, machine) : load_policy(run.policy));
    DIVISI_TRY_ASSIGN(const auto plan, partitioner::make_plan(policy, machine, options));
    return partitioner::to_vmm_config(plan);
}

Result<std::string> inherit(const Fd& fd) {
    if (!fd.valid()) return std::string("-1");
    if (::fcntl(fd.get(), F_SETFD, 0) != 0) return system_error(errno, "cannot pass on a descriptor");
    return fmt::to_string(fd.get());
}

Result<void> become(const NativeRun& run, const PreparedJob& job, const Fd& report) {
    const api::JobRequest& wanted = job.request;
    DIVISI_TRY_ASSIGN(json::object config, config_of(run, wanted.nodes));
    const std::string text = json::serialize(json::object{{"config", std::move(config)},
                                                          {"path", wanted.path},
                                                          {"nodes", wanted.nodes},
                                                          {"ranks", wanted.ranks},
                                                          {"threads", wanted.threads},
                                                          {"label", wanted.label},
                                                          {"deadlock", wanted.deadlock}});
    DIVISI_TRY_ASSIGN(const Fd request, create_memfd("divisi-native", text.size()));
    DIVISI_TRY(write_all(request.get(), text, "the request"));
    DIVISI_TRY_ASSIGN(const std::string folder, own_bin_dir());
    const std::string program = folder + "/divisi-native";
    DIVISI_TRY_ASSIGN(const std::string request_fd, inherit(request));
    DIVISI_TRY_ASSIGN(const std::string report_fd, inherit(report));
    std::vector<std::string> words{program, request_fd, report_fd, "--"};
    words.insert(words.end(), wanted.argv.begin(), wanted.argv.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ::execv(program.c_str(), argv.data());
    return system_error(errno, "cannot execute", program, "build all of divisi, and keep its programs in one folder");
}

}  // namespace

Error run_native(const NativeRun& run, const PreparedJob& job, const Fd& report) {
    return become(run, job, report).error();
}

}  // namespace divisi::ctl
