// A node without virtualization: its guest code runs in a task of a stub process.
//
// What leaves the guest is what leaves it on KVM. A fault that only fills the stub's mappings does not leave at all.
// After a system call that needs no more than its arguments, the other registers are fetched only when someone asks for
// them
// (`save`, or a `run` that changes them): that spares most calls a signal.
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "hv/direct/guest_task.hpp"
#include "hv/direct/watch.hpp"
#include "hv/vcpu.hpp"

namespace divisi::hv {

// Gives the stub process of page tables: that of the program's other nodes if there is one.
using FindSpace = std::function<Result<std::shared_ptr<StubSpace>>(const Ram&, const PageTables&)>;

class DirectVcpu final : public Vcpu, private Watched {
public:
    // `watch` is lent for its lifetime.
    DirectVcpu(FindSpace find_space, Watch& watch);
    DirectVcpu(const DirectVcpu&) = delete;
    DirectVcpu& operator=(const DirectVcpu&) = delete;
    ~DirectVcpu() override;

    Result<void> bind(const Ram& ram, const PageTables& tables) override;
    Result<void> unbind() override;
    Result<void> load(const ThreadContext& context) override;
    Result<void> save(ThreadContext& context) override;
    Exit run(Registers& regs) override;
    void forget() override;
    Result<void> set_fs_base(std::uint64_t base) override;
    Result<void> set_gs_base(std::uint64_t base) override;
    void kick() noexcept override;
    [[nodiscard]] std::chrono::nanoseconds time_elsewhere() const override;

private:
    struct PendingFault {
        Gva address = 0;
        bool write = false, execute = false;
    };

    [[nodiscard]] int death_fd() const override;
    bool look_after_kick() noexcept override;
    bool tell_death() noexcept override;

    bool resume(const Registers& regs);
    Exit run_guest(Registers& regs);
    // Completes what a call left out in `regs`, and leaves the task stopped with a frame.
    bool complete(Registers& regs);
    bool stop_with_frame();
    void write_bases();
    // The exit that a stop means, or nothing where the guest just goes on.
    std::optional<Exit> on_call(Registers& regs);
    std::optional<Exit> on_frame(Registers& regs);
    std::optional<Exit> on_signal(int signo, const SignalFrame::Trap& trap, Registers& regs);
    std::optional<Exit> page_fault(const SignalFrame::Trap& trap);
    Exit gone();

    FindSpace find_space_;
    Watch& watch_;
    mutable std::mutex task_mutex_;  // any thread's look at the task against `bind`
    std::unique_ptr<GuestTask> task_;
    std::chrono::nanoseconds past_time_{0};  // of earlier tasks

    enum class Held : std::uint8_t { kFrame, kCall };
    Held held_ = Held::kFrame;
    bool partial_ = false;  // the last exit left registers out
    Registers last_;        // as the last exit gave them
    std::optional<std::uint64_t> new_fs_base_, new_gs_base_;
    PendingFault pending_fault_;
    bool fault_pending_ = false;
    unsigned vain_fills_ = 0;  // in a row

    std::atomic<bool> kicked_{false};
    std::atomic<bool> running_{false};
    std::atomic<std::uint64_t> runs_{0};  // tells a run from the next
    std::atomic<pthread_t> runner_{};
    struct KickLook {
        std::uint64_t run = 0;
        std::chrono::nanoseconds cpu_time{0};
    };
    KickLook kick_look_;  // under task_mutex_: the first look at a kick that is not heeded
};

}  // namespace divisi::hv
