#include "hv/scheduler.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <utility>

namespace divisi::hv {
namespace {

constexpr std::chrono::milliseconds kTimeSlice{10};
using State = Thread::Scheduling::State;

}  // namespace

Scheduler::Scheduler(const std::vector<CpuPlace>& places, Spread spread, Timers& timers,
                     std::function<void(unsigned)> kick)
    : nodes_(places.size()), loads_(places), spread_(spread), timers_(timers), kick_(std::move(kick)) {
    seat_nodes(places);
}

Scheduler::~Scheduler() {
    close();
    std::unique_lock lock(mutex_);
    ticks_done_.wait(lock, [this] { return ticks_pending_ == 0; });
}

void Scheduler::seat_nodes(const std::vector<CpuPlace>& places) {
    std::map<std::uint32_t, unsigned> seated;  // of each PU
    std::map<std::uint32_t, std::shared_ptr<Bell>> bell_of_pu;
    for (unsigned cpu = 0; cpu < nodes_.size(); ++cpu) {
        Node& node = nodes_[cpu];
        node.pu = places[cpu].pu;
        const unsigned place = seated[node.pu]++ % Bell::kPlaces;
        if (place == 0) bells_.push_back(bell_of_pu[node.pu] = std::make_shared<Bell>());
        node.bell = bell_of_pu[node.pu];
        node.place = 1U << place;
    }
}

std::size_t Scheduler::load(unsigned cpu) const {
    return nodes_[cpu].queue.size() + (nodes_[cpu].running != nullptr ? 1 : 0);
}

int Scheduler::choose(const Thread& thread) const {
    const auto& sched = thread.sched;
    // The vCPU that still has its state is the only one that can run it, and the best.
    if (sched.resident >= 0) return sched.resident;
    using Rank = std::array<std::size_t, 4>;
    int best = -1;
    Rank best_rank{};
    for (unsigned cpu = 0; cpu < nodes_.size(); ++cpu) {
        if (!sched.affinity.test(cpu)) continue;
        const bool scatter = spread_ == Spread::kScatter;
        const Rank rank{load(cpu), scatter ? loads_.pu(cpu) : 0, scatter ? loads_.core(cpu) : 0,
                        sched.cpu == static_cast<int>(cpu) ? 0U : 1U};
        if (best >= 0 && rank >= best_rank) continue;
        best = static_cast<int>(cpu);
        best_rank = rank;
    }
    return best < 0 ? 0 : best;
}

void Scheduler::enqueue(Thread& thread, unsigned cpu, Rousing& rousing) {
    thread.sched.state = State::kQueued;
    thread.sched.cpu = static_cast<int>(cpu);
    Node& node = nodes_[cpu];
    node.queue.push_back(&thread);
    add_load(cpu);
    if (node.waiting) {
        rousing.add(node.bell, node.place, node.pu);
    } else if (node.running != nullptr) {
        arm_tick(cpu);
    }
}

bool Scheduler::unqueue(Thread& thread) {
    const auto cpu = static_cast<unsigned>(thread.sched.cpu);
    auto& queue = nodes_[cpu].queue;
    const auto at = std::find(queue.begin(), queue.end(), &thread);
    if (at == queue.end()) return false;
    queue.erase(at);
    remove_load(cpu);
    return true;
}

void Scheduler::vacate(unsigned cpu) {
    Node& node = nodes_[cpu];
    node.running = nullptr;
    node.preempt = node.leave = false;
    remove_load(cpu);
}

void Scheduler::watch_crowds(std::function<void(bool)> crowded) {
    const std::lock_guard lock(mutex_);
    on_crowded_ = std::move(crowded);
    on_crowded_(crowded_);
}

void Scheduler::add_load(unsigned cpu) {
    loads_.add(cpu);
    tell_of_crowds();
}

void Scheduler::remove_load(unsigned cpu) {
    loads_.remove(cpu);
    tell_of_crowds();
}

void Scheduler::tell_of_crowds() {
    if (std::exchange(crowded_, loads_.crowded()) != loads_.crowded() && on_crowded_) on_crowded_(crowded_);
}

void Scheduler::start(Thread& thread) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    enqueue(thread, static_cast<unsigned>(choose(thread)), rousing);
    watch_balance();
}

Thread* Scheduler::take(unsigned cpu) {
    Node& node = nodes_[cpu];
    if (!node.queue.empty()) {
        Thread* thread = node.queue.front();
        node.queue.pop_front();
        return thread;
    }
    // Steal from the longest queue a thread that may run here and is not bound to its vCPU.
    const Node* victim = nullptr;
    Thread* found = nullptr;
    for (const Node& other : nodes_) {
        if (other.queue.empty() || (victim != nullptr && other.queue.size() <= victim->queue.size())) continue;
        const auto candidate = std::find_if(other.queue.begin(), other.queue.end(), [cpu](const Thread* thread) {
            return thread->sched.resident < 0 && thread->sched.affinity.test(cpu);
        });
        if (candidate == other.queue.end()) continue;
        victim = &other;
        found = *candidate;
    }
    if (found == nullptr || !unqueue(*found)) return nullptr;
    add_load(cpu);
    watch_balance();
    return found;
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
            node.preempt = node.leave = false;
            if (!node.queue.empty()) arm_tick(cpu);
            return thread;
        }
        if (std::exchange(node.nudged, false) && nudged) {
            lock.unlock();
            nudged();
            lock.lock();
            continue;
        }
        sleep(cpu, lock);
    }
}

void Scheduler::sleep(unsigned cpu, std::unique_lock<std::mutex>& lock) {
    Node& node = nodes_[cpu];
    node.waiting = true;
    const std::uint32_t heard = node.bell->heard();
    lock.unlock();
    node.bell->wait(heard, node.place);
    lock.lock();
    node.waiting = false;
}

void Scheduler::nudge() {
    const std::lock_guard lock(mutex_);
    for (Node& node : nodes_) node.nudged = true;
    for (const auto& bell : bells_) bell->ring(~0U);
}

void Scheduler::evicted(Thread& thread) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    thread.sched.resident = -1;
    if (thread.sched.state != State::kQueued) return;
    // It waited for its vCPU to let go of it: perhaps another node can have it sooner now.
    const auto better = static_cast<unsigned>(choose(thread));
    if (load(better) + 1 >= load(static_cast<unsigned>(thread.sched.cpu)) || !unqueue(thread)) return;
    enqueue(thread, better, rousing);
    watch_balance();
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
    const Rousing owed = std::exchange(nodes_[static_cast<unsigned>(thread.sched.cpu)].owed, {});
    const std::lock_guard lock(mutex_);
    auto& sched = thread.sched;
    if (sched.woken || !sched.waiting) return false;
    sched.state = State::kBlocked;
    sched.parked = true;
    vacate(static_cast<unsigned>(sched.cpu));
    watch_balance();
    return true;
}

void Scheduler::wake_locked(Thread& thread, std::int64_t result, Rousing& rousing) {
    auto& sched = thread.sched;
    sched.waiting = false;
    sched.woken = true;
    sched.wake_result = result;
    if (sched.state != State::kBlocked || closed_) return;
    enqueue(thread, static_cast<unsigned>(choose(thread)), rousing);
    watch_balance();
}

void Scheduler::wake(Thread& thread, std::uint64_t ticket, std::int64_t result) {
    Rousing rousing;
    wake(thread, ticket, result, rousing);
}

void Scheduler::wake(Thread& thread, std::uint64_t ticket, std::int64_t result, Rousing& rousing) {
    const std::lock_guard lock(mutex_);
    if (thread.sched.waiting && thread.sched.ticket == ticket) wake_locked(thread, result, rousing);
}

void Scheduler::rouse_when_parked(const Thread& thread, Rousing rousing) {
    nodes_[static_cast<unsigned>(thread.sched.cpu)].owed = std::move(rousing);
}

std::uint32_t Scheduler::pu_of(const Thread& thread) const {
    return nodes_[static_cast<unsigned>(thread.sched.cpu)].pu;
}

void Scheduler::interrupt(Thread& thread, std::int64_t result) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    if (thread.sched.waiting && thread.sched.ended_by_signal) wake_locked(thread, result, rousing);
}

bool Scheduler::yield(Thread& thread, bool voluntary) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    const auto cpu = static_cast<unsigned>(thread.sched.cpu);
    Node& node = nodes_[cpu];
    if (node.queue.empty() || (!voluntary && !node.preempt)) return false;
    vacate(cpu);
    enqueue(thread, cpu, rousing);
    return true;
}

bool Scheduler::misplaced(const Thread& thread) const {
    const std::lock_guard lock(mutex_);
    const auto cpu = static_cast<unsigned>(thread.sched.cpu);
    return !thread.sched.affinity.test(cpu) || (nodes_[cpu].leave && nodes_[cpu].running == &thread);
}

void Scheduler::migrate(Thread& thread) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    vacate(static_cast<unsigned>(thread.sched.cpu));
    thread.sched.resident = -1;
    if (!closed_) enqueue(thread, static_cast<unsigned>(choose(thread)), rousing);
    watch_balance();
}

void Scheduler::exit(Thread& thread) {
    const std::lock_guard lock(mutex_);
    vacate(static_cast<unsigned>(thread.sched.cpu));
    thread.sched.state = State::kDead;
    thread.sched.resident = -1;
    watch_balance();
}

void Scheduler::set_affinity(Thread& thread, const CpuSet& affinity) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    thread.sched.affinity = affinity;
    if (thread.sched.cpu < 0 || affinity.test(static_cast<unsigned>(thread.sched.cpu))) return;
    if (thread.sched.state == State::kRunning) kick_(static_cast<unsigned>(thread.sched.cpu));
    // One that its vCPU still holds moves when that takes it up.
    if (thread.sched.state != State::kQueued || thread.sched.resident >= 0 || !unqueue(thread)) return;
    enqueue(thread, static_cast<unsigned>(choose(thread)), rousing);
    watch_balance();
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

void Scheduler::watch_balance() {
    if (spread_ != Spread::kScatter || closed_) return;
    if (!loads_.imbalance()) {
        uneven_since_.reset();
        return;
    }
    if (!uneven_since_) uneven_since_ = Timers::Clock::now();
    if (balance_) return;
    ++ticks_pending_;
    balance_ = timers_.at(*uneven_since_ + kTimeSlice, [this] { balance(); });
}

void Scheduler::balance() {
    const std::lock_guard lock(mutex_);
    balance_.reset();
    const auto now = Timers::Clock::now();
    // One that came and went is the program's own rhythm: moving a thread for it would only cost.
    if (const auto imbalance = loads_.imbalance(); imbalance && uneven_since_ && now - *uneven_since_ >= kTimeSlice) {
        uneven_since_ = now;
        if (even_out(*imbalance)) watch_balance();
    } else {
        watch_balance();
    }
    // Last: the destructor waits for it.
    if (--ticks_pending_ == 0) ticks_done_.notify_all();
}

// Moves one thread, if one may: false leaves it to the next change.
bool Scheduler::even_out(PuLoads::Imbalance imbalance) {
    const auto can_move = [&](const Thread& thread) {
        for (unsigned cpu = 0; cpu < nodes_.size(); ++cpu) {
            if (loads_.index_of_pu(cpu) == imbalance.to_pu && load(cpu) == 0 && thread.sched.affinity.test(cpu))
                return true;
        }
        return false;
    };
    for (unsigned cpu = 0; cpu < nodes_.size(); ++cpu) {
        Node& node = nodes_[cpu];
        if (loads_.index_of_pu(cpu) != imbalance.from_pu || node.running == nullptr || !can_move(*node.running))
            continue;
        node.leave = true;
        kick_(cpu);
        return true;
    }
    return false;
}

void Scheduler::close() {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    if (balance_ && timers_.cancel(*balance_)) {
        balance_.reset();
        --ticks_pending_;
    }
    for (unsigned cpu = 0; cpu < nodes_.size(); ++cpu) {
        Node& node = nodes_[cpu];
        if (node.ticking && timers_.cancel(node.tick)) {
            node.ticking = false;
            --ticks_pending_;
        }
        kick_(cpu);
    }
    for (const auto& bell : bells_) bell->ring(~0U);
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
