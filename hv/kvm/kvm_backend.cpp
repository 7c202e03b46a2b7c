#include "hv/kvm/kvm_backend.hpp"

#include <algorithm>

#include "hv/kvm/kvm_vcpu.hpp"

namespace divisi::hv {
namespace {

constexpr std::uint32_t bit(unsigned n) {
    return 1U << n;
}

// A node sees the host's processor, but for what takes a kernel in the guest, or state that we do not switch.
void hide_features(std::vector<kvm_cpuid_entry2>& entries) {
    for (kvm_cpuid_entry2& entry : entries) {
        if (entry.function == 1) {
            entry.ecx &= ~(bit(3) | bit(21) | bit(24));  // MONITOR, x2APIC, TSC-deadline
        } else if (entry.function == 7 && entry.index == 0) {
            entry.ebx &= ~bit(0);                                            // FSGSBASE: the VMM keeps the bases
            entry.ecx &= ~(bit(3) | bit(4) | bit(5) | bit(7));               // PKU, OSPKE, WAITPKG, shadow stacks
            entry.edx &= ~(bit(5) | bit(20) | bit(22) | bit(24) | bit(25));  // UINTR, IBT, AMX
        } else if (entry.function == 0xd && entry.index == 0) {
            // x87, SSE, AVX, AVX-512: the components whose state is switched. And PKRU: without virtualization of the
            // whole processor programs can write it, whatever they are told of keys; then each has its own.
            entry.eax &= 0x2e7;
            entry.edx = 0;
        } else if (entry.function == 0xd && entry.index == 1) {
            entry.eax &= ~(bit(3) | bit(4));  // XSAVES and XFD are for kernels
        } else if (entry.function >= 0x40000000 && entry.function < 0x40000100) {
            entry.eax = entry.ebx = entry.ecx = entry.edx = 0;  // no paravirtual kernel interfaces
        }
    }
}

}  // namespace

KvmBackend::KvmBackend(Fd kvm, std::vector<kvm_cpuid_entry2> cpuid, std::size_t run_bytes)
    : kvm_(std::move(kvm)), cpuid_(std::move(cpuid)), run_bytes_(run_bytes) {}

Result<std::unique_ptr<KvmBackend>> KvmBackend::create() {
    DIVISI_TRY_ASSIGN(Fd kvm, open_kvm());
    DIVISI_TRY_ASSIGN(std::vector<kvm_cpuid_entry2> cpuid, supported_cpuid(kvm.get()));
    hide_features(cpuid);
    DIVISI_TRY_ASSIGN(const int run_bytes, kvm_ioctl(kvm.get(), KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE"));
    return std::unique_ptr<KvmBackend>(
        new KvmBackend(std::move(kvm), std::move(cpuid), static_cast<std::size_t>(run_bytes)));
}

Result<std::unique_ptr<Vcpu>> KvmBackend::create_vcpu(NodeId id, std::uint32_t count) {
    std::vector<kvm_cpuid_entry2> cpuid = cpuid_;
    for (kvm_cpuid_entry2& entry : cpuid) {
        // The numbers a processor has of itself: APIC id and count of the topology, not of the host.
        if (entry.function == 1)
            entry.ebx = (entry.ebx & 0xffffU) | (std::min(count, 255U) << 16U) | ((id.value & 0xffU) << 24U);
        if (entry.function == 0xb || entry.function == 0x1f) entry.edx = id.value;
    }
    DIVISI_TRY_ASSIGN(std::unique_ptr<KvmVcpu> vcpu, KvmVcpu::create(kvm_.get(), cpuid, run_bytes_, fast_calls_));
    return std::unique_ptr<Vcpu>(std::move(vcpu));
}

void KvmBackend::learn(const Vcpu& tried) {
    // SAFETY: it is one of those that `create_vcpu` has made.
    // Once they enter our own code there, they are no longer seen to stay.
    fast_calls_ = fast_calls_ || static_cast<const KvmVcpu&>(tried).calls_stay_in_ring3();
}

}  // namespace divisi::hv
