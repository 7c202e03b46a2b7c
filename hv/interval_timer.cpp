#include "hv/interval_timer.hpp"

#include <time.h>

#include <algorithm>

namespace divisi::hv {
namespace {

using std::chrono::nanoseconds;

// Expiries that follow each other faster are counted, not seen: a program cannot keep the timers' thread busy.
constexpr nanoseconds kLeastInterval = std::chrono::microseconds(50);
constexpr nanoseconds kLeastLook = std::chrono::milliseconds(1);

}  // namespace

IntervalTimer::IntervalTimer(Timers& timers, Clockwork clockwork, std::function<void(std::uint64_t)> expire)
    : state_(std::make_shared<State>()) {
    state_->timers = &timers;
    state_->clockwork = std::move(clockwork);
    state_->expire = std::move(expire);
}

IntervalTimer::~IntervalTimer() {
    const std::lock_guard lock(state_->mutex);
    if (state_->armed) state_->timers->cancel(state_->id);
    state_->armed = false;
    ++state_->serial;
}

IntervalTimer::Clockwork IntervalTimer::host_clock(int clock) {
    return {[clock] {
                timespec now{};
                ::clock_gettime(clock, &now);
                return nanoseconds(std::chrono::seconds(now.tv_sec)) + nanoseconds(now.tv_nsec);
            },
            1, false};
}

void IntervalTimer::arm(const std::shared_ptr<State>& state, nanoseconds now, nanoseconds least) {
    state->armed = true;
    nanoseconds wait = std::max(state->due - now, least);
    if (state->clockwork.looked_up) wait = std::max(wait / state->clockwork.fastest, kLeastLook);
    state->id =
        state->timers->at(Timers::Clock::now() + wait, [state, serial = ++state->serial] { elapsed(state, serial); });
}

void IntervalTimer::elapsed(const std::shared_ptr<State>& state, std::uint64_t serial) {
    const std::lock_guard lock(state->mutex);
    if (!state->armed || state->serial != serial) return;
    const nanoseconds now = state->clockwork.now();
    if (now < state->due) {
        arm(state, now, nanoseconds(0));
        return;
    }
    state->armed = false;
    std::uint64_t missed = 0;
    if (state->interval.count() > 0) {
        missed = static_cast<std::uint64_t>((now - state->due) / state->interval);
        state->due += state->interval * static_cast<std::int64_t>(missed + 1);
        arm(state, now, kLeastInterval);
    }
    state->expire(missed);
}

IntervalTimer::Setting IntervalTimer::read(const State& state) {
    if (!state.armed) return {};
    // A timer that is armed never reads as disarmed.
    return {std::max<nanoseconds>(state.due - state.clockwork.now(), std::chrono::microseconds(1)), state.interval};
}

IntervalTimer::Setting IntervalTimer::set(const Setting& setting, bool absolute) {
    const std::lock_guard lock(state_->mutex);
    const Setting old = read(*state_);
    if (state_->armed) state_->timers->cancel(state_->id);
    state_->armed = false;
    ++state_->serial;
    if (setting.left.count() > 0) {
        const nanoseconds now = state_->clockwork.now();
        state_->interval = setting.interval;
        state_->due = absolute ? setting.left : now + setting.left;
        arm(state_, now, nanoseconds(0));
    }
    return old;
}

IntervalTimer::Setting IntervalTimer::get() const {
    const std::lock_guard lock(state_->mutex);
    return read(*state_);
}

}  // namespace divisi::hv
