#include "hv/program_timers.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <vector>

namespace divisi::hv {

int ProgramTimers::create(IntervalTimer::Clockwork clockwork, const Notification& notification) {
    constexpr std::size_t kLimit = 1024;
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= kLimit) return -EAGAIN;
    int id = 0;
    for (const auto& [number, entry] : entries_) {
        if (number != id) break;
        ++id;
    }
    Entry entry;
    entry.signal = std::make_shared<TimerSignal>();
    SignalInfo info;
    info.signo = notification.signo;
    info.code = SI_TIMER;
    info.timer = id;
    info.value = notification.value.value_or(static_cast<std::uint64_t>(id));
    info.origin = entry.signal;
    const auto expire = [send = send_, tid = notification.tid, info](std::uint64_t missed) mutable {
        info.missed = missed;
        if (info.signo != 0) send(tid, info);
    };
    entry.timer = std::make_shared<IntervalTimer>(timers_, std::move(clockwork), expire);
    entries_.emplace(id, std::move(entry));
    return id;
}

ProgramTimers::Entry ProgramTimers::find(int id) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    return found == entries_.end() ? Entry{} : found->second;
}

bool ProgramTimers::remove(int id) {
    Entry gone;  // ends after the lock: an expiry under way may need it
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(id);
    if (found == entries_.end()) return false;
    gone = std::move(found->second);
    entries_.erase(found);
    return true;
}

void ProgramTimers::clear() {
    std::map<int, Entry> gone;
    const std::lock_guard lock(mutex_);
    gone.swap(entries_);
}

std::optional<IntervalTimer::Setting> ProgramTimers::set(int id, const IntervalTimer::Setting& setting, bool absolute) {
    const Entry entry = find(id);
    if (!entry.timer) return std::nullopt;
    return entry.timer->set(setting, absolute);
}

std::optional<IntervalTimer::Setting> ProgramTimers::get(int id) const {
    const Entry entry = find(id);
    if (!entry.timer) return std::nullopt;
    return entry.timer->get();
}

bool ProgramTimers::any_armed() const {
    std::vector<std::shared_ptr<IntervalTimer>> timers;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, entry] : entries_) timers.push_back(entry.timer);
    }
    // Not under the lock: an expiry under way, which is waited for, may need it.
    return std::any_of(timers.begin(), timers.end(), [](const auto& timer) { return timer->get().left.count() != 0; });
}

std::optional<int> ProgramTimers::overrun(int id) const {
    const Entry entry = find(id);
    if (!entry.signal) return std::nullopt;
    return entry.signal->last_overrun.load();
}

}  // namespace divisi::hv
