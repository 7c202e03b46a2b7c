#include "hv/sleepers.hpp"

#include "hv/scheduler.hpp"

namespace divisi::hv {

Sleepers::Sleepers(Scheduler& scheduler) : book_(std::make_shared<Book>()) {
    book_->scheduler = &scheduler;
}

Sleepers::~Sleepers() {
    const std::lock_guard lock(book_->mutex);
    for (const auto& [thread, sleep] : book_->sleeps) sleep.timers->cancel(sleep.id);
    book_->sleeps.clear();
}

void Sleepers::add(Timers& timers, Thread& thread, std::uint64_t ticket, Timers::Clock::time_point deadline) {
    const std::lock_guard lock(book_->mutex);
    const Timers::Id id = timers.at(deadline, [book = book_, sleeper = &thread, ticket] {
        const std::lock_guard book_lock(book->mutex);
        const auto found = book->sleeps.find(sleeper);
        if (found != book->sleeps.end() && found->second.ticket == ticket) book->scheduler->wake(*sleeper, ticket, 0);
    });
    book_->sleeps.insert_or_assign(&thread, Sleep{&timers, id, ticket});
}

void Sleepers::remove(Thread& thread) {
    const std::lock_guard lock(book_->mutex);
    const auto found = book_->sleeps.find(&thread);
    if (found == book_->sleeps.end()) return;
    found->second.timers->cancel(found->second.id);
    book_->sleeps.erase(found);
}

}  // namespace divisi::hv
