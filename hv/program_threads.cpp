// A program's threads, looked at from outside while they run.
#include <algorithm>

#include "base/printable.hpp"
#include "hv/program.hpp"

namespace divisi::hv {

std::vector<std::shared_ptr<const Thread>> Program::threads() const {
    const std::lock_guard lock(threads_mutex_);
    std::vector<std::shared_ptr<const Thread>> result;
    for (const auto& [tid, thread] : threads_) result.push_back(thread);
    return result;
}

bool Program::timers_armed() const {
    return program_timers_.any_armed() ||
           std::any_of(interval_timers_.begin(), interval_timers_.end(),
                       [](const IntervalTimer& timer) { return timer.get().left.count() != 0; });
}

// Its registers are where the scheduler has them, or what its node has laid down.
bool Program::look_at(const Thread& thread, ThreadSnapshot& seen) const {
    using State = Thread::Scheduling::State;
    State state = State::kNew;
    int cpu = -1;
    const bool stopped = scheduler_.copy_stopped(thread, seen.registers, seen.call, state, cpu);
    if (cpu >= 0) seen.node = spec_.nodes[static_cast<std::size_t>(cpu)];
    seen.state = state == State::kBlocked  ? ThreadSnapshot::State::kWaiting
                 : this->stopped()         ? ThreadSnapshot::State::kStopped
                 : state == State::kQueued ? ThreadSnapshot::State::kReady
                                           : ThreadSnapshot::State::kRunning;
    seen.has_registers = stopped;
    if (stopped || state == State::kDead || state == State::kNew) return true;
    const std::lock_guard lock(look_mutex_);
    const auto laid = laid_down_.find(thread.tid);
    if (laid == laid_down_.end()) return false;
    seen.registers = laid->second;
    seen.has_registers = true;
    return true;
}

std::vector<ThreadSnapshot> Program::snapshot(std::chrono::milliseconds patience) {
    const std::lock_guard one(snapshot_mutex_);
    const auto deadline = std::chrono::steady_clock::now() + patience;
    looking_.store(true, std::memory_order_release);
    for (unsigned cpu = 0; cpu < scheduler_.cpus(); ++cpu) spec_.kick(cpu);
    scheduler_.nudge();
    { const std::lock_guard stop_lock(stop_mutex_); }
    goes_on_.notify_all();
    std::vector<ThreadSnapshot> result;
    for (const auto& thread : threads()) {
        ThreadSnapshot seen;
        seen.thread = thread->tid - spec_.pid;
        seen.name = printable(thread->name.get());
        // Briefly each time: a thread that is about to wait lays nothing down.
        while (!look_at(*thread, seen) && std::chrono::steady_clock::now() < deadline) {
            std::unique_lock lock(look_mutex_);
            look_.wait_for(lock, std::chrono::milliseconds(2));
        }
        result.push_back(std::move(seen));
    }
    looking_.store(false, std::memory_order_release);
    const std::lock_guard lock(look_mutex_);
    laid_down_.clear();
    return result;
}

void Program::lay_down(Thread& thread, Vcpu& vcpu) {
    // The exit of a system call may have left registers out.
    if (!vcpu.save(thread.context)) return;
    {
        const std::lock_guard lock(look_mutex_);
        laid_down_[thread.tid] = thread.context.regs;
    }
    look_.notify_all();
}

}  // namespace divisi::hv
