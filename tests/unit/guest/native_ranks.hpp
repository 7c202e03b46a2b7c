// Runs a scenario of ranks.c as host processes over the channels of a fabric.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "shm/native.hpp"
#include "shm/tsc.hpp"

namespace divisi::test {

struct Ranks {
    std::uint32_t count = 2;
    std::string shape = "full";  // full, ring, star, chain, mesh (of 4 columns), pairs
    Mode mode = Mode::kMessagePassing;
    std::size_t ring_bytes = 0;
    std::uint32_t spin_ns = 0;
    std::vector<std::uint32_t> used = {};  // the nodes that get a rank; all where empty
    std::uint64_t latency_ns = 0;          // of each link
    std::uint64_t bandwidth_bits = 0;
    bool own_pus = false;  // each is told that it has a PU of its own
};

inline bool linked(const std::string& shape, std::uint32_t nodes, std::uint32_t a, std::uint32_t b) {
    if (shape == "full") return true;
    if (shape == "star") return a == 0;
    if (shape == "chain") return b == a + 1;
    if (shape == "pairs") return b == a + 1 && a % 2 == 0;
    if (shape == "ring") return b == a + 1 || (nodes > 2 && b - a == nodes - 1);
    return b == a + 4 || (b == a + 1 && b % 4 != 0);
}

inline std::vector<std::uint32_t> allowed_pus() {
    cpu_set_t mask;
    std::vector<std::uint32_t> pus;
    if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return {0};
    for (std::uint32_t pu = 0; pu < CPU_SETSIZE; ++pu)
        if (CPU_ISSET(pu, &mask)) pus.push_back(pu);
    return pus;
}

inline shm::FabricSpec fabric_spec(const Ranks& ranks) {
    const auto pus = allowed_pus();
    shm::FabricSpec spec;
    spec.name = "test";
    spec.ring_bytes = ranks.ring_bytes;
    spec.shared_bytes = 65536;
    for (std::uint32_t a = 0; a < ranks.count; ++a) {
        spec.pus.push_back(ranks.own_pus ? a : pus[a % pus.size()]);
        for (std::uint32_t b = a + 1; b < ranks.count; ++b)
            if (linked(ranks.shape, ranks.count, a, b))
                spec.links.push_back({NodeId{a}, NodeId{b}, ranks.latency_ns, ranks.bandwidth_bits});
    }
    return spec;
}

inline shm::JobSpec job_spec(const Ranks& ranks) {
    shm::JobSpec job;
    job.mode = ranks.mode;
    job.spin_ns = ranks.spin_ns;
    job.tsc_khz = shm::measure_tsc_khz();
    for (std::uint32_t node = 0; node < ranks.count; ++node)
        if (ranks.used.empty()) job.rank_nodes.push_back(NodeId{node});
    for (const std::uint32_t node : ranks.used) job.rank_nodes.push_back(NodeId{node});
    return job;
}

// Waits for all ranks, in any order of their ends, telling the peers of each that it is gone. The exit codes, by rank;
// 128 + signal for a death.
inline std::vector<int> run_ranks(const Ranks& ranks, const std::string& scenario) {
    auto fabric = shm::Fabric::create(fabric_spec(ranks));
    EXPECT_TRUE(fabric);
    const auto job = job_spec(ranks);
    shm::NativeSpec native;
    native.argv = {DIVISI_TEST_RANKS, scenario};
    native.pin = !ranks.own_pus;
    constexpr const char* kSeconds = "DIVISI_TEST_HOSTILE_SECONDS";
    if (const char* seconds = std::getenv(kSeconds))
        native.environment.push_back(std::string(kSeconds) + "=" + seconds);
    auto processes = shm::launch_native(*fabric, job, native);
    if (!processes) ADD_FAILURE() << processes.error().message();
    if (!processes) return {};
    std::vector<int> codes(processes->size(), -1);
    for (std::size_t running = codes.size(); running != 0;) {
        for (std::size_t rank = 0; rank < codes.size(); ++rank) {
            if (codes[rank] != -1) continue;
            const auto status = (*processes)[rank].try_wait();
            if (!status || !*status) continue;
            codes[rank] = WIFSIGNALED(**status) ? 128 + WTERMSIG(**status) : WEXITSTATUS(**status);
            if (codes[rank] != 0) fabric->mark_gone(job.rank_nodes[rank]);
            --running;
        }
        ::usleep(500);
    }
    return codes;
}

inline void expect_all_well(const Ranks& ranks, const std::string& scenario) {
    const std::size_t count = ranks.used.empty() ? ranks.count : ranks.used.size();
    EXPECT_EQ(run_ranks(ranks, scenario), std::vector<int>(count, 0)) << scenario;
}

}  // namespace divisi::test
