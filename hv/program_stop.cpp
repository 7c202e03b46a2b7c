// Stopping a program and letting it go on: SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, and SIGCONT.
//
// The thread that takes a signal which stops the program makes all nodes leave it, and each waits where it would
// deliver signals next. What the host does for a thread goes on meanwhile, and so do timers: one may send SIGCONT.
// Source: signal(7), "Signal mask and pending signals"; the kernel's prepare_signal().
#include <csignal>

#include "hv/program.hpp"

namespace divisi::hv {
namespace {

constexpr SignalSet kStops = signal_bit(SIGSTOP) | signal_bit(SIGTSTP) | signal_bit(SIGTTIN) | signal_bit(SIGTTOU);

}  // namespace

void Program::before_signal(int signo) {
    const bool stops = (kStops & signal_bit(signo)) != 0;
    if (!stops && signo != SIGCONT && signo != SIGKILL) return;
    std::vector<std::shared_ptr<Thread>> threads;
    {
        const std::lock_guard lock(threads_mutex_);
        for (const auto& [tid, thread] : threads_) threads.push_back(thread);
    }
    // The later one counts.
    signals_.discard(stops ? signal_bit(SIGCONT) : kStops, threads);
    if (!stops) resume();
}

// ORDER: nodes look for it before they enter guest code, and a kick makes those leave that have looked already.
void Program::stop() {
    {
        const std::lock_guard lock(stop_mutex_);
        if (over()) return;
        stops_.fetch_add(1, std::memory_order_release);
        stopped_.store(true, std::memory_order_release);
    }
    for (unsigned cpu = 0; cpu < scheduler_.cpus(); ++cpu) spec_.kick(cpu);
    if (spec_.on_stop) spec_.on_stop();
}

void Program::resume() {
    {
        const std::lock_guard lock(stop_mutex_);
        stopped_.store(false, std::memory_order_release);
    }
    goes_on_.notify_all();
}

void Program::stand_still(Thread& thread, Vcpu& vcpu) {
    std::unique_lock lock(stop_mutex_);
    while (stopped() && !over()) {
        if (looking_.load(std::memory_order_acquire)) {
            lock.unlock();
            lay_down(thread, vcpu);
            lock.lock();
            if (!stopped() || over()) return;
        }
        goes_on_.wait(lock);
    }
}

}  // namespace divisi::hv
