#include "hv/blocking_calls.hpp"

#include <cerrno>
#include <chrono>

#include "hv/kick_signal.hpp"
#include "hv/thread.hpp"

namespace divisi::hv {

BlockingCalls::~BlockingCalls() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    arrived_.notify_all();
    for (std::thread& thread : threads_) thread.join();
}

void BlockingCalls::submit(const Thread& caller, std::function<std::int64_t()> call,
                           std::function<void(std::int64_t)> done) {
    std::unique_lock lock(mutex_);
    auto item = std::make_shared<Call>();
    item->caller = &caller;
    item->call = std::move(call);
    item->done = std::move(done);
    calls_.insert_or_assign(&caller, item);
    queue_.push_back(item);
    // A call may wait for ever, so none may wait for another's thread.
    if (idle_ < queue_.size() && !start_worker()) {
        queue_.pop_back();
        calls_.erase(&caller);
        lock.unlock();
        item->call = nullptr;
        item->done(-ENOMEM);
        return;
    }
    arrived_.notify_one();
}

bool BlockingCalls::start_worker() {
    // The host's limit of threads may be reached, by as many guests as there are: the one that asks is told.
    try {
        threads_.emplace_back([this] { work(); });
        return true;
    } catch (const std::system_error&) {
        return false;
    }
}

void BlockingCalls::run(const std::shared_ptr<Call>& item, std::unique_lock<std::mutex>& lock) {
    std::int64_t result = -EINTR;
    if (!item->canceled) {
        item->running = true;
        item->host_thread = ::pthread_self();
        lock.unlock();
        result = item->call();
        lock.lock();
        item->running = false;
    }
    // Out of the table before the guest's thread goes on: its next call takes the place. A result that came in spite
    // of a cancellation counts: bytes that were read must not be lost.
    const auto found = calls_.find(item->caller);
    if (found != calls_.end() && found->second == item) calls_.erase(found);
    finishing_ += 1;
    lock.unlock();
    // Before the guest's thread goes on, too: what the call has kept open must be closed when the thread closes it.
    item->call = nullptr;
    item->done(result);
    lock.lock();
    finishing_ -= 1;
    finished_.notify_all();
}

void BlockingCalls::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (queue_.empty()) return;
        const std::shared_ptr<Call> item = queue_.front();
        queue_.pop_front();
        run(item, lock);
    }
}

void BlockingCalls::cancel(const Thread& caller) {
    std::unique_lock lock(mutex_);
    const auto found = calls_.find(&caller);
    if (found == calls_.end()) return;
    const std::shared_ptr<Call> item = found->second;
    item->canceled = true;
    // Again and again: a kick just before the host thread enters the call is without effect.
    while (item->running) {
        send_kick(item->host_thread);
        finished_.wait_for(lock, std::chrono::milliseconds(1));
    }
}

void BlockingCalls::cancel_all(const Program& program) {
    std::unique_lock lock(mutex_);
    for (;;) {
        bool any = finishing_ != 0;
        for (auto& [caller, call] : calls_) {
            if (&caller->program != &program) continue;
            any = true;
            call->canceled = true;
            if (call->running) send_kick(call->host_thread);
        }
        if (!any) return;
        finished_.wait_for(lock, std::chrono::milliseconds(1));
    }
}

}  // namespace divisi::hv
