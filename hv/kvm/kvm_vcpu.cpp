#include "hv/kvm/kvm_vcpu.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "hv/kick_signal.hpp"
#include "hv/kvm/fast_calls.hpp"
#include "hv/kvm/kvm_api.hpp"
#include "hv/page_tables.hpp"
#include "hv/ram.hpp"

namespace divisi::hv {
namespace {

constexpr unsigned kPkruComponent = 9;
constexpr std::size_t kXsaveHeaderAt = 512;

constexpr std::uint32_t kMsrStar = 0xc000'0081, kMsrLstar = 0xc000'0082, kMsrFmask = 0xc000'0084,
                        kMsrFsBase = 0xc000'0100, kMsrGsBase = 0xc000'0101;
constexpr std::uint32_t kErrorUser = 4;

void to_kvm(const Registers& from, kvm_regs& to) {
    to.rax = from.rax, to.rbx = from.rbx, to.rcx = from.rcx, to.rdx = from.rdx;
    to.rsi = from.rsi, to.rdi = from.rdi, to.rsp = from.rsp, to.rbp = from.rbp;
    to.r8 = from.r8, to.r9 = from.r9, to.r10 = from.r10, to.r11 = from.r11;
    to.r12 = from.r12, to.r13 = from.r13, to.r14 = from.r14, to.r15 = from.r15;
    to.rip = from.rip, to.rflags = from.rflags;
}

// SYSCALL has left in RCX and R11 where the program goes on, and its flags.
Exit system_call(Registers& regs) {
    regs.rip = regs.rcx;
    regs.rflags = regs.r11;
    return Exit::syscall();
}

void from_kvm(const kvm_regs& from, Registers& to) {
    to.rax = from.rax, to.rbx = from.rbx, to.rcx = from.rcx, to.rdx = from.rdx;
    to.rsi = from.rsi, to.rdi = from.rdi, to.rsp = from.rsp, to.rbp = from.rbp;
    to.r8 = from.r8, to.r9 = from.r9, to.r10 = from.r10, to.r11 = from.r11;
    to.r12 = from.r12, to.r13 = from.r13, to.r14 = from.r14, to.r15 = from.r15;
    to.rip = from.rip, to.rflags = from.rflags;
}

// What an image leaves out KVM resets, but not PKRU: that would stay the last program's.
// Source: Intel SDM vol. 1, 13.4.2 (XSTATE_BV), 13.5.7.
void name_pkru(std::vector<std::byte>& xsave, std::size_t pkru_at) {
    std::uint64_t components = 0;
    std::memcpy(&components, xsave.data() + kXsaveHeaderAt, sizeof components);
    if ((components >> kPkruComponent & 1U) != 0) return;
    components |= 1U << kPkruComponent;
    std::memcpy(xsave.data() + kXsaveHeaderAt, &components, sizeof components);
    std::memset(xsave.data() + pkru_at, 0, sizeof(std::uint64_t));
}

}  // namespace

KvmVcpu::KvmVcpu(Fd vm, Fd vcpu, Mapping run, SystemPages system, bool fast_calls)
    : system_(std::move(system)),
      vm_(std::move(vm)),
      vcpu_(std::move(vcpu)),
      run_(std::move(run)),
      fast_calls_(fast_calls) {}

Result<std::unique_ptr<KvmVcpu>> KvmVcpu::create(int kvm, const std::vector<kvm_cpuid_entry2>& cpuid,
                                                 std::size_t run_bytes, bool fast_calls) {
    DIVISI_TRY_ASSIGN(SystemPages system, SystemPages::create());
    DIVISI_TRY_ASSIGN(const int vm_number, kvm_ioctl(kvm, KVM_CREATE_VM, "cannot create a virtual machine"));
    Fd vm(vm_number);
    DIVISI_TRY_ASSIGN(const int vcpu_number, kvm_ioctl(vm_number, KVM_CREATE_VCPU, "cannot create a vCPU"));
    Fd vcpu(vcpu_number);
    DIVISI_TRY_ASSIGN(Mapping run, Mapping::file(vcpu.get(), 0, run_bytes, PROT_READ | PROT_WRITE));
    auto node = std::unique_ptr<KvmVcpu>(
        new KvmVcpu(std::move(vm), std::move(vcpu), std::move(run), std::move(system), fast_calls));
    DIVISI_TRY(node->initialize(cpuid));
    return node;
}

Result<void> KvmVcpu::initialize(const std::vector<kvm_cpuid_entry2>& cpuid) {
    DIVISI_TRY(set_slot(kSystemSlot, kSystemGpa, system_.host(), kSystemBytes));
    // Before CR4 and XCR0: what they may hold is checked against it.
    DIVISI_TRY(set_cpuid(vcpu_.get(), cpuid));
    kvm_sregs sregs{};
    DIVISI_TRY(kvm_ioctl(vcpu_.get(), KVM_GET_SREGS, "KVM_GET_SREGS", &sregs));
    SystemPages::fill_sregs(sregs);
    DIVISI_TRY(kvm_ioctl(vcpu_.get(), KVM_SET_SREGS, "KVM_SET_SREGS", &sregs));
    const auto state_components = std::find_if(
        cpuid.begin(), cpuid.end(), [](const auto& entry) { return entry.function == 0xd && entry.index == 0; });
    kvm_xcrs xcrs{};
    xcrs.nr_xcrs = 1;
    xcrs.xcrs[0].value = state_components == cpuid.end() ? 3 : state_components->eax | 3U;
    DIVISI_TRY(kvm_ioctl(vcpu_.get(), KVM_SET_XCRS, "KVM_SET_XCRS", &xcrs));
    // All that SYSCALL must clear before ring 0: TF IF DF IOPL NT RF AC.
    constexpr std::uint64_t kMask = 0x57700;
    DIVISI_TRY(set_msrs(vcpu_.get(), {{kMsrStar, (0x23ULL << 48U) | (0x10ULL << 32U)},
                                      {kMsrLstar, fast_calls_ ? kFastCallsGva : SystemPages::kSyscallEntry},
                                      {kMsrFmask, fast_calls_ ? 0 : kMask}}));
    align_time_stamps();
    initial_xsave_.resize(kKvmXsaveBytes);
    DIVISI_TRY(kvm_ioctl(vcpu_.get(), kKvmGetXsave, "KVM_GET_XSAVE", initial_xsave_.data()));
    const auto pkru = std::find_if(cpuid.begin(), cpuid.end(), [](const auto& entry) {
        return entry.function == 0xd && entry.index == kPkruComponent;
    });
    const bool kept = (xcrs.xcrs[0].value >> kPkruComponent & 1U) != 0 && pkru != cpuid.end();
    if (kept && pkru->ebx >= kXsaveHeaderAt + 64 && pkru->ebx <= kKvmXsaveBytes - 8) pkru_at_ = pkru->ebx;
    run_page().kvm_valid_regs = KVM_SYNC_X86_REGS;
    return {};
}

// Makes the node's time stamp counter the host's, which is what programs tell time by (guest_clock.hpp). Where the
// kernel cannot, the counters are so far apart that nobody takes one for the other, and programs ask by system calls.
void KvmVcpu::align_time_stamps() {
    std::uint64_t offset = 0;
    kvm_device_attr attribute{};
    attribute.group = KVM_VCPU_TSC_CTRL;
    attribute.attr = KVM_VCPU_TSC_OFFSET;
    attribute.addr = reinterpret_cast<std::uintptr_t>(&offset);
    static_cast<void>(::ioctl(vcpu_.get(), KVM_SET_DEVICE_ATTR, &attribute));
}

Result<void> KvmVcpu::set_slot(std::uint32_t slot, Gpa gpa, const std::byte* host, std::size_t bytes) {
    kvm_userspace_memory_region region{};
    region.slot = slot;
    region.guest_phys_addr = gpa;
    region.memory_size = bytes;
    region.userspace_addr = reinterpret_cast<std::uintptr_t>(host);
    DIVISI_TRY(kvm_ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, "cannot set a memory slot", &region));
    return {};
}

Result<void> KvmVcpu::bind(const Ram& ram, const PageTables& tables) {
    if (ram_host_ != ram.host(0)) {
        // A slot's host address cannot change: it goes, and comes again.
        if (ram_host_ != nullptr) DIVISI_TRY(set_slot(kRamSlot, kRamGpa, ram_host_, 0));
        ram_host_ = nullptr;
        DIVISI_TRY(set_slot(kRamSlot, kRamGpa, ram.host(0), ram.size_bytes()));
        ram_host_ = ram.host(0);
    }
    if (program_host_ != tables.region()) {
        if (program_host_ != nullptr) DIVISI_TRY(set_slot(kProgramSlot, kProgramGpa, program_host_, 0));
        program_host_ = nullptr;
        DIVISI_TRY(set_slot(kProgramSlot, kProgramGpa, tables.region(), tables.region_bytes()));
        program_host_ = tables.region();
    }
    if (fast_calls_) tables.expose_fast_calls(fast_calls_code());
    return {};
}

Result<void> KvmVcpu::unbind() {
    if (ram_host_ != nullptr) DIVISI_TRY(set_slot(kRamSlot, kRamGpa, ram_host_, 0));
    ram_host_ = nullptr;
    if (program_host_ != nullptr) DIVISI_TRY(set_slot(kProgramSlot, kProgramGpa, program_host_, 0));
    program_host_ = nullptr;
    return {};
}

Result<void> KvmVcpu::load(const ThreadContext& context) {
    const std::vector<std::byte>* xsave = context.xsave.empty() ? &initial_xsave_ : &context.xsave;
    if (pkru_at_ != 0) {
        loaded_xsave_ = *xsave;
        name_pkru(loaded_xsave_, pkru_at_);
        xsave = &loaded_xsave_;
    }
    DIVISI_TRY(kvm_ioctl(vcpu_.get(), kKvmSetXsave, "KVM_SET_XSAVE", xsave->data()));
    return set_msrs(vcpu_.get(), {{kMsrFsBase, context.fs_base}, {kMsrGsBase, context.gs_base}});
}

Result<void> KvmVcpu::save(ThreadContext& context) {
    // The bases are the VMM's own knowledge: CR4.FSGSBASE is off, so only arch_prctl changes them.
    context.xsave.resize(initial_xsave_.size());
    DIVISI_TRY(kvm_ioctl(vcpu_.get(), kKvmGetXsave, "KVM_GET_XSAVE", context.xsave.data()));
    return {};
}

Result<void> KvmVcpu::set_fs_base(std::uint64_t base) {
    return set_msrs(vcpu_.get(), {{kMsrFsBase, base}});
}

Result<void> KvmVcpu::set_gs_base(std::uint64_t base) {
    return set_msrs(vcpu_.get(), {{kMsrGsBase, base}});
}

void KvmVcpu::enter(const Registers& regs) {
    kvm_regs& to = run_page().s.regs.regs;
    to_kvm(regs, to);
    if (ring0_) {
        const auto back = system_.prepare_return(regs.rip, regs.rflags, regs.rsp);
        to.rip = back.rip;
        to.rsp = back.rsp;
        to.rflags = 2;
    } else {
        to.rflags = (regs.rflags & 0x0024'0dd5) | 0x202;
    }
    run_page().kvm_dirty_regs = KVM_SYNC_X86_REGS;
}

Exit KvmVcpu::run(Registers& regs) {
    if (!has_runner_.load(std::memory_order_relaxed)) {
        runner_.store(::pthread_self(), std::memory_order_relaxed);
        has_runner_.store(true, std::memory_order_release);
    }
    enter(regs);
    int status = 0;
    int error = 0;
    {
        // A kick between here and the ioctl sets the flag, and KVM_RUN returns at once.
        const KickTarget target(&run_page().immediate_exit);
        // ORDER: `kick` sets its flag before it sends the signal: one that came too early for the target is seen here.
        if (kicked_.load()) run_page().immediate_exit = 1;
        status = ::ioctl(vcpu_.get(), KVM_RUN, 0);
        error = errno;
    }
    run_page().immediate_exit = 0;
    from_kvm(run_page().s.regs.regs, regs);
    const bool interrupted = status != 0 && (error == EINTR || error == EAGAIN);
    if (status != 0 && !interrupted) return failure(regs, error);
    if (interrupted) {
        kicked_.store(false);
        // An exception that was raised and not yet delivered would hit whatever runs next. Its instruction has not
        // completed: it will raise it again.
        kvm_vcpu_events none{};
        if (auto set = kvm_ioctl(vcpu_.get(), KVM_SET_VCPU_EVENTS, "KVM_SET_VCPU_EVENTS", &none); !set)
            return failure(regs, EIO);
    }
    if (status == 0 && run_page().exit_reason == KVM_EXIT_MMIO) return through_door(regs);
    if (status == 0 && run_page().exit_reason != KVM_EXIT_HLT) {
        if (run_page().exit_reason == KVM_EXIT_INTR || run_page().exit_reason == KVM_EXIT_IRQ_WINDOW_OPEN)
            return classify(regs);
        return failure(regs, 0);
    }
    if (status == 0) ring0_ = true;
    return classify(regs);
}

// A store to the page without memory: by our own code, it is a system call. KVM has completed it.
Exit KvmVcpu::through_door(Registers& regs) {
    const kvm_run& run = run_page();
    if (run.mmio.is_write == 0 || regs.rip != fast_calls_left()) return turned_away(regs);
    ring0_ = false;
    return system_call(regs);
}

// The program itself has tried that page: nothing that it may touch. KVM still holds what it wants to complete of the
// access, which must not come over the program later.
Exit KvmVcpu::turned_away(Registers& regs) {
    constexpr int kMostPieces = 64;  // of 8 bytes: more than any instruction reads or writes
    kvm_run& run = run_page();
    for (int piece = 0; piece < kMostPieces && run.exit_reason == KVM_EXIT_MMIO; ++piece) {
        std::memset(run.mmio.data, 0, sizeof run.mmio.data);
        run.immediate_exit = 1;
        const int status = ::ioctl(vcpu_.get(), KVM_RUN, 0);
        run.immediate_exit = 0;
        if (status != 0) break;
    }
    from_kvm(run.s.regs.regs, regs);
    ring0_ = false;
    return Exit::exception(Exit::kPageFault, kErrorUser, kDoorGva);
}

// Where the processor stands says what happened, also when a kick caught it on the way in or out of ring 0.
Exit KvmVcpu::classify(Registers& regs) {
    Exit exit;
    const SystemPages::Place place = SystemPages::place_of(regs.rip);
    if (place == SystemPages::Place::kUser) {
        ring0_ = false;
        static_cast<void>(back_to_call(regs));
        return exit;
    }
    if (run_page().exit_reason != KVM_EXIT_HLT || !ring0_) {
        kvm_sregs sregs{};
        if (auto got = kvm_ioctl(vcpu_.get(), KVM_GET_SREGS, "KVM_GET_SREGS", &sregs); !got) return failure(regs, EIO);
        ring0_ = (sregs.ss.dpl & 3U) == 0 && (sregs.cs.selector & 3U) == 0;
    }
    switch (place) {
        case SystemPages::Place::kSyscall: return system_call(regs);
        case SystemPages::Place::kReturn: {
            const auto pending = system_.pending_return();
            regs.rip = pending.rip;
            regs.rflags = pending.rflags;
            regs.rsp = pending.rsp;
            return exit;
        }
        default: return exception(SystemPages::vector_of(regs.rip), regs);
    }
}

Exit KvmVcpu::exception(std::uint8_t vector, Registers& regs) {
    const auto pushed = system_.pushed(vector, regs.rsp);
    if (!pushed) return failure(regs, 0);
    regs.rsp = pushed->rsp;
    if (vector == Exit::kPageFault && SystemPages::place_of(pushed->rip) == SystemPages::Place::kSyscall) {
        calls_stay_in_ring3_ = calls_stay_in_ring3_ || (pushed->error_code & kErrorUser) != 0;
        return system_call(regs);
    }
    regs.rip = pushed->rip;
    regs.rflags = pushed->rflags;
    // The call is made again after whatever the exception leads to; unless it cannot read the word that it names, which
    // is for the call to say.
    if (back_to_call(regs) && vector == Exit::kPageFault) return system_call(regs);
    Exit exit = Exit::exception(vector, pushed->error_code, 0);
    if (exit.page_fault()) {
        kvm_sregs sregs{};
        if (auto got = kvm_ioctl(vcpu_.get(), KVM_GET_SREGS, "KVM_GET_SREGS", &sregs); !got) return failure(regs, EIO);
        exit.address = sregs.cr2;
    }
    return exit;
}

Exit KvmVcpu::failure(Registers& regs, int error) {
    Exit exit;
    exit.kind = Exit::Kind::kFailure;
    const kvm_run& run = run_page();
    const std::string where = fmt::format("rip {:#x}, exit reason {}", regs.rip, run.exit_reason);
    if (error != 0) {
        exit.failure = system_error(error, "KVM_RUN failed at " + where, "kvm");
    } else if (run.exit_reason == KVM_EXIT_INTERNAL_ERROR) {
        exit.failure = make_error(Errc::kFailed,
                                  fmt::format("KVM gave up, suberror {}, at {}", run.internal.suberror, where), "kvm");
    } else {
        exit.failure = make_error(Errc::kFailed, "unexpected exit at " + where, "kvm");
    }
    return exit;
}

void KvmVcpu::kick() noexcept {
    kicked_.store(true);
    if (has_runner_.load(std::memory_order_acquire)) send_kick(runner_.load(std::memory_order_relaxed));
}

}  // namespace divisi::hv
