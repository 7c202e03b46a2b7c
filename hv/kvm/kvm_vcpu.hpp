// A node on KVM: one virtual machine, one vCPU, three memory slots.
//
// How a system call leaves the guest: SYSCALL enters ring 0 at one HLT, which exits. Where KVM virtualizes by page
// tables alone (no VT-x or AMD-V beneath), SYSCALL leaves the processor in ring 3; the fetch of that supervisor page
// then faults, and the fault's own HLT exits: the same event, recognized by its address. The way back is one IRETQ.
#pragma once

#include <linux/kvm.h>
#include <pthread.h>

#include <atomic>
#include <memory>
#include <vector>

#include "base/fd.hpp"
#include "base/mapping.hpp"
#include "hv/kvm/system_pages.hpp"
#include "hv/vcpu.hpp"

namespace divisi::hv {

class KvmVcpu final : public Vcpu {
public:
    // `fast_calls`: whether SYSCALL stays in ring 3 here, and may enter code of the program's (fast_calls.hpp).
    static Result<std::unique_ptr<KvmVcpu>> create(int kvm, const std::vector<kvm_cpuid_entry2>& cpuid,
                                                   std::size_t run_bytes, bool fast_calls);

    Result<void> bind(const Ram& ram, const PageTables& tables) override;
    Result<void> unbind() override;
    Result<void> load(const ThreadContext& context) override;
    Result<void> save(ThreadContext& context) override;
    Exit run(Registers& regs) override;
    Result<void> set_fs_base(std::uint64_t base) override;
    Result<void> set_gs_base(std::uint64_t base) override;
    void kick() noexcept override;

    // Whether a SYSCALL was seen that stayed in ring 3. Means nothing where a program ran that nobody knows: to jump to
    // where system calls lead looks the same.
    [[nodiscard]] bool calls_stay_in_ring3() const { return calls_stay_in_ring3_; }

private:
    KvmVcpu(Fd vm, Fd vcpu, Mapping run, SystemPages system, bool fast_calls);
    Result<void> initialize(const std::vector<kvm_cpuid_entry2>& cpuid);
    void align_time_stamps();
    Result<void> set_slot(std::uint32_t slot, Gpa gpa, const std::byte* host, std::size_t bytes);

    void enter(const Registers& regs);
    Exit classify(Registers& regs);
    Exit exception(std::uint8_t vector, Registers& regs);
    Exit failure(Registers& regs, int error);
    Exit through_door(Registers& regs);
    Exit turned_away(Registers& regs);
    [[nodiscard]] kvm_run& run_page() const { return *reinterpret_cast<kvm_run*>(run_.data()); }

    // The slots keep pointing at the mappings: the VM must go before them, so it is declared after.
    SystemPages system_;
    Fd vm_;
    Fd vcpu_;
    Mapping run_;
    std::vector<std::byte> initial_xsave_;
    std::vector<std::byte> loaded_xsave_;  // where PKRU is kept: with its name in it
    std::size_t pkru_at_ = 0;              // in such an image; 0: it is not kept there
    bool fast_calls_;
    bool calls_stay_in_ring3_ = false;
    bool ring0_ = false;  // where the vCPU stands between two runs
    const std::byte* ram_host_ = nullptr;
    const std::byte* program_host_ = nullptr;
    std::atomic<pthread_t> runner_{};
    std::atomic<bool> has_runner_{false};
    std::atomic<bool> kicked_{false};  // and no run has been interrupted since
};

}  // namespace divisi::hv
