#include "hv/interval_timer.hpp"

#include <algorithm>

namespace divisi::hv {

IntervalTimer::IntervalTimer(Timers& timers, std::function<void()> expire) : state_(std::make_shared<State>()) {
    state_->timers = &timers;
    state_->expire = std::move(expire);
}

IntervalTimer::~IntervalTimer() {
    const std::lock_guard lock(state_->mutex);
    if (state_->armed) state_->timers->cancel(state_->id);
    state_->armed = false;
    ++state_->serial;
}

void IntervalTimer::arm(const std::shared_ptr<State>& state) {
    state->armed = true;
    state->id = state->timers->at(state->due, [state, serial = ++state->serial] { expired(state, serial); });
}

void IntervalTimer::expired(const std::shared_ptr<State>& state, std::uint64_t serial) {
    const std::lock_guard lock(state->mutex);
    if (!state->armed || state->serial != serial) return;
    state->armed = false;
    if (state->interval.count() > 0) {
        state->due = std::max(state->due + state->interval, Timers::Clock::now());
        arm(state);
    }
    state->expire();
}

IntervalTimer::Setting IntervalTimer::read(const State& state) {
    if (!state.armed) return {};
    // A timer that is armed never reads as disarmed.
    return {std::max<std::chrono::nanoseconds>(state.due - Timers::Clock::now(), std::chrono::microseconds(1)),
            state.interval};
}

IntervalTimer::Setting IntervalTimer::set(const Setting& setting) {
    const std::lock_guard lock(state_->mutex);
    const Setting old = read(*state_);
    if (state_->armed) state_->timers->cancel(state_->id);
    state_->armed = false;
    ++state_->serial;
    if (setting.left.count() > 0) {
        state_->interval = setting.interval;
        state_->due = Timers::Clock::now() + setting.left;
        arm(state_);
    }
    return old;
}

IntervalTimer::Setting IntervalTimer::get() const {
    const std::lock_guard lock(state_->mutex);
    return read(*state_);
}

}  // namespace divisi::hv
