#include "hv/cpu_times.hpp"

#include <pthread.h>

#include "hv/thread.hpp"
#include "hv/vcpu.hpp"

namespace divisi::hv {

using std::chrono::nanoseconds;

nanoseconds CpuTimes::read(const Node& node) {
    timespec time{};
    ::clock_gettime(node.clock, &time);
    return std::chrono::seconds(time.tv_sec) + nanoseconds(time.tv_nsec) + node.vcpu->time_elsewhere();
}

void CpuTimes::enter(unsigned cpu, const Vcpu& vcpu) {
    const std::lock_guard lock(mutex_);
    Node& node = nodes_[cpu];
    node.vcpu = &vcpu;
    ::pthread_getcpuclockid(::pthread_self(), &node.clock);
    node.entered = read(node);
}

void CpuTimes::leave(unsigned cpu) {
    const std::lock_guard lock(mutex_);
    Node& node = nodes_[cpu];
    node.past += read(node) - node.entered;
    node.vcpu = nullptr;
}

nanoseconds CpuTimes::now(unsigned cpu) const {
    const std::lock_guard lock(mutex_);
    const Node& node = nodes_[cpu];
    return node.vcpu != nullptr ? node.past + read(node) - node.entered : node.past;
}

void CpuTimes::take_up(Thread& thread, unsigned cpu) {
    const nanoseconds at = now(cpu);
    const std::lock_guard lock(thread.cpu_time.mutex);
    thread.cpu_time.cpu = static_cast<int>(cpu);
    thread.cpu_time.since = at;
}

void CpuTimes::put_down(Thread& thread) {
    const std::lock_guard lock(thread.cpu_time.mutex);
    thread.cpu_time.spent += now(static_cast<unsigned>(thread.cpu_time.cpu)) - thread.cpu_time.since;
    thread.cpu_time.cpu = -1;
}

nanoseconds CpuTimes::thread(Thread& thread) const {
    const std::lock_guard lock(thread.cpu_time.mutex);
    const Thread::CpuTime& time = thread.cpu_time;
    return time.cpu < 0 ? time.spent : time.spent + now(static_cast<unsigned>(time.cpu)) - time.since;
}

nanoseconds CpuTimes::program() const {
    nanoseconds sum{0};
    for (unsigned cpu = 0; cpu < nodes_.size(); ++cpu) sum += now(cpu);
    return sum;
}

}  // namespace divisi::hv
