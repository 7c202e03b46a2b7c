#include "hv/futex.hpp"

#include <linux/futex.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "hv/program.hpp"
#include "hv/syscalls/call.hpp"

namespace divisi::hv {
namespace {

// SAFETY: futex words lie in guest memory that other processors change at any time; every access is one atomic load
// or read-modify-write, and no decision is taken twice on the same word.
std::uint32_t load(const std::uint32_t* word) {
    return std::atomic_ref(*const_cast<std::uint32_t*>(word)).load(std::memory_order_seq_cst);
}

std::uint32_t operate(std::uint32_t* word, std::uint32_t operation, std::uint32_t argument) {
    const std::atomic_ref target(*word);
    switch (operation) {
        case FUTEX_OP_SET: return target.exchange(argument);
        case FUTEX_OP_ADD: return target.fetch_add(argument);
        case FUTEX_OP_OR: return target.fetch_or(argument);
        case FUTEX_OP_ANDN: return target.fetch_and(~argument);
        default: return target.fetch_xor(argument);
    }
}

bool compare(std::uint32_t comparison, std::uint32_t value, std::uint32_t argument) {
    const auto left = static_cast<std::int32_t>(value);
    const auto right = static_cast<std::int32_t>(argument);
    switch (comparison) {
        case FUTEX_OP_CMP_EQ: return left == right;
        case FUTEX_OP_CMP_NE: return left != right;
        case FUTEX_OP_CMP_LT: return left < right;
        case FUTEX_OP_CMP_LE: return left <= right;
        case FUTEX_OP_CMP_GT: return left > right;
        default: return left >= right;
    }
}

// For programs that look by themselves whether anybody waits on a word of theirs, by the lower bits of its address: a
// word of a file has the same ones wherever it is mapped. Windows are others' too.
void count_waiter(const Thread& thread, const FutexTable::Key& key, int change) {
    if (key.window) return;
    std::atomic_ref(thread.program.spec().tables->waiters(key.address))
        .fetch_add(static_cast<std::uint32_t>(change), std::memory_order_seq_cst);
}

// A 12-bit field, signed.
std::uint32_t field(std::uint32_t encoded, unsigned shift) {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(encoded << (20U - shift)) >> 20);
}

}  // namespace

SysResult FutexTable::wait(Thread& thread, const std::vector<Word>& words, std::uint32_t bitset,
                           std::optional<Timers::Clock::time_point> deadline) {
    const std::lock_guard lock(mutex_);
    // ORDER: it counts itself before it looks; who wakes without asking us (hv/kvm/fast_calls.S) changes the word
    // first.
    for (const Word& word : words) count_waiter(thread, word.key, 1);
    for (const Word& word : words) {
        if (load(word.host) == word.expected) continue;
        for (const Word& counted : words) count_waiter(thread, counted.key, -1);
        return -EAGAIN;
    }
    return enqueue(thread, words, {&thread, bitset, 0}, deadline);
}

SysResult FutexTable::enqueue(Thread& thread, const std::vector<Word>& words, const Waiter& waiter,
                              std::optional<Timers::Clock::time_point> deadline) {
    Wait wait;
    wait.ticket = thread.program.scheduler().prepare(thread, false);
    wait.lock = waiter.lock != nullptr;
    lock_waits_ += wait.lock ? 1 : 0;
    for (std::size_t i = 0; i < words.size(); ++i) {
        wait.keys.push_back(words[i].key);
        queues_[words[i].key].push_back(waiter);
        Waiter& placed = queues_[words[i].key].back();
        placed.index = static_cast<std::int64_t>(i);
        placed.host = words[i].host;
        placed.expected = words[i].expected;
    }
    if (on_window_wait_ && words.front().key.window) on_window_wait_();
    if (deadline)
        wait.timer = timers_.at(*deadline, [this, &thread, ticket = wait.ticket] { timed_out(thread, ticket); });
    waits_.insert_or_assign(&thread, std::move(wait));
    return 0;
}

// ---- words that have an owner ----

SysResult FutexTable::claim(const Thread& thread, const Word& lock, bool may_wait, bool& acquired) {
    const auto self = static_cast<std::uint32_t>(thread.tid);
    const std::atomic_ref word(*const_cast<std::uint32_t*>(lock.host));
    std::uint32_t seen = word.load();
    for (;;) {
        const std::uint32_t owner = seen & FUTEX_TID_MASK;
        if (owner == self) return -EDEADLK;
        if (owner == 0) {
            const bool others = queues_.contains(lock.key);
            const std::uint32_t mine = self | (seen & FUTEX_OWNER_DIED) | (others ? FUTEX_WAITERS : 0U);
            if (!word.compare_exchange_weak(seen, mine)) continue;
            acquired = true;
            return 0;
        }
        if (!may_wait) return -EAGAIN;
        if (thread.program.find_thread(static_cast<int>(owner)) == nullptr) return -ESRCH;
        if (word.compare_exchange_weak(seen, seen | FUTEX_WAITERS)) return 0;
    }
}

SysResult FutexTable::lock(Thread& thread, const LockRequest& request, bool& acquired) {
    const std::lock_guard lock(mutex_);
    const SysResult error = claim(thread, request.word, request.may_wait, acquired);
    if (error != 0 || acquired) return error;
    count_waiter(thread, request.word.key, 1);
    return enqueue(thread, {request.word}, {&thread, ~0U, 0, const_cast<std::uint32_t*>(request.word.host)},
                   request.deadline);
}

SysResult FutexTable::wait_for_lock(Thread& thread, const Word& word, const Word& target,
                                    std::optional<Timers::Clock::time_point> deadline) {
    const std::lock_guard lock(mutex_);
    if (load(word.host) != word.expected) return -EAGAIN;
    count_waiter(thread, word.key, 1);
    Waiter waiter{&thread, ~0U, 0};
    waiter.target = const_cast<std::uint32_t*>(target.host);
    return enqueue(thread, {word}, waiter, deadline);
}

void FutexTable::move_to_lock(Queue& from, const Key& from_key, const Word& target) {
    Queue& to = queues_[target.key];
    to.splice(to.end(), from, from.begin());
    Waiter& moved = to.back();
    moved.lock = std::exchange(moved.target, nullptr);
    count_waiter(*moved.thread, target.key, 1);
    count_waiter(*moved.thread, from_key, -1);
    Wait& wait = waits_[moved.thread];
    wait.keys.assign(1, target.key);
    wait.lock = wait.moved = true;
    ++lock_waits_;
}

SysResult FutexTable::requeue_to_lock(const Word& from, const Word& target, std::uint32_t move_count) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    if (load(from.host) != from.expected) return -EAGAIN;
    SysResult done = 0;
    while (done <= static_cast<SysResult>(move_count)) {
        const auto queue = queues_.find(from.key);
        if (queue == queues_.end()) break;
        const Waiter& first = queue->second.front();
        if (first.target != target.host) return done != 0 ? done : -EINVAL;
        bool acquired = false;
        if (const SysResult error = claim(*first.thread, target, true, acquired); error != 0)
            return done != 0 ? done : error;
        if (acquired) {
            finish(*first.thread, 0, rousing);
        } else {
            move_to_lock(queue->second, from.key, target);
            if (queue->second.empty()) queues_.erase(queue);
        }
        ++done;
    }
    return done;
}

// SAFETY: whatever the program makes of the word meanwhile, the store is one it could have made itself.
void FutexTable::hand_over(const Key& key, std::uint32_t* word, std::uint32_t mark, Rousing& rousing) {
    const auto queue = queues_.find(key);
    const auto is_lock = [](const Waiter& waiter) { return waiter.lock != nullptr; };
    if (queue != queues_.end()) {
        const auto first = std::find_if(queue->second.begin(), queue->second.end(), is_lock);
        if (first != queue->second.end()) {
            const bool more = std::any_of(std::next(first), queue->second.end(), is_lock);
            const auto owner = static_cast<std::uint32_t>(first->thread->tid);
            std::atomic_ref(*word).store(owner | mark | (more ? FUTEX_WAITERS : 0U));
            finish(*first->thread, 0, rousing);
            return;
        }
    }
    std::atomic_ref(*word).store(mark);
}

SysResult FutexTable::unlock(const Thread& thread, const Word& word) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    if ((load(word.host) & FUTEX_TID_MASK) != static_cast<std::uint32_t>(thread.tid)) return -EPERM;
    hand_over(word.key, const_cast<std::uint32_t*>(word.host), 0, rousing);
    return 0;
}

void FutexTable::owner_died(const Thread& thread) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    if (lock_waits_ == 0) return;
    std::map<Key, std::uint32_t*> held;
    for (const auto& [key, queue] : queues_) {
        for (const Waiter& waiter : queue) {
            // What lies in a file is known by the file's pages, which are its program's own as well.
            if (waiter.lock == nullptr || (!key.window && &waiter.thread->program != &thread.program)) continue;
            if ((load(waiter.lock) & FUTEX_TID_MASK) == static_cast<std::uint32_t>(thread.tid))
                held.emplace(key, waiter.lock);
        }
    }
    for (const auto& [key, word] : held) hand_over(key, word, FUTEX_OWNER_DIED, rousing);
}

void FutexTable::finish(Thread& thread, std::int64_t result, Rousing& rousing) {
    const auto found = waits_.find(&thread);
    if (found == waits_.end()) return;
    for (const Key& key : found->second.keys) {
        const auto queue = queues_.find(key);
        if (queue == queues_.end()) continue;
        count_waiter(thread, key, -1);
        queue->second.remove_if([&thread](const Waiter& waiter) { return waiter.thread == &thread; });
        if (queue->second.empty()) queues_.erase(queue);
    }
    if (found->second.timer) timers_.cancel(*found->second.timer);
    const std::uint64_t ticket = found->second.ticket;
    lock_waits_ -= found->second.lock ? 1 : 0;
    waits_.erase(found);
    thread.program.scheduler().wake(thread, ticket, result, rousing);
}

void FutexTable::timed_out(Thread& thread, std::uint64_t ticket) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    // The ticket tells this wait from a later one of the same thread (or of another at the same address).
    const auto found = waits_.find(&thread);
    if (found != waits_.end() && found->second.ticket == ticket) finish(thread, -ETIMEDOUT, rousing);
}

void FutexTable::interrupt(Thread& thread, std::int64_t result) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    const auto found = waits_.find(&thread);
    const bool locks = found != waits_.end() && found->second.lock;
    // Who was moved cannot ask again: what it waited for first is over.
    const std::int64_t restart = locks && found->second.moved ? -EAGAIN : kRestartAlways;
    finish(thread, locks && result == kRestart ? restart : result, rousing);
}

void FutexTable::wake_windows() {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    std::vector<Thread*> waiting;
    for (const auto& [thread, wait] : waits_) {
        if (wait.keys.front().window) waiting.push_back(thread);
    }
    for (Thread* thread : waiting) finish(*thread, 0, rousing);
}

void FutexTable::share_windows(std::function<void()> waits) {
    const std::lock_guard lock(mutex_);
    on_window_wait_ = std::move(waits);
    shared_.store(on_window_wait_ != nullptr);
}

std::vector<FutexTable::Word> FutexTable::waited_words(const std::function<bool(const Key&)>& concerns) {
    const std::lock_guard lock(mutex_);
    std::vector<Word> words;
    for (const auto& [key, queue] : queues_) {
        if (!queue.empty() && concerns(key)) words.push_back({key, queue.front().host, queue.front().expected});
    }
    return words;
}

std::map<const Thread*, FutexTable::Sleeper> FutexTable::sleepers() {
    const std::lock_guard lock(mutex_);
    std::map<const Thread*, Sleeper> sleepers;
    for (const auto& [thread, wait] : waits_)
        if (!wait.timer) sleepers.emplace(thread, Sleeper{wait.ticket, wait.keys.front().window});
    return sleepers;
}

void FutexTable::forget(const Program& program) {
    const std::lock_guard lock(mutex_);
    for (auto queue = queues_.begin(); queue != queues_.end();) {
        queue->second.remove_if([&program](const Waiter& waiter) { return &waiter.thread->program == &program; });
        queue = queue->second.empty() ? queues_.erase(queue) : std::next(queue);
    }
    for (auto wait = waits_.begin(); wait != waits_.end();) {
        if (&wait->first->program != &program) {
            ++wait;
            continue;
        }
        if (wait->second.timer) timers_.cancel(*wait->second.timer);
        for (const Key& key : wait->second.keys) count_waiter(*wait->first, key, -1);
        lock_waits_ -= wait->second.lock ? 1 : 0;
        wait = waits_.erase(wait);
    }
}

SysResult FutexTable::wake_locked(const Key& key, std::uint32_t count, std::uint32_t bitset, Rousing& rousing) {
    SysResult woken = 0;
    while (woken < static_cast<SysResult>(count)) {
        const auto queue = queues_.find(key);
        if (queue == queues_.end()) break;
        const auto waiter = std::find_if(queue->second.begin(), queue->second.end(), [bitset](const Waiter& item) {
            return !item.wants_lock() && (item.bitset & bitset) != 0;
        });
        if (waiter == queue->second.end()) break;
        finish(*waiter->thread, waiter->index, rousing);
        ++woken;
    }
    return woken;
}

SysResult FutexTable::wake(Key key, std::uint32_t count, std::uint32_t bitset) {
    Rousing rousing;
    return wake({&key, 1}, count, bitset, rousing);
}

SysResult FutexTable::wake(std::span<const Key> keys, std::uint32_t count, std::uint32_t bitset, Rousing& rousing) {
    const std::lock_guard lock(mutex_);
    SysResult woken = 0;
    for (const Key& key : keys) woken += wake_locked(key, count, bitset, rousing);
    return woken;
}

SysResult FutexTable::requeue(Key from, Key to, std::uint32_t wake_count, std::uint32_t move_count,
                              std::optional<Word> check) {
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    if (check && load(check->host) != check->expected) return -EAGAIN;
    // Who waits to own the word is for FUTEX_UNLOCK_PI alone.
    const auto first = queues_.find(from);
    if (first != queues_.end() && first->second.front().wants_lock()) return -EINVAL;
    const SysResult woken = wake_locked(from, wake_count, ~0U, rousing);
    SysResult moved = 0;
    const auto source = queues_.find(from);
    if (source != queues_.end() && from != to) {
        Queue& target = queues_[to];
        while (!source->second.empty() && moved < static_cast<SysResult>(move_count)) {
            const Waiter waiter = source->second.front();
            source->second.pop_front();
            target.push_back(waiter);
            count_waiter(*waiter.thread, to, 1);
            count_waiter(*waiter.thread, from, -1);
            std::replace(waits_[waiter.thread].keys.begin(), waits_[waiter.thread].keys.end(), from, to);
            ++moved;
        }
        if (source->second.empty()) queues_.erase(source);
        if (target.empty()) queues_.erase(to);
    }
    return woken + (check ? moved : 0);
}

SysResult FutexTable::wake_op(Key first, std::uint32_t first_count, Key second, std::uint32_t second_count,
                              std::uint32_t* target, std::uint32_t operation) {
    const std::uint32_t kind = (operation >> 28U) & 7U;
    std::uint32_t argument = field(operation, 12);
    if (((operation >> 28U) & FUTEX_OP_OPARG_SHIFT) != 0) argument = 1U << (argument & 31U);
    const std::uint32_t comparison = (operation >> 24U) & 15U;
    if (kind > FUTEX_OP_XOR || comparison > FUTEX_OP_CMP_GE) return -ENOSYS;
    Rousing rousing;
    const std::lock_guard lock(mutex_);
    const std::uint32_t old = operate(target, kind, argument);
    SysResult woken = wake_locked(first, first_count, ~0U, rousing);
    if (compare(comparison, old, field(operation, 0))) woken += wake_locked(second, second_count, ~0U, rousing);
    return woken;
}

}  // namespace divisi::hv
