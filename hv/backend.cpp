#include "hv/backend.hpp"

#include <sys/mman.h>

#include <array>

#include "hv/address_space.hpp"
#include "hv/direct/direct_backend.hpp"
#include "hv/kvm/kvm_backend.hpp"

namespace divisi::hv {
namespace {

constexpr Gva kTrialAt = 0x40'0000;
constexpr std::uint32_t kTrialCall = 0x2a;
// mov $42, %eax; syscall
constexpr std::array<std::uint8_t, 7> kTrialCode{0xb8, kTrialCall, 0, 0, 0, 0x0f, 0x05};
constexpr std::size_t kTrialBytes = 16 * kPageBytes;
constexpr int kMostExits = 16;

template <typename B>
Result<ChosenBackend> choose(std::string reason) {
    DIVISI_TRY_ASSIGN(std::unique_ptr<B> backend, B::create());
    return ChosenBackend{std::move(backend), std::move(reason)};
}

Result<ChosenBackend> choose_best() {
    auto kvm = choose<KvmBackend>("a node starts on /dev/kvm");
    Result<void> works = kvm ? try_backend(*kvm->backend) : Result<void>(kvm.error());
    if (works) return kvm;
    auto direct = choose<DirectBackend>("no node starts on KVM: " + works.error().message());
    if (direct) return direct;
    return make_error(
        Errc::kUnreachable,
        "neither backend works here; kvm: " + works.error().message() + "; direct: " + direct.error().message(),
        "backend", "see divisi doctor");
}

}  // namespace

Result<ChosenBackend> choose_backend(std::string_view wanted) {
    if (wanted == "auto") return choose_best();
    if (wanted == "kvm") {
        auto kvm = choose<KvmBackend>("asked for");
        if (kvm) DIVISI_TRY(try_backend(*kvm->backend));
        return kvm;
    }
    if (wanted == "direct") return choose<DirectBackend>("asked for");
    return make_error(Errc::kUsage, "no such backend", "'" + std::string(wanted) + "'", "use auto, kvm or direct");
}

Result<void> try_backend(Backend& backend) {
    DIVISI_TRY_ASSIGN(const auto ram, Ram::create("divisi-trial", kTrialBytes, -1));
    DIVISI_TRY_ASSIGN(const auto tables, PageTables::create(0));
    AddressSpace memory(*ram, *tables);
    constexpr int kProt = PROT_READ | PROT_WRITE | PROT_EXEC;
    if (memory.map(kTrialAt, kPageBytes, kProt, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, std::nullopt) < 0 ||
        !memory.write(kTrialAt, kTrialCode))
        return make_error(Errc::kFailed, "cannot load a trial program");
    DIVISI_TRY_ASSIGN(const auto vcpu, backend.create_vcpu(NodeId{0}, 1));
    DIVISI_TRY(vcpu->bind(*ram, *tables));
    ThreadContext context;
    context.regs.rip = kTrialAt;
    DIVISI_TRY(vcpu->load(context));
    for (int exits = 0; exits < kMostExits; ++exits) {
        const Exit exit = vcpu->run(context.regs);
        if (exit.kind == Exit::Kind::kFailure) return exit.failure;
        if (exit.kind == Exit::Kind::kException) break;
        if (exit.kind != Exit::Kind::kSyscall) continue;
        if (context.regs.rax != kTrialCall || context.regs.rip != kTrialAt + kTrialCode.size()) break;
        backend.learn(*vcpu);
        return vcpu->unbind();
    }
    return make_error(Errc::kFailed, "a node starts, but does not run a program", std::string(backend.name()));
}

}  // namespace divisi::hv
