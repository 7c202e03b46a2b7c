// The host's own part of what nodes cost: a bare loop of entering guest code that leaves at once, with nobody serving
// it, and two threads of the host that wake each other. Prints ns of each, as JSON.
//
//   exit-cost [BACKEND]
#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "hv/address_space.hpp"
#include "hv/backend.hpp"
#include "hv/kick_signal.hpp"

namespace divisi::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPasses = 5;
constexpr int kRounds = 1000;
constexpr std::size_t kMemory = 1U << 20U;

template <typename Run>
double best_ns(Run run) {
    double best = 1e18;
    for (int pass = 0; pass < kPasses; ++pass) {
        const auto begin = Clock::now();
        run();
        best = std::min(best, std::chrono::duration<double, std::nano>(Clock::now() - begin).count() / kRounds);
    }
    return best;
}

// A node whose program is `again: syscall; jmp again`.
Result<double> exit_and_entry(const std::string& name) {
    constexpr std::array<unsigned char, 4> kProgram{0x0f, 0x05, 0xeb, 0xfc};
    constexpr hv::Gva kCodeAt = 0x40'0000;
    DIVISI_TRY_ASSIGN(hv::ChosenBackend chosen, hv::choose_backend(name));
    DIVISI_TRY_ASSIGN(auto ram, hv::Ram::create("exit-cost", kMemory, -1));
    DIVISI_TRY_ASSIGN(auto tables, hv::PageTables::create(0));
    hv::AddressSpace memory(*ram, *tables);
    memory.map(kCodeAt, hv::kPageBytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
               std::nullopt);
    memory.copy_out(kCodeAt, kProgram.data(), kProgram.size());
    DIVISI_TRY_ASSIGN(auto vcpu, chosen.backend->create_vcpu(NodeId{0}, 1));
    DIVISI_TRY(vcpu->bind(*ram, *tables));
    hv::ThreadContext context;
    context.regs.rip = kCodeAt;
    DIVISI_TRY(vcpu->load(context));
    hv::Exit exit = vcpu->run(context.regs);
    if (exit.kind != hv::Exit::Kind::kSyscall) return make_error(Errc::kFailed, "the first exit is no system call");
    return best_ns([&] {
        for (int round = 0; round < kRounds; ++round) exit = vcpu->run(context.regs);
    });
}

void pin(int index) {
    cpu_set_t allowed;
    ::sched_getaffinity(0, sizeof allowed, &allowed);
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &allowed) && index-- == 0) CPU_SET(cpu, &set);
    }
    if (CPU_COUNT(&set) != 0) ::sched_setaffinity(0, sizeof set, &set);
}

void rally(std::atomic<std::uint32_t>& turn, std::uint32_t mine) {
    for (int round = 0; round < kRounds / 2; ++round) {
        while (turn.load() != mine) ::syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 1 - mine, nullptr, nullptr, 0);
        turn.store(1 - mine);
        ::syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }
}

double wake_across_pus() {
    return best_ns([] {
        std::atomic<std::uint32_t> turn{0};
        std::thread second([&turn] {
            pin(1);
            rally(turn, 1);
        });
        std::thread first([&turn] {
            pin(0);
            rally(turn, 0);
        });
        first.join();
        second.join();
    });
}

}  // namespace
}  // namespace divisi::bench

int main(int argc, char** argv) {
    if (auto installed = divisi::hv::install_kick_handler(); !installed) return 1;
    const auto exit = divisi::bench::exit_and_entry(argc > 1 ? argv[1] : "auto");
    if (!exit) {
        std::fputs(fmt::format("exit-cost: {}\n", exit.error().message()).c_str(), stderr);
        return 1;
    }
    std::puts(fmt::format("{{\"exit\": {:.1f}, \"wake\": {:.1f}}}", *exit, divisi::bench::wake_across_pus()).c_str());
    return 0;
}
