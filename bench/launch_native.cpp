// Runs a program as N host processes over the channels of a fabric, as the nodes of a topology would.
//
//   launch-native [-n N] [--pus 0,1] [--shape full|ring|star] [--mode message-passing|shared-memory]
//                 [--ring BYTES] [--spin NS] -- PROGRAM [ARGUMENT…]
//
// Ranks are dealt out over the PUs in blocks. The exit code is the worst rank's.
#include <fmt/core.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/mode.hpp"
#include "shm/native.hpp"
#include "shm/tsc.hpp"

namespace {

using divisi::NodeId;
using divisi::Result;

struct Options {
    std::uint32_t ranks = 2;
    std::vector<std::uint32_t> pus;
    std::string shape = "full";
    std::string mode = "message-passing";
    std::size_t ring_bytes = 0;
    std::size_t shared_bytes = 16U << 20U;
    std::uint32_t spin_ns = 0;
    std::vector<std::string> command;
};

std::vector<std::uint32_t> allowed_pus() {
    cpu_set_t mask;
    std::vector<std::uint32_t> pus;
    if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return {0};
    for (std::uint32_t pu = 0; pu < CPU_SETSIZE; ++pu)
        if (CPU_ISSET(pu, &mask)) pus.push_back(pu);
    return pus;
}

std::vector<divisi::shm::Link> links_of(const std::string& shape, std::uint32_t nodes) {
    std::vector<divisi::shm::Link> links;
    for (std::uint32_t a = 0; a < nodes; ++a)
        for (std::uint32_t b = a + 1; b < nodes; ++b)
            if (shape == "full" || (shape == "star" && a == 0) ||
                (shape == "ring" && (b == a + 1 || b - a == nodes - 1)))
                links.push_back({NodeId{a}, NodeId{b}});
    return links;
}

std::vector<std::string> inherited_environment() {
    std::vector<std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    return environment;
}

int code_of(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Waits for all ranks; the peers of one that ended hear of it, as they do in a topology. The worst exit code.
Result<int> wait_for_all(const divisi::shm::Fabric& fabric, const divisi::shm::JobSpec& job,
                         std::vector<divisi::Process>& ranks) {
    std::vector<pollfd> ends;
    for (const auto& rank : ranks) ends.push_back({rank.pidfd(), POLLIN, 0});
    int worst = 0;
    for (std::size_t running = ranks.size(); running != 0;) {
        if (::poll(ends.data(), ends.size(), -1) < 0) continue;
        for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
            if ((ends[rank].revents & POLLIN) == 0) continue;
            DIVISI_TRY_ASSIGN(const int status, ranks[rank].wait());
            worst = std::max(worst, code_of(status));
            fabric.mark_gone(job.rank_nodes[rank]);
            ends[rank].fd = -1;
            --running;
        }
    }
    return worst;
}

Result<int> run(Options options) {
    if (options.pus.empty()) options.pus = allowed_pus();
    divisi::shm::FabricSpec spec;
    spec.name = "native";
    spec.links = links_of(options.shape, options.ranks);
    spec.ring_bytes = options.ring_bytes;
    spec.shared_bytes = options.shared_bytes;
    divisi::shm::JobSpec job;
    DIVISI_TRY_ASSIGN(job.mode, divisi::parse_mode(options.mode));
    job.spin_ns = options.spin_ns;
    job.tsc_khz = divisi::shm::measure_tsc_khz();
    for (std::uint32_t rank = 0; rank < options.ranks; ++rank) {
        spec.pus.push_back(options.pus[rank * options.pus.size() / options.ranks]);
        job.rank_nodes.push_back(NodeId{rank});
    }
    DIVISI_TRY_ASSIGN(auto fabric, divisi::shm::Fabric::create(spec));
    divisi::shm::NativeSpec native;
    native.argv = options.command;
    native.environment = inherited_environment();
    DIVISI_TRY_ASSIGN(auto ranks, divisi::shm::launch_native(fabric, job, native));
    return wait_for_all(fabric, job, ranks);
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Runs a program as host processes over the channels of a fabric.");
    app.add_option("-n", options.ranks, "ranks")->check(CLI::Range(1, 1024));
    app.add_option("--pus", options.pus, "PUs the ranks are dealt out over")->delimiter(',');
    app.add_option("--shape", options.shape, "interconnect")->check(CLI::IsMember({"full", "ring", "star"}));
    app.add_option("--mode", options.mode, "message-passing or shared-memory");
    app.add_option("--ring", options.ring_bytes, "bytes of a ring");
    app.add_option("--spin", options.spin_ns, "ns to spin before sleeping");
    app.add_option("command", options.command, "program and arguments")->required();
    CLI11_PARSE(app, argc, argv);
    const auto code = run(std::move(options));
    if (code) return *code;
    fmt::print(stderr, "launch-native: {}\n", code.error().message());
    return code.error().exit_code();
}
