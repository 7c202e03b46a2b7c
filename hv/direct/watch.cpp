#include "hv/direct/watch.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace divisi::hv {
namespace {

constexpr int kKickLookMs = 100;
constexpr int kDeathLookMs = 10;

bool readable(int fd) {
    pollfd one{fd, POLLIN, 0};
    return fd >= 0 && ::poll(&one, 1, 0) == 1;
}

}  // namespace

Result<std::unique_ptr<Watch>> Watch::create() {
    Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake.valid()) return system_error(errno, "cannot make an event");
    std::unique_ptr<Watch> watch(new Watch(std::move(wake)));
    watch->thread_ = std::thread([&self = *watch] { self.live(); });
    return watch;
}

Watch::~Watch() {
    stopping_.store(true);
    changed();
    thread_.join();
}

void Watch::add(Watched& watched) {
    {
        const std::lock_guard lock(mutex_);
        watched_.push_back(&watched);
    }
    changed();
}

void Watch::remove(Watched& watched) {
    {
        const std::lock_guard lock(mutex_);
        std::erase(watched_, &watched);
    }
    changed();
}

void Watch::kicked() noexcept {
    if (!armed_.exchange(true)) changed();
}

void Watch::changed() noexcept {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
}

void Watch::live() {
    ::pthread_setname_np(::pthread_self(), "stub watch");
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    while (!stopping_.load()) {
        const bool deaths = tell_deaths();
        // Whoever is kicked gets time to stop; all kicks of that time cost one look.
        const bool armed = armed_.load();
        sleep(deaths ? kDeathLookMs : armed ? kKickLookMs : -1);
        if (!armed) continue;
        armed_.store(false);
        if (look_after_kicks()) armed_.store(true);
    }
}

bool Watch::look_after_kicks() {
    const std::lock_guard lock(mutex_);
    bool outstanding = false;
    for (Watched* watched : watched_) outstanding |= watched->look_after_kick();
    return outstanding;
}

bool Watch::tell_deaths() {
    const std::lock_guard lock(mutex_);
    bool waiting = false;
    for (Watched* watched : watched_) waiting |= readable(watched->death_fd()) && watched->tell_death();
    return waiting;
}

void Watch::sleep(int timeout_ms) {
    std::vector<pollfd> fds{{wake_.get(), POLLIN, 0}};
    {
        const std::lock_guard lock(mutex_);
        for (const Watched* watched : watched_) {
            // The dead have been told, or are told again after the timeout.
            if (const int fd = watched->death_fd(); fd >= 0 && !readable(fd)) fds.push_back({fd, POLLIN, 0});
        }
    }
    if (::poll(fds.data(), fds.size(), timeout_ms) <= 0) return;
    std::uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof count);
}

}  // namespace divisi::hv
