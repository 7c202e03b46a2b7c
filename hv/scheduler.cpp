#include "hv/scheduler.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace divisi::hv {
namespace {

constexpr std::chrono::milliseconds kTimeSlice{10};
using State = Thread::Scheduling::State;

}  // namespace

Scheduler::Scheduler(unsigned cpus, Timers& timers, std::function<void(unsigned)> kick)
    : nodes_(cpus), timers_(timers), kick_(std::move(kick)) {}

Scheduler::~Scheduler() {
    close();
    std::unique_lock lock(mutex_);
    ticks_done_.wait(lock, [this] { return ticks_pending_ == 0; });
}

int Scheduler::choose(const Thread& thread) const {
    const auto& sched = thread.sched;
    // The vCPU that still has its state is the only one that can run it, and the best.
    if (sched.resident >= 0) return sched.resident;
    const auto free = [&](unsigned cpu) {
        return sched.affinity.test(cpu) && nodes_[cpu].running == nullptr && nodes_[cpu].queue.empty();
    };
    if (sched.cpu >= 0 && free(static_cast<unsigned>(sched.cpu))) return sched.cpu;
    int best = -1;
    std::size_t best_load = 0;
    for (unsigned cpu = 0; cpu < nodes_.size(); ++cpu) {
        if (!sched.affinity.test(cpu)) continue;
        if (free(cpu)) return static_cast<int>(cpu);
        const std::size_t load = nodes_[cpu].queue.size() + (nodes_[cpu].running != nullptr ? 1 : 0);
        if (best < 0 || load < best_load) {
            best = static_cast<int>(cpu);
            best_load = load;
        }
    }
    return best < 0 ? 0 : best;
}

void Scheduler::enqueue(Thread& thread, unsigned cpu) {
    thread.sched.state = State::kQueued;
    thread.sched.cpu = static_cast<int>(cpu);
    Node& node = nodes_[cpu];
    node.queue.push_back(&thread);
    if (node.waiting) {
        node.ready.notify_one();
    } else if (node.running != nullptr) {
        arm_tick(cpu);
    }
}

void Scheduler::start(Thread& thread) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    enqueue(thread, static_cast<unsigned>(choose(thread)));
}

Thread* Scheduler::take(unsigned cpu) {
    Node& node = nodes_[cpu];
    if (!node.queue.empty()) {
        Thread* thread = node.queue.front();
        node.queue.pop_front();
        return thread;
    }
    // Steal from the longest queue a thread that may run here and is not bound to its vCPU.
    Node* victim = nullptr;
    std::deque<Thread*>::iterator found;
    for (Node& other : nodes_) {
        if (other.queue.empty() || (victim != nullptr && other.queue.size() <= victim->queue.size())) continue;
        const auto candidate = std::find_if(other.queue.begin(), other.queue.end(), [cpu](const Thread* thread) {
            return thread->sched.resident < 0 && thread->sched.affinity.test(cpu);
        });
        if (candidate == other.queue.end()) continue;
        victim = &other;
        found = candidate;
    }
    if (victim == nullptr) return nullptr;
    Thread* thread = *found;
    victim->queue.erase(found);
    return thread;
}

Thread* Scheduler::acquire(unsigned cpu, const std::function<void()>& nudged) {
    std::unique_lock lock(mutex_);
    Node& node = nodes_[cpu];
    for (;;) {
        if (closed_) return nullptr;
        if (Thread* thread = take(cpu); thread != nullptr) {
            thread->sched.state = State::kRunning;
            thread->sched.cpu = static_cast<int>(cpu);
            thread->sched.resident = static_cast<int>(cpu);
            node.running = thread;
            node.preempt = false;
            if (!node.queue.empty()) arm_tick(cpu);
            return thread;
        }
        if (std::exchange(node.nudged, false) && nudged) {
            lock.unlock();
            nudged();
            lock.lock();
            continue;
        }
        node.waiting = true;
        node.ready.wait(lock);
        node.waiting = false;
    }
}

void Scheduler::nudge() {
    const std::lock_guard lock(mutex_);
    for (Node& node : nodes_) {
        node.nudged = true;
        node.ready.notify_all();
    }
}

void Scheduler::evicted(Thread& thread) {
    const std::lock_guard lock(mutex_);
    thread.sched.resident = -1;
    if (thread.sched.state != State::kQueued) return;
    // It waited for its vCPU to let go of it: perhaps a free node can have it now.
    const auto home = static_cast<unsigned>(thread.sched.cpu);
    const auto better = static_cast<unsigned>(choose(thread));
    if (better == home || nodes_[better].running != nullptr) return;
    auto& queue = nodes_[home].queue;
    const auto at = std::find(queue.begin(), queue.end(), &thread);
    if (at == queue.end()) return;
    queue.erase(at);
    enqueue(thread, better);
}

std::uint64_t Scheduler::prepare(Thread& thread, bool ended_by_signal) {
    const std::lock_guard lock(mutex_);
    auto& sched = thread.sched;
    sched.waiting = true;
    sched.woken = false;
    sched.ended_by_signal = ended_by_signal;
    return ++sched.ticket;
}

bool Scheduler::park(Thread& thread) {
    const std::lock_guard lock(mutex_);
    auto& sched = thread.sched;
    if (sched.woken || !sched.waiting) return false;
    sched.state = State::kBlocked;
    sched.parked = true;
    nodes_[static_cast<unsigned>(sched.cpu)].running = nullptr;
    return true;
}

void Scheduler::wake_locked(Thread& thread, std::int64_t result) {
    auto& sched = thread.sched;
    sched.waiting = false;
    sched.woken = true;
    sched.wake_result = result;
    if (sched.state == State::kBlocked && !closed_) enqueue(thread, static_cast<unsigned>(choose(thread)));
}

void Scheduler::wake(Thread& thread, std::uint64_t ticket, std::int64_t result) {
    const std::lock_guard lock(mutex_);
    if (thread.sched.waiting && thread.sched.ticket == ticket) wake_locked(thread, result);
}

void Scheduler::interrupt(Thread& thread, std::int64_t result) {
    const std::lock_guard lock(mutex_);
    if (thread.sched.waiting && thread.sched.ended_by_signal) wake_locked(thread, result);
}

bool Scheduler::yield(Thread& thread, bool voluntary) {
    const std::lock_guard lock(mutex_);
    const auto cpu = static_cast<unsigned>(thread.sched.cpu);
    Node& node = nodes_[cpu];
    if (node.queue.empty() || (!voluntary && !node.preempt)) return false;
    node.preempt = false;
    node.running = nullptr;
    enqueue(thread, cpu);
    return true;
}

bool Scheduler::misplaced(const Thread& thread) const {
    const std::lock_guard lock(mutex_);
    return !thread.sched.affinity.test(static_cast<unsigned>(thread.sched.cpu));
}

void Scheduler::migrate(Thread& thread) {
    const std::lock_guard lock(mutex_);
    nodes_[static_cast<unsigned>(thread.sched.cpu)].running = nullptr;
    thread.sched.resident = -1;
    if (!closed_) enqueue(thread, static_cast<unsigned>(choose(thread)));
}

void Scheduler::exit(Thread& thread) {
    const std::lock_guard lock(mutex_);
    nodes_[static_cast<unsigned>(thread.sched.cpu)].running = nullptr;
    thread.sched.state = State::kDead;
    thread.sched.resident = -1;
}

void Scheduler::set_affinity(Thread& thread, const CpuSet& affinity) {
    const std::lock_guard lock(mutex_);
    thread.sched.affinity = affinity;
    if (thread.sched.state == State::kRunning && !affinity.test(static_cast<unsigned>(thread.sched.cpu)))
        kick_(static_cast<unsigned>(thread.sched.cpu));
}

CpuSet Scheduler::affinity(const Thread& thread) const {
    const std::lock_guard lock(mutex_);
    return thread.sched.affinity;
}

bool Scheduler::copy_stopped(const Thread& thread, Registers& regs, std::uint64_t& call,
                             Thread::Scheduling::State& state, int& cpu) const {
    const std::lock_guard lock(mutex_);
    state = thread.sched.state;
    cpu = thread.sched.cpu;
    if (state != State::kQueued && state != State::kBlocked) return false;
    call = thread.call_number;
    if (thread.sched.resident >= 0) return false;
    // SAFETY: a node touches a thread that it does not have only after it has taken it, under this lock.
    regs = thread.context.regs;
    return true;
}

void Scheduler::arm_tick(unsigned cpu) {
    Node& node = nodes_[cpu];
    if (node.ticking || closed_) return;
    node.ticking = true;
    ++ticks_pending_;
    node.tick = timers_.at(Timers::Clock::now() + kTimeSlice, [this, cpu] { tick(cpu); });
}

void Scheduler::tick(unsigned cpu) {
    const std::lock_guard lock(mutex_);
    Node& node = nodes_[cpu];
    node.ticking = false;
    if (!closed_ && node.running != nullptr && !node.queue.empty()) {
        node.preempt = true;
        kick_(cpu);
        arm_tick(cpu);
    }
    // Last: the destructor waits for it.
    if (--ticks_pending_ == 0) ticks_done_.notify_all();
}

void Scheduler::close() {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    for (unsigned cpu = 0; cpu < nodes_.size(); ++cpu) {
        Node& node = nodes_[cpu];
        if (node.ticking && timers_.cancel(node.tick)) {
            node.ticking = false;
            --ticks_pending_;
        }
        node.ready.notify_all();
        kick_(cpu);
    }
}

bool Scheduler::closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
}

bool Scheduler::parked(const Thread& thread) const {
    const std::lock_guard lock(mutex_);
    return thread.sched.state == State::kBlocked;
}

bool Scheduler::idle(unsigned cpu) const {
    const std::lock_guard lock(mutex_);
    return nodes_[cpu].running == nullptr;
}

}  // namespace divisi::hv
