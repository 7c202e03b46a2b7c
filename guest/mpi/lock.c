#include "lock.h"

#define _GNU_SOURCE
#include <limits.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "guest/libdivisi/system.h"

#define FUTEX_PRIVATE 128
/* Looks at whose turn it is before sleeping for it. */
#define LOOKS 100
/* So often others are only let by; then time passes. */
#define YIELDS 8
#define LEAST_SLEEP_NS 20000
#define MOST_SLEEP_NS 500000

static uint32_t next_ticket;
static uint32_t turn;
static uint32_t sleepers;
/* The thread whose turn it is, by the address of what is its own. */
static const void* owner;
static uint32_t depth; /* the owner's */
static _Thread_local uint32_t waits;

static const void* self(void) {
    return &waits;
}

static void take(void) {
    const uint32_t mine = __atomic_fetch_add(&next_ticket, 1, __ATOMIC_RELAXED);
    for (uint32_t look = 0;; ++look) {
        /* ORDER: acquire: what the last owner did is seen. */
        const uint32_t now = __atomic_load_n(&turn, __ATOMIC_ACQUIRE);
        if (now == mine) return;
        if (look < LOOKS) {
            __builtin_ia32_pause();
            continue;
        }
        /* ORDER: counted before the kernel looks at the turn once more; who gives it up looks at the count after. */
        __atomic_fetch_add(&sleepers, 1, __ATOMIC_SEQ_CST);
        dvi_syscall(DVI_SYS_FUTEX, (long)&turn, DVI_FUTEX_WAIT | FUTEX_PRIVATE, (long)now, 0, 0);
        __atomic_fetch_sub(&sleepers, 1, __ATOMIC_SEQ_CST);
    }
}

static void give(void) {
    __atomic_fetch_add(&turn, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&sleepers, __ATOMIC_SEQ_CST) != 0)
        dvi_syscall(DVI_SYS_FUTEX, (long)&turn, DVI_FUTEX_WAKE | FUTEX_PRIVATE, INT_MAX, 0, 0);
}

void dvm_lock(void) {
    /* Nobody but this thread makes it this thread's. */
    if (__atomic_load_n(&owner, __ATOMIC_RELAXED) != self()) {
        take();
        __atomic_store_n(&owner, self(), __ATOMIC_RELAXED);
        waits = 0;
    }
    ++depth;
}

void dvm_unlock(void) {
    if (--depth != 0) return;
    __atomic_store_n(&owner, NULL, __ATOMIC_RELAXED);
    give();
}

void dvm_unlock_for_a_while(void) {
    const uint32_t kept = depth;
    depth = 0;
    __atomic_store_n(&owner, NULL, __ATOMIC_RELAXED);
    give();
    if (waits < YIELDS) {
        sched_yield();
    } else {
        const long grown = LEAST_SLEEP_NS * (long)(waits - YIELDS + 1);
        const struct timespec time = {0, grown < MOST_SLEEP_NS ? grown : MOST_SLEEP_NS};
        nanosleep(&time, NULL);
    }
    ++waits;
    take();
    __atomic_store_n(&owner, self(), __ATOMIC_RELAXED);
    depth = kept;
}

void dvm_lock_was_worth_it(void) {
    waits = 0;
}
