#include "hv/signals.hpp"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>
#include <cstring>

#include "hv/address_space.hpp"

namespace divisi::hv {
namespace {

constexpr std::size_t kRedZone = 128;
constexpr std::uint64_t kHandlerFlagsCleared = 0x10500;  // RF DF TF
constexpr std::uint32_t kFpMagic1 = 0x46505853, kFpMagic2 = 0x46505845;
constexpr std::size_t kSoftwareBytesAt = 464;
constexpr std::size_t kXsaveHeaderAt = 512;
constexpr std::uint64_t kSwitchedComponents = 0xe7;

// The kernel's sigcontext, ucontext and rt_sigframe for x86-64.
struct SigContext {
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    std::uint16_t cs, gs, fs, ss;
    std::uint64_t error, trap, old_mask, cr2, fpstate;
    std::uint64_t reserved[8];
};
static_assert(sizeof(SigContext) == 256);
struct UContext {
    std::uint64_t flags, link;
    KernelStack stack;
    SigContext context;
    std::uint64_t mask;
};
struct SignalFrame {
    Gva restorer;
    UContext context;
    KernelSigInfo info;
};
struct SoftwareBytes {
    std::uint32_t magic, extended_size;
    std::uint64_t components;
    std::uint32_t xsave_size, padding[7];
};
static_assert(sizeof(SoftwareBytes) == 48);

constexpr std::uint32_t kAutodisarm = 1U << 31U;  // SS_AUTODISARM: a handler's thread has none until it returns

bool within(const AltStack& alt, Gva sp) {
    return sp > alt.base && sp - alt.base <= alt.size;
}

// Where it is taken away meanwhile, a thread may use that memory for other things: being there says nothing.
bool on_alt_stack(const Thread& thread, Gva sp) {
    return (thread.alt_stack.flags & kAutodisarm) == 0 && within(thread.alt_stack, sp);
}

SigContext to_context(const Registers& regs, Gva fpstate, std::uint64_t mask, const SignalInfo& info) {
    SigContext context{};
    context.r8 = regs.r8, context.r9 = regs.r9, context.r10 = regs.r10, context.r11 = regs.r11;
    context.r12 = regs.r12, context.r13 = regs.r13, context.r14 = regs.r14, context.r15 = regs.r15;
    context.rdi = regs.rdi, context.rsi = regs.rsi, context.rbp = regs.rbp, context.rbx = regs.rbx;
    context.rdx = regs.rdx, context.rax = regs.rax, context.rcx = regs.rcx, context.rsp = regs.rsp;
    context.rip = regs.rip, context.rflags = regs.rflags;
    context.cs = 0x33, context.ss = 0x2b;
    context.old_mask = mask;
    context.cr2 = info.address;
    context.trap = info.trap;
    context.error = info.error;
    context.fpstate = fpstate;
    return context;
}

void from_context(const SigContext& context, Registers& regs) {
    regs.r8 = context.r8, regs.r9 = context.r9, regs.r10 = context.r10, regs.r11 = context.r11;
    regs.r12 = context.r12, regs.r13 = context.r13, regs.r14 = context.r14, regs.r15 = context.r15;
    regs.rdi = context.rdi, regs.rsi = context.rsi, regs.rbp = context.rbp, regs.rbx = context.rbx;
    regs.rdx = context.rdx, regs.rax = context.rax, regs.rcx = context.rcx, regs.rsp = context.rsp;
    regs.rip = context.rip, regs.rflags = context.rflags;
}

// The XSAVE image as a frame carries it: with the kernel's marks, by which a debugger finds its extent.
std::vector<std::byte> frame_xsave(const ThreadContext& context) {
    std::vector<std::byte> image = context.xsave;
    SoftwareBytes software{};
    software.magic = kFpMagic1;
    software.extended_size = static_cast<std::uint32_t>(image.size() + sizeof kFpMagic2);
    software.components = kSwitchedComponents;
    software.xsave_size = static_cast<std::uint32_t>(image.size());
    std::memcpy(image.data() + kSoftwareBytesAt, &software, sizeof software);
    image.resize(image.size() + sizeof kFpMagic2);
    std::memcpy(image.data() + image.size() - sizeof kFpMagic2, &kFpMagic2, sizeof kFpMagic2);
    return image;
}

// What the processor would refuse to load is taken out: the image comes from the program.
void sanitize(std::vector<std::byte>& image) {
    constexpr std::size_t kMxcsrAt = 24;
    std::uint32_t mxcsr = 0;
    std::memcpy(&mxcsr, image.data() + kMxcsrAt, sizeof mxcsr);
    mxcsr &= 0xffff;
    std::memcpy(image.data() + kMxcsrAt, &mxcsr, sizeof mxcsr);
    std::uint64_t components = 0;
    std::memcpy(&components, image.data() + kXsaveHeaderAt, sizeof components);
    components &= kSwitchedComponents;
    std::memcpy(image.data() + kXsaveHeaderAt, &components, sizeof components);
    std::memset(image.data() + kXsaveHeaderAt + sizeof components, 0, 64 - sizeof components);
}

}  // namespace

KernelSigInfo kernel_info(const SignalInfo& info) {
    KernelSigInfo result{};
    result.signo = info.signo;
    result.code = info.code;
    const auto pair = [](std::uint32_t low, std::uint32_t high) {
        return low | static_cast<std::uint64_t>(high) << 32U;
    };
    if (info.code > 0 && info.signo != SIGCHLD) {
        result.fields[0] = info.address;
    } else if (info.code == SI_TIMER) {
        result.fields[0] = pair(static_cast<std::uint32_t>(info.timer), static_cast<std::uint32_t>(info.overrun));
        result.fields[1] = info.value;
    } else {
        result.fields[0] = pair(static_cast<std::uint32_t>(info.pid), info.uid);
        result.fields[1] = info.value;
    }
    return result;
}

KernelStack describe_alt_stack(const Thread& thread, Gva sp) {
    const AltStack& alt = thread.alt_stack;
    const std::uint32_t mode = alt.size == 0 ? SS_DISABLE : on_alt_stack(thread, sp) ? SS_ONSTACK : 0;
    return {alt.base, mode | (alt.flags & kAutodisarm), 0, alt.size};
}

std::int64_t set_alt_stack(Thread& thread, const KernelStack& wanted, Gva sp) {
    constexpr std::uint64_t kMinimum = 2048;
    if (on_alt_stack(thread, sp)) return -EPERM;
    const std::uint32_t mode = wanted.flags & ~kAutodisarm;
    if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) return -EINVAL;
    if (mode != SS_DISABLE && wanted.size < kMinimum) return -ENOMEM;
    thread.alt_stack =
        mode == SS_DISABLE ? AltStack{0, 0, wanted.flags} : AltStack{wanted.base, wanted.size, wanted.flags};
    return 0;
}

// SAFETY: a counter that nobody blocks on; when it is full, it says already what is to be said.
void SignalFile::raise() const {
    const std::uint64_t one = 1;
    static_cast<void>(::write(event_.get(), &one, sizeof one));
}

void SignalFile::lower() const {
    std::uint64_t count = 0;
    static_cast<void>(::read(event_.get(), &count, sizeof count));
}

void SignalState::watch(const Thread& thread, const std::shared_ptr<SignalFile>& file) {
    const std::lock_guard lock(mutex_);
    std::erase_if(files_, [&file](const auto& other) { return other.expired() || other.lock() == file; });
    files_.push_back(file);
    if ((pending_locked(thread) & file->set()) != 0) file->raise();
}

SignalAction SignalState::action(int signo) const {
    const std::lock_guard lock(mutex_);
    return actions_.at(static_cast<std::size_t>(signo));
}

bool SignalState::listens() const {
    constexpr int kLibraryFirst = 32;
    constexpr int kLibraryLast = 33;
    const std::lock_guard lock(mutex_);
    for (int signo = 1; signo <= kSignalCount; ++signo) {
        const bool own = tells_of_failure(signo) || (signo >= kLibraryFirst && signo <= kLibraryLast);
        if (!own && actions_[static_cast<std::size_t>(signo)].handler > 1) return true;
    }
    return false;
}

SignalAction SignalState::set_action(int signo, const SignalAction& action) {
    const std::lock_guard lock(mutex_);
    return std::exchange(actions_.at(static_cast<std::size_t>(signo)), action);
}

bool SignalState::tells_of_failure(int signo) {
    constexpr std::array kCoreSignals = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                         SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};
    return std::find(kCoreSignals.begin(), kCoreSignals.end(), signo) != kCoreSignals.end();
}

SignalState::Default SignalState::default_action(int signo) {
    switch (signo) {
        case SIGCHLD:
        case SIGCONT:
        case SIGURG:
        case SIGWINCH: return Default::kIgnore;
        case SIGSTOP:
        case SIGTSTP:
        case SIGTTIN:
        case SIGTTOU: return Default::kStop;
        default: return Default::kTerminate;
    }
}

bool SignalState::ignored(int signo) const {
    const SignalAction& action = actions_.at(static_cast<std::size_t>(signo));
    if (signo == SIGKILL) return false;
    return action.handler == 1 || (action.handler == 0 && default_action(signo) == Default::kIgnore);
}

bool SignalState::post(Thread* thread, const SignalInfo& info) {
    const std::lock_guard lock(mutex_);
    const bool waited_for = thread != nullptr && (thread->blocked & signal_bit(info.signo)) != 0;
    if (ignored(info.signo) && !waited_for) return false;
    std::list<SignalInfo>& queue = thread != nullptr ? thread->pending : pending_;
    if (info.origin && info.origin->queued) {
        info.origin->overrun += 1 + info.missed;
        return true;
    }
    constexpr std::size_t kQueueLimit = 1024;
    // Standard signals do not queue, but those of timers do, each timer's once; real-time signals do within a limit.
    const bool standard = info.signo < 32 && !info.origin;
    for (const SignalInfo& item : queue) {
        if (standard && item.signo == info.signo) return true;
    }
    if (queue.size() >= kQueueLimit) return false;
    if (info.origin) {
        info.origin->queued = true;
        info.origin->overrun = info.missed;
    }
    queue.push_back(info);
    for (const auto& watcher : files_) {
        if (const auto file = watcher.lock(); file && (file->set() & signal_bit(info.signo)) != 0) file->raise();
    }
    return true;
}

void SignalState::discard(SignalSet set, const std::vector<std::shared_ptr<Thread>>& threads) {
    const std::lock_guard lock(mutex_);
    const auto forget = [set](std::list<SignalInfo>& queue) {
        std::erase_if(queue, [set](const SignalInfo& info) {
            if ((set & signal_bit(info.signo)) == 0) return false;
            if (info.origin) info.origin->queued = false;
            return true;
        });
    };
    forget(pending_);
    for (const auto& thread : threads) forget(thread->pending);
}

std::optional<SignalInfo> SignalState::take(Thread& thread, SignalSet wanted) {
    // As Linux: the thread's own first; of those, what its own instructions caused, then the lowest number.
    constexpr SignalSet kCaused = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGILL) | signal_bit(SIGTRAP) |
                                  signal_bit(SIGFPE) | signal_bit(SIGSYS);
    const auto rank = [](const SignalInfo& info) {
        return (kCaused & signal_bit(info.signo)) != 0 && info.code > 0 ? 0 : info.signo;
    };
    const std::lock_guard lock(mutex_);
    for (std::list<SignalInfo>* queue : {&thread.pending, &pending_}) {
        auto best = queue->end();
        for (auto item = queue->begin(); item != queue->end(); ++item) {
            if ((wanted & signal_bit(item->signo)) == 0) continue;
            if (best == queue->end() || rank(*item) < rank(*best)) best = item;
        }
        if (best == queue->end()) continue;
        SignalInfo info = *best;
        queue->erase(best);
        if (info.origin) {
            info.overrun = static_cast<int>(std::min<std::uint64_t>(info.origin->overrun, INT_MAX));
            info.origin->last_overrun.store(info.overrun);
            info.origin->queued = false;
        }
        return info;
    }
    return std::nullopt;
}

SignalSet SignalState::pending(const Thread& thread) const {
    const std::lock_guard lock(mutex_);
    return pending_locked(thread);
}

SignalSet SignalState::pending_for_all() const {
    const std::lock_guard lock(mutex_);
    SignalSet set = 0;
    for (const SignalInfo& item : pending_) set |= signal_bit(item.signo);
    return set;
}

SignalSet SignalState::pending_locked(const Thread& thread) const {
    SignalSet set = 0;
    for (const std::list<SignalInfo>* queue : {&thread.pending, &pending_}) {
        for (const SignalInfo& item : *queue) set |= signal_bit(item.signo);
    }
    return set;
}

bool SignalState::has(const Thread& thread, SignalSet wanted) const {
    return (pending(thread) & (wanted | signal_bit(SIGKILL))) != 0;
}

bool enter_handler(Thread& thread, AddressSpace& memory, const SignalAction& action, const SignalInfo& info) {
    Registers& regs = thread.context.regs;
    const bool nested = on_alt_stack(thread, regs.rsp);
    const bool enters = (action.flags & SA_ONSTACK) != 0 && thread.alt_stack.size != 0 && !nested;
    Gva sp = enters ? thread.alt_stack.base + thread.alt_stack.size : regs.rsp - kRedZone;
    const std::vector<std::byte> xsave = frame_xsave(thread.context);
    sp = (sp - xsave.size()) & ~63ULL;
    const Gva fpstate = sp;
    sp = ((sp - sizeof(SignalFrame)) & ~15ULL) - 8;  // as after a call: the handler finds RSP + 8 aligned
    if ((enters || nested) && !within(thread.alt_stack, sp)) return false;
    const SignalSet mask = thread.restore_blocked ? thread.blocked_before_suspend : thread.blocked.load();
    thread.restore_blocked = false;
    SignalFrame frame{};
    frame.restorer = action.restorer;
    frame.context.flags = 1 | 2 | 4;  // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
    frame.context.stack = {thread.alt_stack.base, thread.alt_stack.flags, 0, thread.alt_stack.size};
    frame.context.context = to_context(regs, fpstate, mask, info);
    frame.context.mask = mask;
    frame.info = kernel_info(info);
    if (!memory.copy_out(fpstate, xsave.data(), xsave.size()) || !memory.write(sp, frame)) return false;
    SignalSet blocked = thread.blocked | action.mask;
    if ((action.flags & SA_NODEFER) == 0) blocked |= signal_bit(info.signo);
    thread.blocked = blocked & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    if ((thread.alt_stack.flags & kAutodisarm) != 0) thread.alt_stack = {};
    regs.rip = action.handler;
    regs.rsp = sp;
    regs.rdi = static_cast<std::uint64_t>(info.signo);
    regs.rsi = sp + offsetof(SignalFrame, info);
    regs.rdx = sp + offsetof(SignalFrame, context);
    regs.rax = 0;
    regs.rflags &= ~kHandlerFlagsCleared;
    thread.context.xsave.clear();
    return true;
}

bool leave_handler(Thread& thread, AddressSpace& memory) {
    // The handler's `ret` has taken the restorer off the stack.
    const Gva at = thread.context.regs.rsp - sizeof(Gva);
    const auto frame = memory.read<SignalFrame>(at);
    if (!frame) return false;
    const std::size_t xsave_bytes = 4096;
    std::vector<std::byte> xsave;
    if (frame->context.context.fpstate != 0) {
        xsave.resize(xsave_bytes);
        if (!memory.copy_in(xsave.data(), frame->context.context.fpstate, xsave.size())) return false;
        sanitize(xsave);
    }
    // Judged by where the handler is, as Linux does since 6.12. What it would refuse when asked by sigaltstack(2),
    // stays.
    static_cast<void>(set_alt_stack(thread, frame->context.stack, thread.context.regs.rsp));
    from_context(frame->context.context, thread.context.regs);
    thread.context.xsave = std::move(xsave);
    thread.blocked = frame->context.mask & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP));
    return true;
}

}  // namespace divisi::hv
