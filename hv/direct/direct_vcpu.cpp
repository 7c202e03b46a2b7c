#include "hv/direct/direct_vcpu.hpp"

#include <fmt/format.h>
#include <linux/audit.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <csignal>
#include <cstring>
#include <initializer_list>

#include "base/process.hpp"
#include "hv/direct/stub_signals.hpp"
#include "hv/kick_signal.hpp"
#include "hv/own_calls.hpp"

namespace divisi::hv {
namespace {

constexpr std::uint8_t kGeneralProtection = 13;
constexpr std::uint64_t kErrorWrite = 2, kErrorFetch = 16, kErrorKey = 32;
constexpr std::uint64_t kUretprobe = 335;
constexpr Gva kVsyscallPage = 0xffff'ffff'ff60'0000;
// So many faults in a row at pages that are mapped: something is wrong that filling does not mend.
constexpr unsigned kMostVainFills = 64;
// So much processor time may a task use after a kick.
constexpr std::chrono::milliseconds kPatience{500};

constexpr std::size_t kKnownCalls = 512;

// Calls whose services look at the arguments alone. One that is missing here is right, too, only slower.
std::bitset<kKnownCalls> calls_of_arguments_alone() {
    std::bitset<kKnownCalls> calls;
    // clang-format off
    constexpr std::array kNumbers{
        SYS_read, SYS_write, SYS_open, SYS_close, SYS_fstat, SYS_poll, SYS_lseek, SYS_mmap, SYS_mprotect,
        SYS_munmap, SYS_brk, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_ioctl, SYS_pread64, SYS_pwrite64,
        SYS_readv, SYS_writev, SYS_select, SYS_sched_yield, SYS_mremap, SYS_madvise, SYS_nanosleep,
        SYS_getpid, SYS_uname, SYS_fcntl, SYS_fsync, SYS_gettimeofday, SYS_getppid, SYS_getuid, SYS_gettid,
        SYS_time, SYS_futex, SYS_sched_getaffinity, SYS_clock_gettime, SYS_clock_getres,
        SYS_clock_nanosleep, SYS_epoll_wait, SYS_epoll_ctl, SYS_openat, SYS_newfstatat, SYS_ppoll,
        SYS_epoll_pwait, SYS_getcpu, SYS_getrandom, SYS_statx, SYS_pipe2, SYS_eventfd2, SYS_exit,
        SYS_exit_group, SYS_futex_waitv, static_cast<int>(kSysViewLent), static_cast<int>(kSysCopyLent),
        static_cast<int>(kSysWakeAndWait)};
    // clang-format on
    for (const int number : kNumbers) calls.set(static_cast<std::size_t>(number));
    return calls;
}

bool needs_arguments_alone(int number) {
    static const std::bitset<kKnownCalls> calls = calls_of_arguments_alone();
    return number >= 0 && static_cast<std::size_t>(number) < calls.size() &&
           calls.test(static_cast<std::size_t>(number));
}

// Values that the kernel would take for its own wish to start the call again.
bool is_restart_code(std::uint64_t result) {
    const auto value = static_cast<std::int64_t>(result);
    return value <= -512 && value >= -516;
}

bool same_but_for_rax(const Registers& a, Registers b) {
    b.rax = a.rax;
    return std::memcmp(&a, &b, sizeof a) == 0;
}

// What a call leaves out.
void take_rest(const Registers& frame, Registers& regs) {
    regs.rbx = frame.rbx, regs.rbp = frame.rbp, regs.rsp = frame.rsp;
    regs.r12 = frame.r12, regs.r13 = frame.r13, regs.r14 = frame.r14, regs.r15 = frame.r15;
    regs.rcx = frame.rcx, regs.r11 = frame.r11, regs.rflags = frame.rflags;
}

// The exception that a signal stands for. The number that comes along says which of several; it is an older one's where
// the signal is no exception's.
std::uint8_t vector_of(int signo, std::uint64_t number) {
    const auto one_of = [number](std::initializer_list<std::uint8_t> vectors) {
        const auto* const found = std::find(vectors.begin(), vectors.end(), number);
        return found == vectors.end() ? *vectors.begin() : *found;
    };
    switch (signo) {
        case SIGFPE: return one_of({0, 16, 19});
        case SIGTRAP: return one_of({1, 3});
        case SIGILL: return 6;
        case SIGBUS: return one_of({17, 12});
        default: return one_of({kGeneralProtection, 4, 5, 10, 11, 12});
    }
}

Exit failure(Error error) {
    Exit exit;
    exit.kind = Exit::Kind::kFailure;
    exit.failure = std::move(error);
    return exit;
}

}  // namespace

DirectVcpu::DirectVcpu(FindSpace find_space, Watch& watch) : find_space_(std::move(find_space)), watch_(watch) {
    watch_.add(*this);
}

DirectVcpu::~DirectVcpu() {
    watch_.remove(*this);
}

Result<void> DirectVcpu::bind(const Ram& ram, const PageTables& tables) {
    if (task_ && task_->alive() && task_->space().serves(ram, tables) && stop_with_frame()) {
        // The last program may have changed how this task takes signals; one that takes none is replaced.
        task_->frame().forget(true);
        partial_ = false;
        fault_pending_ = false;
        return {};
    }
    DIVISI_TRY(unbind());
    DIVISI_TRY_ASSIGN(auto space, find_space_(ram, tables));
    DIVISI_TRY_ASSIGN(auto task, GuestTask::create(std::move(space)));
    held_ = Held::kFrame;
    partial_ = false;
    fault_pending_ = false;
    {
        const std::lock_guard lock(task_mutex_);
        task_ = std::move(task);
    }
    watch_.changed();
    return {};
}

Result<void> DirectVcpu::unbind() {
    std::unique_ptr<GuestTask> old;
    {
        const std::lock_guard lock(task_mutex_);
        old = std::move(task_);
        if (old) past_time_ += old->cpu_time();
    }
    return {};
}

void DirectVcpu::forget() {
    if (!task_) return;
    task_->frame().forget(held_ == Held::kFrame);
    task_->space().forget_free_slots();
}

bool DirectVcpu::stop_with_frame() {
    if (held_ == Held::kCall && !task_->force_frame()) {
        task_->kill();  // it may have made itself deaf, and be about to go on with another call
        return false;
    }
    held_ = Held::kFrame;
    return true;
}

bool DirectVcpu::complete(Registers& regs) {
    const bool partial = partial_;
    if (!stop_with_frame()) return false;
    if (partial) take_rest(task_->frame().registers(), regs);
    partial_ = false;
    return true;
}

Result<void> DirectVcpu::load(const ThreadContext& context) {
    if (!task_) return make_error(Errc::kFailed, "the node has no memory", "direct");
    if (!stop_with_frame()) return {};  // its program has destroyed it: the next run tells
    partial_ = false;
    fault_pending_ = false;
    task_->frame().set_xsave(context.xsave);
    DIVISI_TRY(set_fs_base(context.fs_base));
    return set_gs_base(context.gs_base);
}

Result<void> DirectVcpu::save(ThreadContext& context) {
    if (!task_) return make_error(Errc::kFailed, "the node has no memory", "direct");
    if (!complete(context.regs)) return {};
    context.xsave = task_->frame().xsave();
    context.fs_base = new_fs_base_.value_or(task_->frame().fs_base());
    context.gs_base = new_gs_base_.value_or(task_->frame().gs_base());
    return {};
}

Result<void> DirectVcpu::set_fs_base(std::uint64_t base) {
    if (base >= SignalFrame::kUserEnd) return make_error(Errc::kUsage, "a segment base outside of user space");
    new_fs_base_ = base;
    return {};
}

Result<void> DirectVcpu::set_gs_base(std::uint64_t base) {
    if (base >= SignalFrame::kUserEnd) return make_error(Errc::kUsage, "a segment base outside of user space");
    new_gs_base_ = base;
    return {};
}

void DirectVcpu::write_bases() {
    SignalFrame& frame = task_->frame();
    if (new_fs_base_) frame.set_fs_base(*new_fs_base_);
    if (new_gs_base_) frame.set_gs_base(*new_gs_base_);
    new_fs_base_.reset();
    new_gs_base_.reset();
}

bool DirectVcpu::resume(const Registers& regs) {
    const bool bases = new_fs_base_ || new_gs_base_;
    if (held_ == Held::kCall && !bases && same_but_for_rax(regs, last_) && !is_restart_code(regs.rax)) {
        task_->resume(regs.rax);
        return true;
    }
    Registers whole = regs;
    if (!complete(whole)) return false;
    write_bases();
    task_->frame().set_registers(whole);
    task_->resume(0);
    return true;
}

Exit DirectVcpu::gone() {
    task_->kill();
    const std::string how = describe_wait_status(task_->reap());
    Exit exit = failure(
        make_error(Errc::kFailed, "the program destroyed its own processor: the stub process " + how, "direct"));
    exit.kind = Exit::Kind::kDestroyed;
    return exit;
}

Exit DirectVcpu::run(Registers& regs) {
    if (!task_) return failure(make_error(Errc::kFailed, "the node has no memory", "direct"));
    // ORDER: `kick` sets its flag before it reads `running_`: either it sees us run, or we see the flag.
    runs_.fetch_add(1, std::memory_order_relaxed);
    runner_.store(::pthread_self(), std::memory_order_relaxed);
    running_.store(true);
    Exit exit;
    if (!kicked_.exchange(false)) {
        exit = run_guest(regs);
        last_ = regs;
    }
    running_.store(false);
    return exit;
}

Exit DirectVcpu::run_guest(Registers& regs) {
    // The upper layers have resolved the last fault in the page tables: now, not at a second fault, it is filled.
    if (std::exchange(fault_pending_, false)) {
        auto filled = task_->space().fill(pending_fault_.address, pending_fault_.write, pending_fault_.execute);
        if (!filled) return failure(std::move(filled).error());
    }
    if (!resume(regs)) return gone();
    for (;;) {
        std::optional<Exit> exit;
        switch (task_->wait()) {
            case GuestTask::Stop::kNotified: continue;
            case GuestTask::Stop::kGone: return gone();
            case GuestTask::Stop::kCall: exit = on_call(regs); break;
            case GuestTask::Stop::kFrame: exit = on_frame(regs); break;
        }
        if (exit) return *std::move(exit);
        task_->resume(0);
    }
}

std::optional<Exit> DirectVcpu::on_call(Registers& regs) {
    const seccomp_data call = task_->call();
    held_ = Held::kCall;
    if (call.arch != AUDIT_ARCH_X86_64) {
        // `int 0x80`, which no node has: a general protection fault with the gate's selector, as the processor says it.
        if (!stop_with_frame()) return gone();
        partial_ = false;
        regs = task_->frame().registers();
        regs.rax = static_cast<std::uint32_t>(call.nr);
        regs.rip -= 2;
        return Exit::exception(kGeneralProtection, (0x80U << 3U) | 2U, 0);
    }
    regs.rax = static_cast<std::uint32_t>(call.nr);
    regs.rdi = call.args[0], regs.rsi = call.args[1], regs.rdx = call.args[2];
    regs.r10 = call.args[3], regs.r8 = call.args[4], regs.r9 = call.args[5];
    regs.rip = regs.rcx = call.instruction_pointer;
    partial_ = true;
    const bool vsyscall = page_floor(call.instruction_pointer) == kVsyscallPage;
    if (vsyscall || !needs_arguments_alone(call.nr)) {
        if (!complete(regs)) return gone();
        // The kernel has already returned from its page to the caller.
        if (vsyscall) regs.rip = task_->frame().registers().rip;
    }
    return Exit::syscall();
}

std::optional<Exit> DirectVcpu::on_frame(Registers& regs) {
    // Only the stub's own handler stops here, unless the program has found it and pretends.
    if (!task_->frame().is_at(task_->call().args[2])) return gone();
    held_ = Held::kFrame;
    partial_ = false;
    regs = task_->frame().registers();
    return on_signal(task_->signal(), task_->frame().trap(), regs);
}

std::optional<Exit> DirectVcpu::on_signal(int signo, const SignalFrame::Trap& trap, Registers& regs) {
    if (signo == kStubKick) {
        if (!kicked_.exchange(false)) return std::nullopt;  // of an earlier run, which has ended otherwise
        return Exit{};
    }
    const bool by_kernel = trap.signal_code == SI_KERNEL;
    if (signo == SIGSEGV && !by_kernel) return page_fault(trap);
    if (signo == SIGBUS && !by_kernel && trap.signal_code != BUS_ADRALN)
        return failure(make_error(Errc::kInsufficient, "the host has no memory for the node's", "direct"));
    if (signo == SIGILL && by_kernel) {
        // uretprobe, which kernels since 6.14 let through every filter, and answer by this signal.
        regs.rax = kUretprobe;
        return Exit::syscall();
    }
    return Exit::exception(vector_of(signo, trap.number), static_cast<std::uint32_t>(trap.error_code), 0);
}

std::optional<Exit> DirectVcpu::page_fault(const SignalFrame::Trap& trap) {
    // What the program's own protection keys forbid, no filling allows. (The processor sets the bit only where the page
    // is there in the host's tables, too; the host tells by the code that it would not have put it there.)
    if (trap.signal_code == SEGV_PKUERR)
        return Exit::exception(Exit::kPageFault, static_cast<std::uint32_t>(trap.error_code | kErrorKey), trap.address);
    const bool write = (trap.error_code & kErrorWrite) != 0;
    const bool execute = (trap.error_code & kErrorFetch) != 0;
    auto filled = task_->space().fill(trap.address, write, execute);
    if (!filled) return failure(std::move(filled).error());
    vain_fills_ = *filled == StubSpace::Filled::kAlready ? vain_fills_ + 1 : 0;
    if (vain_fills_ > kMostVainFills)
        return failure(make_error(Errc::kFailed, fmt::format("address {:#x} faults for ever", trap.address), "direct"));
    if (*filled != StubSpace::Filled::kRefused) return std::nullopt;
    pending_fault_ = {trap.address, write, execute};
    fault_pending_ = true;
    return Exit::exception(Exit::kPageFault, static_cast<std::uint32_t>(trap.error_code), trap.address);
}

std::chrono::nanoseconds DirectVcpu::time_elsewhere() const {
    const std::lock_guard lock(task_mutex_);
    return past_time_ + (task_ ? task_->cpu_time() : std::chrono::nanoseconds(0));
}

void DirectVcpu::kick() noexcept {
    kicked_.store(true);
    if (!running_.load()) return;
    {
        const std::lock_guard lock(task_mutex_);
        if (task_) task_->kick();
    }
    watch_.kicked();
}

int DirectVcpu::death_fd() const {
    const std::lock_guard lock(task_mutex_);
    return task_ ? task_->pidfd() : -1;
}

bool DirectVcpu::look_after_kick() noexcept {
    const std::lock_guard lock(task_mutex_);
    if (!task_ || !running_.load() || !kicked_.load()) return false;
    const std::uint64_t run = runs_.load();
    const std::chrono::nanoseconds used = task_->cpu_time();
    if (kick_look_.run != run) {
        kick_look_ = {run, used};
    } else if (used - kick_look_.cpu_time > kPatience) {
        task_->kill();
    }
    return true;
}

bool DirectVcpu::tell_death() noexcept {
    if (!running_.load()) return false;
    send_kick(runner_.load());
    return true;
}

}  // namespace divisi::hv
