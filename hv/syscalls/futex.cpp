// Futexes: futex(2), futex_waitv(2), and what a thread's end releases.
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <span>

#include "hv/syscalls/call.hpp"

namespace divisi::hv {

// Source: Documentation/locking/robust-futexes.rst of the kernel.
void release_robust_futexes(Call& call) {
    AddressSpace& memory = call.memory();
    struct Head {
        Gva next;
        std::int64_t offset;
        Gva pending;
    };
    const auto head = memory.read<Head>(call.thread.robust_list);
    if (call.thread.robust_list == 0 || !head) return;
    const auto release = [&](Gva entry) {
        const Gva at = (entry & ~1ULL) + static_cast<Gva>(head->offset);
        std::uint32_t* word = memory.word(at);
        if (word == nullptr) return;
        const std::atomic_ref value(*word);
        std::uint32_t seen = value.load();
        while ((seen & FUTEX_TID_MASK) == static_cast<std::uint32_t>(call.thread.tid)) {
            if (!value.compare_exchange_weak(seen, (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED)) continue;
            if ((seen & FUTEX_WAITERS) != 0 && (entry & 1ULL) == 0)
                call.program.services().futexes.wake(call.program.futex_key(at), 1, ~0U);
            return;
        }
    };
    Gva entry = head->next;
    // The list is the program's: it may be circular or endless.
    for (int limit = 0; limit < 2048 && (entry & ~1ULL) != call.thread.robust_list; ++limit) {
        const auto next = memory.read<Gva>(entry & ~1ULL);
        if (entry != head->pending) release(entry);
        if (!next) return;
        entry = *next;
    }
    if (head->pending != 0) release(head->pending);
}

namespace {

SysResult sys_set_robust_list(Call& call) {
    if (call.arg(1) != 24) return -EINVAL;
    call.thread.robust_list = call.arg(0);
    return 0;
}

SysResult sys_get_robust_list(Call& call) {
    constexpr std::uint64_t kHeadBytes = 24;
    const auto thread = call.program.find_thread(call.int_arg(0) == 0 ? call.thread.tid : call.int_arg(0));
    if (thread == nullptr) return -ESRCH;
    return call.memory().write(call.arg(2), kHeadBytes) && call.memory().write(call.arg(1), thread->robust_list)
               ? 0
               : -EFAULT;
}

// ---- futex ----

using Clock = Timers::Clock;

// The time at which a wait ends. `absolute` times are of CLOCK_MONOTONIC or, with `realtime`, of CLOCK_REALTIME.
SysResult read_deadline(Call& call, Gva at, bool absolute, bool realtime, std::optional<Clock::time_point>& deadline) {
    if (at == 0) return 0;
    const auto value = call.memory().read<timespec>(at);
    if (!value) return -EFAULT;
    if (value->tv_sec < 0 || value->tv_nsec < 0 || value->tv_nsec >= 1'000'000'000) return -EINVAL;
    // Beyond a century is for ever; and it must not overflow.
    constexpr std::int64_t kCentury = 3'200'000'000;
    const auto duration = std::chrono::seconds(std::min<std::int64_t>(value->tv_sec, kCentury)) +
                          std::chrono::nanoseconds(value->tv_nsec);
    if (!absolute) {
        deadline = Clock::now() + duration;
    } else if (realtime) {
        const auto left = duration - std::chrono::duration_cast<std::chrono::nanoseconds>(
                                         std::chrono::system_clock::now().time_since_epoch());
        deadline = Clock::now() + left;
    } else {
        deadline = Clock::time_point(duration);
    }
    return 0;
}

FutexTable::Word word_at(Call& call, Gva address, std::uint32_t expected) {
    return {call.program.futex_key(address), call.memory().word(address), expected};
}

SysResult futex_wait(Call& call, std::uint32_t bitset, bool absolute, bool realtime) {
    if (bitset == 0) return -EINVAL;
    std::optional<Clock::time_point> deadline;
    if (const SysResult error = read_deadline(call, call.arg(3), absolute, realtime, deadline); error != 0)
        return error;
    const FutexTable::Word word = word_at(call, call.arg(0), static_cast<std::uint32_t>(call.arg(2)));
    if (word.host == nullptr) return call.arg(0) % 4 != 0 ? -EINVAL : -EFAULT;
    const SysResult queued = call.program.services().futexes.wait(call.thread, {word}, bitset, deadline);
    return queued == 0 ? kWaits : queued;
}

// Priority inheritance without priorities: who asked first gets the lock.
SysResult futex_lock(Call& call, bool may_wait, bool realtime) {
    FutexTable::LockRequest request;
    request.may_wait = may_wait;
    if (may_wait) {
        const SysResult error = read_deadline(call, call.arg(3), true, realtime, request.deadline);
        if (error != 0) return error;
    }
    request.word = word_at(call, call.arg(0), 0);
    if (request.word.host == nullptr) return -EFAULT;
    bool acquired = false;
    const SysResult result = call.program.services().futexes.lock(call.thread, request, acquired);
    return result == 0 && !acquired ? kWaits : result;
}

SysResult futex_unlock(Call& call) {
    const FutexTable::Word word = word_at(call, call.arg(0), 0);
    return word.host != nullptr ? call.program.services().futexes.unlock(call.thread, word) : -EFAULT;
}

SysResult futex_wait_for_lock(Call& call, bool realtime) {
    std::optional<Clock::time_point> deadline;
    if (const SysResult error = read_deadline(call, call.arg(3), true, realtime, deadline); error != 0) return error;
    if (call.arg(0) == call.arg(4) || call.arg(4) % 4 != 0) return -EINVAL;
    const FutexTable::Word word = word_at(call, call.arg(0), static_cast<std::uint32_t>(call.arg(2)));
    const FutexTable::Word target = word_at(call, call.arg(4), 0);
    if (word.host == nullptr || target.host == nullptr) return -EFAULT;
    const SysResult queued = call.program.services().futexes.wait_for_lock(call.thread, word, target, deadline);
    return queued == 0 ? kWaits : queued;
}

SysResult futex_requeue_to_lock(Call& call, std::uint32_t count) {
    if (call.int_arg(2) != 1 || call.int_arg(3) < 0 || call.arg(0) == call.arg(4) || call.arg(4) % 4 != 0)
        return -EINVAL;
    const FutexTable::Word from = word_at(call, call.arg(0), static_cast<std::uint32_t>(call.arg(5)));
    const FutexTable::Word target = word_at(call, call.arg(4), 0);
    if (from.host == nullptr || target.host == nullptr) return -EFAULT;
    return call.program.services().futexes.requeue_to_lock(from, target, count);
}

// Those on other PUs are roused at once, the others by `rousing`.
SysResult wake_words(Call& call, std::span<const FutexTable::Key> keys, std::uint32_t count, std::uint32_t bitset,
                     Rousing& rousing) {
    const SysResult woken = call.program.services().futexes.wake(keys, count, bitset, rousing);
    rousing.ring_elsewhere(call.program.scheduler().pu_of(call.thread));
    return woken;
}

// A wake may be for somebody outside of the VMM who shares the window.
SysResult wake_outside(Call& call, Gva address, std::uint32_t count) {
    std::uint32_t* const word = call.memory().word(address);
    if (word == nullptr) return 0;
    return std::max(::syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0), 0L);
}

SysResult futex_wake(Call& call, Gva address, std::uint32_t count, std::uint32_t bitset) {
    Rousing rousing;
    const FutexTable::Key key = call.program.futex_key(address);
    const SysResult woken = wake_words(call, {&key, 1}, count, bitset, rousing);
    if (!key.window || !call.program.services().futexes.windows_shared() || woken >= static_cast<SysResult>(count))
        return woken;
    return woken + wake_outside(call, address, count - static_cast<std::uint32_t>(woken));
}

SysResult sys_futex(Call& call) {
    const int operation = call.int_arg(1);
    const int command = operation & FUTEX_CMD_MASK;
    const bool realtime = (operation & FUTEX_CLOCK_REALTIME) != 0;
    FutexTable& futexes = call.program.services().futexes;
    const auto count = static_cast<std::uint32_t>(std::clamp(call.int_arg(2), 0, INT32_MAX));
    const auto second_count = static_cast<std::uint32_t>(std::clamp(call.int_arg(3), 0, INT32_MAX));
    if (call.arg(0) % 4 != 0) return -EINVAL;
    const auto key = [&call](std::size_t argument) { return call.program.futex_key(call.arg(argument)); };
    switch (command) {
        case FUTEX_WAIT: return futex_wait(call, ~0U, false, false);
        case FUTEX_WAIT_BITSET: return futex_wait(call, static_cast<std::uint32_t>(call.arg(5)), true, realtime);
        case FUTEX_WAKE: return futex_wake(call, call.arg(0), std::max(count, 1U), ~0U);
        case FUTEX_WAKE_BITSET:
            if (call.arg(5) == 0) return -EINVAL;
            return futex_wake(call, call.arg(0), std::max(count, 1U), static_cast<std::uint32_t>(call.arg(5)));
        case FUTEX_REQUEUE:
            if (call.memory().word(call.arg(4)) == nullptr) return -EFAULT;
            return futexes.requeue(key(0), key(4), count, second_count, std::nullopt);
        case FUTEX_CMP_REQUEUE: {
            const auto check = word_at(call, call.arg(0), static_cast<std::uint32_t>(call.arg(5)));
            if (check.host == nullptr || call.memory().word(call.arg(4)) == nullptr) return -EFAULT;
            return futexes.requeue(key(0), key(4), count, second_count, check);
        }
        case FUTEX_WAKE_OP: {
            std::uint32_t* target = call.memory().word(call.arg(4));
            if (target == nullptr) return -EFAULT;
            return futexes.wake_op(key(0), count, key(4), second_count, target,
                                   static_cast<std::uint32_t>(call.arg(5)));
        }
        case FUTEX_LOCK_PI: return futex_lock(call, true, true);
        case FUTEX_LOCK_PI2: return futex_lock(call, true, realtime);
        case FUTEX_TRYLOCK_PI: return futex_lock(call, false, realtime);
        case FUTEX_UNLOCK_PI: return futex_unlock(call);
        case FUTEX_WAIT_REQUEUE_PI: return futex_wait_for_lock(call, realtime);
        case FUTEX_CMP_REQUEUE_PI: return futex_requeue_to_lock(call, second_count);
        default: return -ENOSYS;
    }
}

// futex_waitv(2) takes 128. A rank of a large topology waits for two words of every other.
constexpr std::uint64_t kMaxWords = 2048;
// DIVISI_WAKE_AND_WAIT_MAX
constexpr std::uint64_t kMaxWakes = 128;

// The words that `count` waiters at `at` name.
SysResult read_waiters(Call& call, Gva at, std::uint64_t count, std::vector<FutexTable::Word>& words) {
    if (count > kMaxWords) return -EINVAL;
    std::vector<futex_waitv> requests(count);
    if (!call.memory().copy_in(requests.data(), at, count * sizeof requests[0])) return -EFAULT;
    for (const futex_waitv& request : requests) {
        if ((request.flags & ~static_cast<std::uint32_t>(FUTEX_PRIVATE_FLAG)) != FUTEX_32 || request.__reserved != 0)
            return -EINVAL;
        words.push_back(word_at(call, request.uaddr, static_cast<std::uint32_t>(request.val)));
        if (words.back().host == nullptr) return request.uaddr % 4 != 0 ? -EINVAL : -EFAULT;
    }
    return 0;
}

SysResult wait_for_any(Call& call, const std::vector<FutexTable::Word>& words,
                       std::optional<Clock::time_point> deadline) {
    const SysResult queued = call.program.services().futexes.wait(call.thread, words, ~0U, deadline);
    return queued == 0 ? kWaits : queued;
}

SysResult sys_futex_waitv(Call& call) {
    std::vector<FutexTable::Word> words;
    std::optional<Clock::time_point> deadline;
    if (call.arg(1) == 0 || call.arg(2) != 0) return -EINVAL;
    if (const SysResult error = read_waiters(call, call.arg(0), call.arg(1), words); error != 0) return error;
    const bool realtime = call.int_arg(4) == CLOCK_REALTIME;
    if (const SysResult error = read_deadline(call, call.arg(3), true, realtime, deadline); error != 0) return error;
    return wait_for_any(call, words, deadline);
}

// Everybody who sleeps on one of the words.
void wake_all(Call& call, const std::vector<Gva>& addresses, Rousing& rousing) {
    std::vector<FutexTable::Key> keys;
    keys.reserve(addresses.size());
    for (const Gva address : addresses) keys.push_back(call.program.futex_key(address));
    wake_words(call, keys, INT32_MAX, ~0U, rousing);
    if (!call.program.services().futexes.windows_shared()) return;
    for (std::size_t i = 0; i < keys.size(); ++i)
        if (keys[i].window) wake_outside(call, addresses[i], INT32_MAX);
}

SysResult sys_divisi_wake_and_wait(Call& call) {
    const std::uint64_t count = call.arg(1);
    std::vector<FutexTable::Word> words;
    std::optional<Clock::time_point> deadline;
    if (count > kMaxWakes) return -EINVAL;
    std::vector<Gva> addresses(count);
    if (!call.memory().copy_in(addresses.data(), call.arg(0), count * sizeof addresses[0])) return -EFAULT;
    if (std::any_of(addresses.begin(), addresses.end(), [](Gva at) { return at % 4 != 0; })) return -EINVAL;
    if (const SysResult error = read_waiters(call, call.arg(2), call.arg(3), words); error != 0) return error;
    if (const SysResult error = read_deadline(call, call.arg(4), true, false, deadline); error != 0) return error;
    Rousing rousing;
    wake_all(call, addresses, rousing);
    if (words.empty()) return 0;
    const SysResult result = wait_for_any(call, words, deadline);
    if (result == kWaits) call.program.scheduler().rouse_when_parked(call.thread, std::move(rousing));
    return result;
}

constexpr SyscallEntry kEntries[] = {
    {SYS_set_robust_list, "set_robust_list", sys_set_robust_list, Served::kFully, ""},
    {SYS_get_robust_list, "get_robust_list", sys_get_robust_list, Served::kFully, ""},
    {SYS_futex, "futex", sys_futex, Served::kPartly, "locks that inherit priority, without priorities"},
    {SYS_futex_waitv, "futex_waitv", sys_futex_waitv, Served::kFully, ""},
    {kSysWakeAndWait, "divisi_wake_and_wait", sys_divisi_wake_and_wait, Served::kFully, "not of Linux"},
};

}  // namespace

SyscallList futex_syscalls() {
    return {kEntries, std::size(kEntries)};
}

}  // namespace divisi::hv
