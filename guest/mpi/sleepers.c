/* Waiting where several threads of a rank call MPI at the same time (MPI_THREAD_MULTIPLE).
 *
 * Whatever a thread waits for, any thread that has the lock may bring about. So one of those that wait, the *watcher*,
 * sleeps on the rings, for all; every one of them has a bell, and sleeps on that. Bells are rung by who gives the lock
 * up: for those whose wait may be over; for the watcher, where there is more to watch than it knows of; and, where
 * nobody watches, for one that will.
 *
 * No ring is lost: bells are looked at and rung with the lock held, and a sleeper has put itself on the list before it
 * gives the lock up; a bell stays rung until its sleeper has seen it, and the kernel compares it before it puts the
 * sleeper to bed. */
#include "completion.h"
#include "guest/libdivisi/system.h"

struct sleeper {
    struct dvi_bell bell; /* first: what is told of the bell is told of its sleeper */
    struct sleeper* next;
    const struct dvm_waited* waited;
    const char* call;
    uint64_t moves; /* engine.moves when it had looked last */
    uint32_t depth;
};

static struct sleeper* sleepers;
static struct sleeper* watcher;
static uint64_t watched; /* engine.wants of what it watches */

static void ring(struct sleeper* sleeper) {
    if (sleeper->bell.rung != 0) return;
    __atomic_store_n(&sleeper->bell.rung, 1, __ATOMIC_RELAXED);
    dvi_syscall(DVI_SYS_FUTEX, (long)&sleeper->bell.rung, DVI_FUTEX_WAKE, 1, 0, 0);
}

/* Whether there is something new for it. */
static bool concerned(const struct sleeper* sleeper) {
    const struct dvm_waited* const waited = sleeper->waited;
    if (waited->request != NULL && !waited->any) return dvm_done(waited->request);
    return sleeper->moves != engine.moves;
}

void dvm_ring_sleepers(void) {
    bool watching = watcher != NULL;
    for (struct sleeper* sleeper = sleepers; sleeper != NULL; sleeper = sleeper->next) {
        if (concerned(sleeper) || (sleeper == watcher && watched != engine.wants)) ring(sleeper);
        /* One that is about to return looks after the others: it watches, or gives the lock up once more. */
        if (sleeper->bell.rung != 0) watching = true;
    }
    if (!watching && sleepers != NULL) ring(sleepers);
}

static int others_wait(void) {
    return dvm_lock_wanted();
}

/* SAFETY: the bell is the first member of its sleeper. */
static void leave(struct dvi_bell* bell) {
    struct sleeper* const self = (struct sleeper*)(void*)bell;
    self->depth = dvm_lock_leave();
}

static void come_back(struct dvi_bell* bell) {
    struct sleeper* const self = (struct sleeper*)(void*)bell;
    dvm_lock_return(self->depth);
}

static void watch(struct sleeper* self) {
    watcher = self;
    watched = engine.wants;
    const uint32_t count = dvm_collect_conditions();
    engine.waited = self->waited;
    dvi_wait_beside(engine.conditions, count, &self->bell);
    engine.waited = NULL;
    watcher = NULL;
}

void dvm_idle_among_threads(const struct dvm_waited* waited) {
    struct sleeper self = {
        .bell = {.wanted = others_wait, .leave = leave, .come_back = come_back},
        .next = sleepers,
        .waited = waited,
        .call = engine.call,
        .moves = engine.moves,
    };
    sleepers = &self;
    if (watcher == NULL)
        watch(&self);
    else
        dvi_wait_beside(NULL, 0, &self.bell);
    struct sleeper** link = &sleepers;
    while (*link != &self) link = &(*link)->next;
    *link = self.next;
    engine.call = self.call;
}
