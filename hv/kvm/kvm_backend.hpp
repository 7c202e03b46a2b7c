// The backend on /dev/kvm: one KVM virtual machine with one vCPU for every node.
#pragma once

#include <vector>

#include "hv/backend.hpp"
#include "hv/kvm/kvm_api.hpp"

namespace divisi::hv {

class KvmBackend final : public Backend {
public:
    // Errors: kUnreachable: no /dev/kvm, no permission, a kernel without what it takes.
    static Result<std::unique_ptr<KvmBackend>> create();

    [[nodiscard]] std::string_view name() const override { return "kvm"; }
    Result<std::unique_ptr<Vcpu>> create_vcpu(NodeId id, std::uint32_t count) override;
    void learn(const Vcpu& tried) override;
    [[nodiscard]] Gva call_address() const override { return fast_calls_ ? kFastCallsGva : 0; }

private:
    KvmBackend(Fd kvm, std::vector<kvm_cpuid_entry2> cpuid, std::size_t run_bytes);

    Fd kvm_;
    std::vector<kvm_cpuid_entry2> cpuid_;  // what the host supports, less what a node must not see
    std::size_t run_bytes_;
    bool fast_calls_ = false;  // SYSCALL stays in ring 3
};

}  // namespace divisi::hv
