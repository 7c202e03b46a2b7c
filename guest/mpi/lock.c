#include "lock.h"

#include <stddef.h>

#include "engine.h"
#include "guest/libdivisi/system.h"

#define FUTEX_PRIVATE 128
/* Looks whether it is free before sleeping for it. */
#define LOOKS 100

/* How the lock stands. */
enum {
    FREE,
    HELD,
    WANTED /* held, and somebody sleeps for it */,
    HANDED /* to any of those who wait, but to no other */
};

static uint32_t state;
static uint32_t waiters;   /* threads in sleep_for_it */
static uint32_t impatient; /* those of them that were woken and found it held again */
static const void* hander; /* who handed it over last */
/* The thread that has it, by the address of what is its own. */
static const void* owner;
static uint32_t depth; /* the owner's */
/* engine.looks and engine.moves when it was taken. */
static uint64_t looks;
static uint64_t moves;

static const void* self(void) {
    static _Thread_local char own;
    return &own;
}

/* ORDER: acquire: what the last owner did is seen. */
static bool change(uint32_t from, uint32_t to) {
    return __atomic_compare_exchange_n(&state, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static bool take_at_once(void) {
    for (int look = 0; look < LOOKS; ++look) {
        if (change(FREE, HELD)) return true;
        __builtin_ia32_pause();
    }
    return false;
}

/* What it is to whoever has it now, as far as the other waiters know: one that comes later marks it itself. */
static uint32_t held(void) {
    return __atomic_load_n(&waiters, __ATOMIC_SEQ_CST) > 1 ? WANTED : HELD;
}

static bool may_take_handed(void) {
    return __atomic_load_n(&hander, __ATOMIC_RELAXED) != self();
}

static void sleep_for_it(void) {
    uint32_t sleeps = 0;
    /* ORDER: counted before it looks: who gives the lock up with nobody counted leaves it free. */
    __atomic_fetch_add(&waiters, 1, __ATOMIC_SEQ_CST);
    while (!change(FREE, held()) && !(may_take_handed() && change(HANDED, held()))) {
        if (++sleeps == 2) __atomic_fetch_add(&impatient, 1, __ATOMIC_RELAXED);
        change(HELD, WANTED);
        const uint32_t seen = __atomic_load_n(&state, __ATOMIC_RELAXED);
        if (seen == WANTED || (seen == HANDED && !may_take_handed()))
            dvi_syscall(DVI_SYS_FUTEX, (long)&state, DVI_FUTEX_WAIT | FUTEX_PRIVATE, (long)seen, 0, 0);
    }
    if (sleeps > 1) __atomic_fetch_sub(&impatient, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&waiters, 1, __ATOMIC_SEQ_CST);
}

static void take(void) {
    if (!take_at_once()) sleep_for_it();
    __atomic_store_n(&owner, self(), __ATOMIC_RELAXED);
    looks = engine.looks;
    moves = engine.moves;
}

/* Whether its owner must not have it again before those who want it: one of them waits too long, or the owner asked for
 * something that is not there, and would ask again. */
static bool is_to_be_handed(void) {
    return __atomic_load_n(&impatient, __ATOMIC_RELAXED) != 0 || (engine.looks != looks && engine.moves == moves);
}

/* One that is handed over and sleeps for it is woken; one that does not sleep yet sees that it is handed. */
static void give(void) {
    dvm_ring_sleepers();
    __atomic_store_n(&owner, NULL, __ATOMIC_RELAXED);
    const bool handed = dvm_lock_wanted() && is_to_be_handed();
    if (handed) __atomic_store_n(&hander, self(), __ATOMIC_RELAXED);
    /* ORDER: what we did is seen by the next owner; and the mark of one that is about to sleep by us, or this by it. */
    if (__atomic_exchange_n(&state, handed ? HANDED : FREE, __ATOMIC_SEQ_CST) == WANTED)
        dvi_syscall(DVI_SYS_FUTEX, (long)&state, DVI_FUTEX_WAKE | FUTEX_PRIVATE, 1, 0, 0);
}

void dvm_lock(void) {
    /* Nobody but this thread makes it this thread's. */
    if (__atomic_load_n(&owner, __ATOMIC_RELAXED) != self()) take();
    ++depth;
}

void dvm_unlock(void) {
    if (--depth == 0) give();
}

bool dvm_lock_wanted(void) {
    return __atomic_load_n(&waiters, __ATOMIC_SEQ_CST) != 0;
}

uint32_t dvm_lock_leave(void) {
    const uint32_t kept = depth;
    depth = 0;
    give();
    return kept;
}

void dvm_lock_return(uint32_t kept) {
    take();
    depth = kept;
}
