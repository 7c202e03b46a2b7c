// A program's signals: who handles which, and how a handler is entered and left.
//
// The frame that a handler gets is Linux's: siginfo, ucontext with all registers, and the whole XSAVE image, so that
// the upper halves of vector registers survive. It is put below the red zone, or on the alternate stack.
//
// Threads: members may be called from several threads; delivery to a thread is made by the node that runs it.
// Source: sigaction(2), signal(7), rt_sigframe in the kernel's arch/x86/kernel/signal_64.c.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/fd.hpp"
#include "hv/layout.hpp"
#include "hv/thread.hpp"

namespace divisi::hv {

class AddressSpace;
class Vcpu;

// The kernel's sigaction, as rt_sigaction passes it.
struct SignalAction {
    std::uint64_t handler = 0;  // 0 default, 1 ignore
    std::uint64_t flags = 0;
    std::uint64_t restorer = 0;
    std::uint64_t mask = 0;
};

inline constexpr int kSignalCount = 64;

// The kernel's siginfo.
struct KernelSigInfo {
    std::int32_t signo, error, code, padding;
    std::uint64_t fields[14];
};
static_assert(sizeof(KernelSigInfo) == 128);
KernelSigInfo kernel_info(const SignalInfo& info);

// What signalfd(2) opens: readable while a signal of the set waits. Its event can be waited for by the host's means.
class SignalFile {
public:
    SignalFile(Fd event, SignalSet set) : event_(std::move(event)), set_(set) {}

    [[nodiscard]] SignalSet set() const { return set_.load(); }
    void change(SignalSet set) { set_.store(set); }
    void raise() const;
    void lower() const;

private:
    Fd event_;
    std::atomic<SignalSet> set_;
};

class SignalState {
public:
    SignalAction action(int signo) const;
    SignalAction set_action(int signo, const SignalAction& action);

    // Queues a signal for the thread, or for the program where `thread` is null. False when it is ignored.
    bool post(Thread* thread, const SignalInfo& info);
    // Forgets what waits of `set`, for the program and for these threads.
    void discard(SignalSet set, const std::vector<std::shared_ptr<Thread>>& threads);
    // Takes the next signal that `thread` would get, out of `wanted`.
    std::optional<SignalInfo> take(Thread& thread, SignalSet wanted);
    [[nodiscard]] bool has(const Thread& thread, SignalSet wanted) const;
    [[nodiscard]] SignalSet pending(const Thread& thread) const;
    // Only those that any thread may take.
    [[nodiscard]] SignalSet pending_for_all() const;

    // Tells `file` of all signals of its set, those that wait already included.
    void watch(const Thread& thread, const std::shared_ptr<SignalFile>& file);

    enum class Default : std::uint8_t { kTerminate, kIgnore, kStop };
    static Default default_action(int signo);
    // Whether a handler waits for a signal that somebody outside of the program would send: none that tells of a
    // failure, and none of the two that C libraries keep for themselves.
    [[nodiscard]] bool listens() const;
    // Whether a death by it asks for an explanation: those for which Linux writes a core.
    static bool tells_of_failure(int signo);

private:
    [[nodiscard]] bool ignored(int signo) const;

    [[nodiscard]] SignalSet pending_locked(const Thread& thread) const;

    mutable std::mutex mutex_;
    std::vector<std::weak_ptr<SignalFile>> files_;
    std::array<SignalAction, kSignalCount + 1> actions_{};
    std::list<SignalInfo> pending_;
};

// The kernel's stack_t.
struct KernelStack {
    Gva base;
    std::uint32_t flags, padding;
    std::uint64_t size;
};
// As sigaltstack(2), for a thread whose stack pointer is `sp`: what it is told, and what it is asked to do.
KernelStack describe_alt_stack(const Thread& thread, Gva sp);
std::int64_t set_alt_stack(Thread& thread, const KernelStack& wanted, Gva sp);

// Makes the thread enter the handler of `action`. `memory` is its program's. False when its stack cannot take the
// frame: the program must die of SIGSEGV then. The vector state is taken from and left in `thread.context.xsave`.
bool enter_handler(Thread& thread, AddressSpace& memory, const SignalAction& action, const SignalInfo& info);
// rt_sigreturn: restores what the frame says. False when the frame is not readable.
bool leave_handler(Thread& thread, AddressSpace& memory);

}  // namespace divisi::hv
