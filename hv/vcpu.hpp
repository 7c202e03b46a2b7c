// What executes a node's guest code: the one interface, of which each backend has an implementation.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "hv/registers.hpp"

namespace divisi::hv {

class PageTables;
class Ram;

// Why guest code stopped.
struct Exit {
    enum class Kind : std::uint8_t {
        kSyscall,      // a SYSCALL instruction
        kException,    // a fault or trap: `vector`, `error_code`, and for #PF `address`
        kInterrupted,  // a kick
        kDestroyed,    // the guest has destroyed the processor it ran on, as only it can: `failure` says how
        kFailure,      // the backend cannot go on: `failure` says why
    };
    Kind kind = Kind::kInterrupted;
    std::uint8_t vector = 0;
    std::uint32_t error_code = 0;
    std::uint64_t address = 0;
    Error failure{};

    static constexpr std::uint8_t kPageFault = 14;  // a vector
    [[nodiscard]] bool page_fault() const { return kind == Kind::kException && vector == kPageFault; }

    static Exit syscall() {
        Exit exit;
        exit.kind = Kind::kSyscall;
        return exit;
    }
    static Exit exception(std::uint8_t vector, std::uint32_t error_code, std::uint64_t address) {
        Exit exit;
        exit.kind = Kind::kException;
        exit.vector = vector;
        exit.error_code = error_code;
        exit.address = address;
        return exit;
    }
};

// One node's processor and its view of memory.
//
// Threads: everything but `kick` is called by the node's own thread only, the one that first called `run`.
class Vcpu {
public:
    Vcpu() = default;
    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;
    virtual ~Vcpu() = default;

    // Puts `ram` and `tables` (with the windows in their region) in the node's guest-physical memory, replacing what
    // was there. Both are lent until the next call or `unbind`. Cheap when nothing changes.
    // Errors: what the backend says; the node then has no memory and runs nothing.
    virtual Result<void> bind(const Ram& ram, const PageTables& tables) = 0;
    virtual Result<void> unbind() = 0;

    // Makes `context` the processor's state, and reads it back.
    virtual Result<void> load(const ThreadContext& context) = 0;
    virtual Result<void> save(ThreadContext& context) = 0;

    // Runs guest code from `regs` until an exit, and leaves the registers of that moment there.
    virtual Exit run(Registers& regs) = 0;

    virtual Result<void> set_fs_base(std::uint64_t base) = 0;
    virtual Result<void> set_gs_base(std::uint64_t base) = 0;

    // The program is over: nothing of it may stay where the next one could find it.
    virtual void forget() {}

    // Makes the current or the next `run` return kInterrupted soon. Called by any thread.
    virtual void kick() noexcept = 0;

    // Processor time that guest code took outside of the thread that calls `run`. Called by any thread.
    [[nodiscard]] virtual std::chrono::nanoseconds time_elsewhere() const { return {}; }
};

}  // namespace divisi::hv
