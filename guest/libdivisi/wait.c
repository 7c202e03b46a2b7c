/* Waiting for the other end: look, spin where that can help, sleep otherwise.
 *
 * Why no wake-up is lost: the sleeper sets its sleep word, fences, and looks once more; the waker makes the condition
 * true, fences, and looks at the sleep word. At least one of them sees the other. A waker clears the word before its
 * futex wake, and the kernel compares the word when it puts the sleeper to bed: so a wake between the last look and
 * the bed finds the word changed. Every clearing is followed by a wake, so a late clearing, meant for an earlier sleep,
 * costs one more round and nothing else. docs/models/channel.pml is this, checked.
 *
 * In nodes each system call is an exit. So a function of ours that sends several messages, or sends and then waits,
 * holds its wakes back and makes them together, in the call in which this rank falls asleep where it does
 * (DIVISI_SYS_WAKE_AND_WAIT). To the protocol that is a waker who is slow between the clearing and the wake. One who
 * dies there leaves nobody asleep: the host wakes everybody when a rank ends. */
#define _GNU_SOURCE
#include <time.h>

#include "internal.h"
#include "system.h"

#define NO_LIMIT UINT64_MAX
#define SPUN_BEFORE_ARRIVAL_NS 50000u

/* Looks without `pause` first: a reply that is under way comes within this many looks. */
#define BUSY_LOOKS 2000u
#define PAUSED_LOOKS 16u

static uint32_t* sleep_word(const struct dvi_condition* condition) {
    return condition->wanted == DVI_SPACE ? &condition->link->tx.ring->space_sleep
                                          : &condition->link->rx.ring->data_sleep;
}

/* Anything but the count before `target` ends the wait: garbage as well, which the caller then finds. */
static int signal_changed(const struct divisi_rx* rx, uint32_t target) {
    return __atomic_load_n(&rx->ring->signal, __ATOMIC_ACQUIRE) != target - 1u;
}

static int space_reached(struct divisi_tx* tx, uint32_t slots, uint32_t bulk) {
    if (divisi_tx_refresh(tx) != DIVISI_RING_OK) return 1;
    return divisi_tx_room(tx) >= divisi_tx_room_for(tx, slots) && tx->free_bulk >= bulk;
}

static int ready(const struct dvi_condition* condition) {
    struct dvi_link* const link = condition->link;
    switch (condition->wanted) {
        case DVI_DATA: return divisi_rx_peek(&link->rx) != DIVISI_RING_WAIT;
        case DVI_SIGNAL: return signal_changed(&link->rx, condition->count);
        case DVI_SPACE: return space_reached(&link->tx, condition->count, condition->bulk);
    }
    return 1;
}

static int any_ready(const struct dvi_condition* conditions, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
        if (ready(&conditions[i])) return 1;
    return 0;
}

static int any_hopeless(const struct dvi_condition* conditions, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
        if (dvi_hopeless(conditions[i].link)) return 1;
    return 0;
}

static int worth_spinning(const struct dvi_condition* conditions, uint32_t count) {
    /* On a shared PU the ranks that are to be woken had better run. */
    if (dvi.held_count != 0u && dvi.page->pu_ranks > 1u) return 0;
    for (uint32_t i = 0; i < count; ++i)
        if (conditions[i].link->other_pu) return 1;
    return 0;
}

/* `bell` may be NULL, here and below. */
static int spin(const struct dvi_condition* conditions, uint32_t count, const struct dvi_bell* bell) {
    const uint64_t begin = __builtin_ia32_rdtsc();
    for (uint32_t look = 0; look < BUSY_LOOKS; look += count)
        if (any_ready(conditions, count)) return 1;
    while (__builtin_ia32_rdtsc() - begin < dvi.spin_ticks) {
        for (uint32_t look = 0; look < PAUSED_LOOKS; ++look) {
            if (any_ready(conditions, count)) return 1;
            __builtin_ia32_pause();
        }
        if (any_hopeless(conditions, count)) return 1;
        if (bell != NULL && bell->wanted()) return 0;
    }
    return 0;
}

static void arm(const struct dvi_condition* conditions, uint32_t count, uint32_t value) {
    for (uint32_t i = 0; i < count; ++i) __atomic_store_n(sleep_word(&conditions[i]), value, __ATOMIC_RELAXED);
}

static struct dvi_timespec to_timespec(uint64_t ns) {
    const struct dvi_timespec time = {(int64_t)(ns / 1000000000u), (int64_t)(ns % 1000000000u)};
    return time;
}

/* Sleeps until `word` is not `value`, is woken, or `ns` have passed. Any reason to wake up is good enough. */
static void sleep_on_one(const uint32_t* word, uint32_t value, uint64_t ns) {
    const struct dvi_timespec timeout = to_timespec(ns);
    dvi_syscall(DVI_SYS_FUTEX, (long)word, DVI_FUTEX_WAIT, (long)value, ns == NO_LIMIT ? 0 : (long)&timeout, 0);
}

static uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct dvi_futex_waitv waiter_on(const uint32_t* word, uint32_t value) {
    const struct dvi_futex_waitv waiter = {value, (uint64_t)(uintptr_t)word, DVI_FUTEX_32, 0};
    return waiter;
}

/* Wakes all that are held, and then sleeps on `waiters`, if any, until `deadline` (NULL: for ever). Natively there is
 * no such call: it does not sleep then. */
static void wake_and_wait(const struct dvi_futex_waitv* waiters, uint32_t count, const struct dvi_timespec* deadline) {
    const uint32_t held = dvi.held_count;
    dvi.held_count = 0;
    if (dvi.page->backend == DIVISI_ABI_BACKEND_NATIVE) {
        for (uint32_t i = 0; i < held; ++i)
            dvi_syscall(DVI_SYS_FUTEX, (long)dvi.held[i], DVI_FUTEX_WAKE, INT32_MAX, 0, 0);
        return;
    }
    dvi_syscall(DIVISI_SYS_WAKE_AND_WAIT, (long)dvi.held, (long)held, (long)waiters, (long)count, (long)deadline);
}

/* Sleeps on the conditions' words, and on the bell. 0: this kernel cannot. */
static int sleep_on_words(const struct dvi_condition* conditions, uint32_t count, uint64_t ns, struct dvi_bell* bell) {
    struct dvi_futex_waitv* const waiters = dvi.waiters;
    for (uint32_t i = 0; i < count; ++i) waiters[i] = waiter_on(sleep_word(&conditions[i]), 1);
    if (bell != NULL) waiters[count++] = waiter_on(&bell->rung, 0);
    const struct dvi_timespec time = to_timespec(ns == NO_LIMIT ? 0 : monotonic_ns() + ns);
    const struct dvi_timespec* const deadline = ns == NO_LIMIT ? NULL : &time;
    if (dvi.held_count != 0u) {
        wake_and_wait(waiters, count, deadline);
        return 1;
    }
    return dvi_syscall(DVI_SYS_FUTEX_WAITV, (long)waiters, (long)count, 0, (long)deadline, DVI_SYS_CLOCK_MONOTONIC) !=
           -DVI_ENOSYS;
}

static void sleep_on_many(const struct dvi_condition* conditions, uint32_t count, uint64_t ns, struct dvi_bell* bell) {
    /* Beyond what one call can watch, or without it, the others are looked at every now and then. */
    const uint64_t while_unwatched = 500000;
    if (count + (bell != NULL) <= dvi.most_waiters) {
        if (sleep_on_words(conditions, count, ns, bell)) return;
        dvi.most_waiters = 0;
    }
    dvi_wake_held();
    if (ns > while_unwatched) ns = while_unwatched;
    if (bell != NULL)
        sleep_on_one(&bell->rung, 0, ns);
    else
        sleep_on_one(sleep_word(&conditions[0]), 1, ns);
}

static void sleep_on(const struct dvi_condition* conditions, uint32_t count, uint64_t ns, struct dvi_bell* bell) {
    if (dvi.page->backend == DIVISI_ABI_BACKEND_NATIVE) dvi_wake_held();
    if (bell != NULL) bell->leave(bell);
    if (count == 1 && bell == NULL && dvi.held_count == 0u)
        sleep_on_one(sleep_word(&conditions[0]), 1, ns);
    else if (count == 0)
        sleep_on_one(&bell->rung, 0, ns);
    else
        sleep_on_many(conditions, count, ns, bell);
    if (bell != NULL) bell->come_back(bell);
}

/* When the first message arrives that is under way already; NO_LIMIT: none is. */
static uint64_t next_arrival(const struct dvi_condition* conditions, uint32_t count) {
    uint64_t first = NO_LIMIT;
    for (uint32_t i = 0; i < count; ++i) {
        const struct divisi_rx* const rx = &conditions[i].link->rx;
        if (conditions[i].wanted == DVI_DATA && rx->stopped == DIVISI_RX_HELD && rx->due < first) first = rx->due;
    }
    return first;
}

/* Sleeps while nobody wakes us, at most `ns`, but not beyond the next arrival: the last of the time before it is spun
 * away, as no sleep ends to the microsecond. */
static void sleep_on_all(const struct dvi_condition* conditions, uint32_t count, struct dvi_bell* bell, uint64_t ns) {
    const uint64_t due = next_arrival(conditions, count);
    if (due != NO_LIMIT) {
        const uint64_t now = divisi_time_ns();
        const uint64_t left = due > now ? due - now : 0;
        if (left <= SPUN_BEFORE_ARRIVAL_NS) {
            dvi_wait_until(due);
            return;
        }
        if (left - SPUN_BEFORE_ARRIVAL_NS < ns) ns = left - SPUN_BEFORE_ARRIVAL_NS;
    }
    sleep_on(conditions, count, ns, bell);
}

static void sleep_once(const struct dvi_condition* conditions, uint32_t count, struct dvi_bell* bell, uint64_t ns) {
    arm(conditions, count, 1);
    /* ORDER: the sleep words are visible before the last look; the other end does it the other way round. */
    divisi_full_fence();
    if (!any_ready(conditions, count) && !any_hopeless(conditions, count)) sleep_on_all(conditions, count, bell, ns);
    arm(conditions, count, 0);
}

void dvi_wait_until(uint64_t due) {
    dvi_wake_held();
    for (uint64_t now = divisi_time_ns(); now < due; now = divisi_time_ns()) {
        if (due - now > SPUN_BEFORE_ARRIVAL_NS) {
            const struct dvi_timespec time = to_timespec(due - now - SPUN_BEFORE_ARRIVAL_NS);
            dvi_syscall(DVI_SYS_NANOSLEEP, (long)&time, 0, 0, 0, 0);
        } else {
            __builtin_ia32_pause();
        }
    }
}

/* What comes before the first sleep. 1: it is not needed. */
static int spin_and_tell(const struct dvi_condition* conditions, uint32_t count) {
    if (worth_spinning(conditions, count)) {
        dvi_wake_held();
        if (spin(conditions, count, NULL)) return 1;
    }
    if (dvi.wait != NULL) dvi_tell(conditions, count);
    return 0;
}

void dvi_wait(const struct dvi_condition* conditions, uint32_t count) {
    if (spin_and_tell(conditions, count)) return;
    do {
        sleep_once(conditions, count, NULL, NO_LIMIT);
    } while (!any_ready(conditions, count) && !any_hopeless(conditions, count));
}

void dvi_wait_within(const struct dvi_condition* condition, uint64_t ns) {
    if (!spin_and_tell(condition, 1)) sleep_once(condition, 1, NULL, ns);
}

void dvi_wait_beside(const struct dvi_condition* conditions, uint32_t count, struct dvi_bell* bell) {
    if (worth_spinning(conditions, count) && spin(conditions, count, bell)) return;
    if (dvi.wait != NULL && count != 0) dvi_tell(conditions, count);
    sleep_once(conditions, count, bell, NO_LIMIT);
}

void dvi_wake(const struct dvi_link* link, uint32_t* word) {
    __atomic_store_n(word, 0, __ATOMIC_SEQ_CST);
    /* Natively each wake is a call of its own, and best made at once, unless the one that is woken would run in our
     * stead, in the middle of what we have for it. */
    if (dvi.holding == 0u || (dvi.page->backend == DIVISI_ABI_BACKEND_NATIVE && link->other_pu)) {
        dvi_syscall(DVI_SYS_FUTEX, (long)word, DVI_FUTEX_WAKE, INT32_MAX, 0, 0);
        return;
    }
    dvi.held[dvi.held_count++] = (uint64_t)(uintptr_t)word;
    if (dvi.held_count == DIVISI_WAKE_AND_WAIT_MAX) dvi_wake_held();
}

void dvi_wake_held(void) {
    if (dvi.held_count != 0u) wake_and_wait(NULL, 0, NULL);
}
