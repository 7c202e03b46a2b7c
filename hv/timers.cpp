#include "hv/timers.hpp"

#include <algorithm>

namespace divisi::hv {

Timers::Timers() : thread_([this] { loop(); }) {}

Timers::~Timers() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Timers::Id Timers::at(Clock::time_point when, std::function<void()> callback) {
    const std::lock_guard lock(mutex_);
    const Id id = ++last_;
    const bool first = queue_.empty() || when < queue_.begin()->first;
    queue_.emplace(when, std::pair(id, std::move(callback)));
    when_.emplace(id, when);
    if (first) changed_.notify_all();
    return id;
}

bool Timers::cancel(Id id) {
    const std::lock_guard lock(mutex_);
    const auto when = when_.find(id);
    if (when == when_.end()) return false;
    const auto [begin, end] = queue_.equal_range(when->second);
    const auto entry = std::find_if(begin, end, [id](const auto& item) { return item.second.first == id; });
    queue_.erase(entry);
    when_.erase(when);
    return true;
}

void Timers::loop() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (queue_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const auto next = queue_.begin();
        const Clock::time_point due = next->first;
        if (Clock::now() < due) {
            changed_.wait_until(lock, due);
            continue;
        }
        const auto callback = std::move(next->second.second);
        when_.erase(next->second.first);
        queue_.erase(next);
        lock.unlock();
        callback();
        lock.lock();
    }
}

}  // namespace divisi::hv
