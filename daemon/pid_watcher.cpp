#include "daemon/pid_watcher.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

namespace divisi::daemon {

PidWatcher::~PidWatcher() {
    if (!thread_.joinable()) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake();
    thread_.join();
}

Result<void> PidWatcher::start() {
    event_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event_.valid()) return system_error(errno, "cannot create an event descriptor");
    thread_ = std::thread([this] { run(); });
    return {};
}

void PidWatcher::watch(Fd pidfd, std::function<void()> on_end) {
    {
        const std::lock_guard lock(mutex_);
        arriving_.push_back({std::move(pidfd), std::move(on_end)});
    }
    wake();
}

void PidWatcher::wake() const {
    const std::uint64_t one = 1;
    (void)!::write(event_.get(), &one, sizeof one);
}

void PidWatcher::run() {
    for (;;) {
        {
            const std::lock_guard lock(mutex_);
            if (stopping_) return;
            entries_.splice(entries_.end(), arriving_);
        }
        std::vector<pollfd> wanted{{event_.get(), POLLIN, 0}};
        for (const Entry& entry : entries_) wanted.push_back({entry.pidfd.get(), POLLIN, 0});
        if (::poll(wanted.data(), wanted.size(), -1) < 0) continue;  // EINTR only: the descriptors are ours
        std::uint64_t count = 0;
        (void)!::read(event_.get(), &count, sizeof count);
        auto result = wanted.cbegin() + 1;
        for (auto entry = entries_.begin(); entry != entries_.end(); ++result) {
            if (result->revents == 0) {
                ++entry;
                continue;
            }
            entry->on_end();
            entry = entries_.erase(entry);
        }
    }
}

}  // namespace divisi::daemon
