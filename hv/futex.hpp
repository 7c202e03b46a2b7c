// Futexes of all programs of a VMM: threads that wait on a word.
//
// A word of a program's own memory is known by its address there; a word of a window by its place in the memory file
// behind it, so that programs which share the window meet. Checking the word and queueing are one step under the
// table's lock, and a wake takes the same lock: a wake that follows a store to the word cannot be lost.
//
// Threads: all members may be called from several threads.
// Source: futex(2), futex_waitv(2).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "hv/address_space.hpp"
#include "hv/scheduler.hpp"
#include "hv/thread.hpp"
#include "hv/timers.hpp"

namespace divisi::hv {

class FutexTable {
public:
    explicit FutexTable(Timers& timers) : timers_(timers) {}

    struct Key {
        const void* space = nullptr;
        std::uint64_t address = 0;
        bool window = false;
        auto operator<=>(const Key&) const = default;
    };
    struct Word {
        Key key;
        const std::uint32_t* host = nullptr;
        std::uint32_t expected = 0;
    };

    // Queues the thread on all words, unless one differs from what is expected (-EAGAIN). 0: queued; the thread is
    // woken with the index of the word, with -ETIMEDOUT, or with -EINTR by `interrupt`.
    SysResult wait(Thread& thread, const std::vector<Word>& words, std::uint32_t bitset,
                   std::optional<Timers::Clock::time_point> deadline);
    // Wakes up to `count`; returns how many.
    SysResult wake(Key key, std::uint32_t count, std::uint32_t bitset);
    // The same on each of several words; their nodes are the caller's to rouse.
    SysResult wake(std::span<const Key> keys, std::uint32_t count, std::uint32_t bitset, Rousing& rousing);
    // FUTEX_REQUEUE and FUTEX_CMP_REQUEUE (with `check`).
    SysResult requeue(Key from, Key to, std::uint32_t wake_count, std::uint32_t move_count, std::optional<Word> check);
    // FUTEX_WAKE_OP; `target` is the word that is operated on.
    SysResult wake_op(Key first, std::uint32_t first_count, Key second, std::uint32_t second_count,
                      std::uint32_t* target, std::uint32_t operation);
    // FUTEX_LOCK_PI: the word becomes the thread's number, or the thread waits until it is handed over. There are no
    // priorities to inherit. 0 with `acquired` set, or as `wait`; -EDEADLK, -ESRCH; -EAGAIN for one that must not wait.
    struct LockRequest {
        Word word;
        bool may_wait = true;
        std::optional<Timers::Clock::time_point> deadline;
    };
    SysResult lock(Thread& thread, const LockRequest& request, bool& acquired);
    // FUTEX_UNLOCK_PI: hands the word to the first that waits for it. -EPERM where it is not the thread's.
    SysResult unlock(const Thread& thread, const Word& word);
    // FUTEX_WAIT_REQUEUE_PI: as `wait`, for being moved to the lock `target`; woken when it owns that.
    SysResult wait_for_lock(Thread& thread, const Word& word, const Word& target,
                            std::optional<Timers::Clock::time_point> deadline);
    // FUTEX_CMP_REQUEUE_PI: the first that waits for it gets the lock or waits for its owner, and so do up to
    // `move_count` more. How many; -EAGAIN; -EINVAL for who waits for something else; as `lock`.
    SysResult requeue_to_lock(const Word& from, const Word& target, std::uint32_t move_count);
    // The thread is gone: what it held goes to those that wait for it, marked.
    void owner_died(const Thread& thread);
    // Forgets the thread, if it waits; it is woken with `result`.
    void interrupt(Thread& thread, std::int64_t result);
    // Wakes all that wait on words of windows: something happened that they may have to see (a rank has ended).
    void wake_windows();
    // Somebody outside of the VMM shares windows: `waits` is called, under the table's lock, when a thread begins to
    // wait on a word of one. Null: nobody does any more.
    void share_windows(std::function<void()> waits);
    [[nodiscard]] bool windows_shared() const { return shared_.load(); }
    // The words waited on of those that `concerns` accepts.
    std::vector<Word> waited_words(const std::function<bool(const Key&)>& concerns);
    // The threads that wait with no end set by time, as they are at one moment. A ticket is of one wait, and never used
    // again by its thread.
    struct Sleeper {
        std::uint64_t ticket = 0;
        bool window = false;  // on words of a window
    };
    std::map<const Thread*, Sleeper> sleepers();
    // Forgets all threads of a program that is over, without waking them.
    void forget(const Program& program);

private:
    struct Waiter {
        Thread* thread;
        std::uint32_t bitset;
        std::int64_t index;                   // of the word, as the wake's result
        std::uint32_t* lock = nullptr;        // waits to own this word, and not to be woken
        std::uint32_t* target = nullptr;      // or to be moved to this one, and then to own it
        const std::uint32_t* host = nullptr;  // the word, and what it was expected to hold
        std::uint32_t expected = 0;

        [[nodiscard]] bool wants_lock() const { return lock != nullptr || target != nullptr; }
    };
    using Queue = std::list<Waiter>;
    struct Wait {
        std::vector<Key> keys;
        bool lock = false;
        bool moved = false;  // to the lock, which it did not ask for by itself
        std::optional<Timers::Id> timer;
        std::uint64_t ticket = 0;
    };

    SysResult enqueue(Thread& thread, const std::vector<Word>& words, const Waiter& waiter,
                      std::optional<Timers::Clock::time_point> deadline);
    // Makes the word the thread's, or marks that somebody waits for it. 0, or as `lock`.
    SysResult claim(const Thread& thread, const Word& lock, bool may_wait, bool& acquired);
    // The waiter goes from the front of its queue to the end of the lock's.
    void move_to_lock(Queue& from, const Key& from_key, const Word& target);
    void hand_over(const Key& key, std::uint32_t* word, std::uint32_t mark, Rousing& rousing);
    void timed_out(Thread& thread, std::uint64_t ticket);
    // Here and below, `rousing` is made before the lock is taken, and so wakes after it was let go of.
    void finish(Thread& thread, std::int64_t result, Rousing& rousing);
    SysResult wake_locked(const Key& key, std::uint32_t count, std::uint32_t bitset, Rousing& rousing);

    Timers& timers_;
    std::mutex mutex_;
    std::map<Key, Queue> queues_;
    std::map<Thread*, Wait> waits_;
    std::size_t lock_waits_ = 0;  // how many of them are for locks
    std::function<void()> on_window_wait_;
    std::atomic<bool> shared_{false};
};

}  // namespace divisi::hv
