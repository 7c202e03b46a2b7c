/* What the parts of libdivisi share. Not installed. */
#ifndef DIVISI_GUEST_INTERNAL_H
#define DIVISI_GUEST_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "divisi.h"
#include "shm/abi/node_page.h"
#include "shm/abi/ring_ops.h"
#include "system.h"

/* Both directions to one rank, over a link or a route. `tx.ring` is NULL where there is no channel. */
struct dvi_link {
    struct divisi_tx tx;
    struct divisi_rx rx;
    uint32_t rank;
    uint32_t other_pu; /* the peer can run while we spin */
    uint32_t claims;   /* bits: which of tx.ring->claims are some message's */
    uint32_t reach;    /* whether a host process that is the peer lets us at its memory (lend.c) */
};

/* This rank's place in the tree of barriers (tree.c). */
struct dvi_tree {
    uint32_t parent; /* DIVISI_NO_RANK at the top */
    uint32_t* children;
    uint32_t child_count;
};

struct dvi_state {
    const struct divisi_node_page* page; /* NULL when alone */
    const struct divisi_peer* peers;     /* by rank */
    struct dvi_link* links;              /* by rank */
    uint32_t* linked;                    /* ranks with a channel, ascending */
    uint32_t linked_count;
    uint32_t rank;
    uint32_t size;
    int setup; /* DIVISI_OK, or why nothing works */
    uint64_t spin_ticks;
    uint32_t next_any;               /* where the search of a receive from any begins: fairness */
    uint32_t barriers;               /* passed or entered */
    struct dvi_tree tree;            /* once it was asked for */
    struct dvi_condition* any;       /* room for linked_count conditions */
    struct dvi_futex_waitv* waiters; /* room for a word of every such condition, and one more */
    uint32_t most_waiters;           /* that one call takes; 0: there is no such call */
    const char* setup_sentence;
    uint32_t holding; /* dvi_hold_wakes without its dvi_release_wakes */
    uint32_t held_count;
    uint64_t held[DIVISI_WAKE_AND_WAIT_MAX]; /* addresses of cleared words whose sleepers are still to be woken */
    struct divisi_loan* loans;               /* where this rank says what it lends; NULL: it cannot */
    uint64_t lend_from;                      /* from how many bytes on that pays; 0: not known yet */
    struct divisi_wait* wait;                /* where this rank says what it waits for; NULL: nobody asks */
    const char* call;                        /* the last function of ours that might wait */
    /* Says it better than we can, for a library on top of us; NULL: there is none. */
    void (*describe)(struct divisi_wait* wait);
};

extern struct dvi_state dvi;

/* ---- waiting (wait.c) ---- */

enum dvi_wanted {
    DVI_DATA,   /* a slot from the peer */
    DVI_SIGNAL, /* the peer's barrier count at `count` */
    DVI_SPACE,  /* `count` slots, and room for `bulk` bytes in the bulk area */
};

struct dvi_condition {
    struct dvi_link* link;
    enum dvi_wanted wanted;
    uint32_t count;
    uint32_t bulk;
};

/* Returns when one of the conditions may have come true, or cannot any more: the caller looks again. */
void dvi_wait(const struct dvi_condition* conditions, uint32_t count);
/* Returns when it may have come true, after `ns`, or before. */
void dvi_wait_within(const struct dvi_condition* condition, uint64_t ns);
/* One of several threads of a rank, which keep out of each other's way by a lock of their own. */
struct dvi_bell {
    uint32_t rung;       /* 1: it is not to sleep; who sets it wakes */
    int (*wanted)(void); /* the lock is wanted: no spinning */
    void (*leave)(struct dvi_bell* bell);
    void (*come_back)(struct dvi_bell* bell);
};
/* dvi_wait for such a thread, which has the lock and gives it up while it sleeps: returns at any wake-up. */
void dvi_wait_beside(const struct dvi_condition* conditions, uint32_t count, struct dvi_bell* bell);
/* Returns at `due`, as divisi_time_ns counts. */
void dvi_wait_until(uint64_t due);
/* Says what this rank waits for, to people who look at it (tell.c). */
void dvi_tell(const struct dvi_condition* conditions, uint32_t count);
/* Wakes the other end, which sleeps on `word`; that is cleared. */
void dvi_wake(const struct dvi_link* link, uint32_t* word);
/* From here to its dvi_release_wakes sleepers are woken together, and in the same system call in which this rank falls
 * asleep: for a function that sends several messages, or sends and then waits. */
static inline void dvi_hold_wakes(void) {
    ++dvi.holding;
}
/* Whether to hold back the wakes of one small round, as a barrier's: in nodes, where they are one system call then, and
 * those who share our PU come when we sleep. Natively it is one for each. */
static inline int dvi_wakes_are_dear(void) {
    return dvi.page != NULL && dvi.page->backend != DIVISI_ABI_BACKEND_NATIVE;
}
/* Before something that takes long. */
void dvi_wake_held(void);
static inline void dvi_release_wakes(void) {
    if (--dvi.holding == 0u) dvi_wake_held();
}

/* ---- errors (error.c) ---- */

/* Notes the sentence for `result` (about `rank`, or -1) and yields `result`. */
int dvi_fail(int result, int rank);

/* ---- barriers (tree.c) ---- */

/* Fills in dvi.tree. 0: not enough memory. */
int dvi_make_tree(void);
/* Whether the barrier may go between any two ranks; the same for all ranks. */
int dvi_tree_is_free(void);

/* ---- links (start.c) ---- */

/* The link to `rank`, or NULL with the reason in `*result`. */
struct dvi_link* dvi_link_to(int rank, int* result);

/* ORDER: acquire: what the peer wrote before it ended is there when we see that it is gone. */
static inline int dvi_gone(const struct dvi_link* link) {
    return __atomic_load_n(&dvi.peers[link->rank].gone, __ATOMIC_ACQUIRE) != 0u;
}
/* The same, and nothing of what it sent is still on its way. (Asked after a look at the ring.) */
static inline int dvi_hopeless(const struct dvi_link* link) {
    return dvi_gone(link) && link->rx.stopped != DIVISI_RX_HELD;
}

/* ---- the model of the interconnect (model.c), where links take time ---- */

/* When `bytes` that are sent now arrive; takes their time on the links of the way. A divisi_tx's `due`. */
uint64_t dvi_due(struct divisi_tx* tx, uint32_t bytes);
/* How long anything can be on its way to us over `link`. */
uint64_t dvi_longest(const struct divisi_peer* peer);

#endif
