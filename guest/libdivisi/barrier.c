/* The barrier: counters beside the slots (`signal` of the ring), so that messages are not affected.
 *
 * Where all ranks have channels to all others and PUs of their own, by dissemination: in round k, rank r tells r + 2^k
 * and waits for r - 2^k. Where ranks share a PU each wait is a sleep, so every rank should sleep once: a tree, gathered
 * upwards and released downwards. Children are released first to last and awaited last to first: on a shared PU they
 * run, and arrive, in the order of their release, so the parent sleeps once for all of them.
 *
 * Both ends of a link count the same barriers: between two ranks a counter is due, or done, or one ahead; anything else
 * is garbage. */
#include "internal.h"

static void signal_to(struct dvi_link* link) {
    divisi_tx_signal(&link->tx, dvi.barriers);
    if (divisi_tx_must_wake(&link->tx)) dvi_wake(link, &link->tx.ring->data_sleep);
}

/* A signal that is there may still be under way, where links take time. */
static void await_arrival(const struct dvi_link* link) {
    const uint64_t due = __atomic_load_n(&link->rx.ring->signal_due, __ATOMIC_RELAXED);
    const uint64_t latest = divisi_time_ns() + link->rx.longest;
    dvi_wait_until(due < latest ? due : latest);
}

static int await_signal(struct dvi_link* link) {
    const struct dvi_condition condition = {link, DVI_SIGNAL, dvi.barriers, 0};
    for (;;) {
        const int gone = dvi_gone(link);
        /* ORDER: acquire: what the peer did before the barrier is visible behind it. */
        const uint32_t ahead = __atomic_load_n(&link->rx.ring->signal, __ATOMIC_ACQUIRE) - dvi.barriers;
        if (ahead <= 1u) {
            if (link->rx.now != NULL) await_arrival(link);
            return DIVISI_OK;
        }
        if (ahead != UINT32_MAX) return dvi_fail(DIVISI_EPROTO, (int)link->rank);
        if (gone) return dvi_fail(DIVISI_EPEER, (int)link->rank);
        dvi_wait(&condition, 1);
    }
}

/* Before this rank enters, so that nobody waits for one that cannot come. */
static int all_there(const uint32_t* ranks, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i)
        if (dvi_gone(&dvi.links[ranks[i]])) return dvi_fail(DIVISI_EPEER, (int)ranks[i]);
    return DIVISI_OK;
}

static int barrier_by_dissemination(void) {
    uint32_t from[32] = {0};
    uint32_t rounds = 0;
    for (uint32_t distance = 1; distance < dvi.size; distance *= 2)
        from[rounds++] = (dvi.rank + dvi.size - distance) % dvi.size;
    int result = all_there(from, rounds);
    for (uint32_t round = 0; round < rounds && result == DIVISI_OK; ++round) {
        signal_to(&dvi.links[(dvi.rank + (1u << round)) % dvi.size]);
        result = await_signal(&dvi.links[from[round]]);
    }
    return result;
}

static int barrier_by_tree(void) {
    const struct dvi_tree* const tree = &dvi.tree;
    int result = all_there(tree->children, tree->child_count);
    if (result == DIVISI_OK && tree->parent != DIVISI_NO_RANK) result = all_there(&tree->parent, 1);
    for (uint32_t i = tree->child_count; i-- > 0 && result == DIVISI_OK;)
        result = await_signal(&dvi.links[tree->children[i]]);
    if (result == DIVISI_OK && tree->parent != DIVISI_NO_RANK) {
        signal_to(&dvi.links[tree->parent]);
        result = await_signal(&dvi.links[tree->parent]);
    }
    for (uint32_t i = 0; i < tree->child_count && result == DIVISI_OK; ++i) signal_to(&dvi.links[tree->children[i]]);
    return result;
}

int divisi_barrier(void) {
    if (dvi.setup != DIVISI_OK) return dvi_fail(DIVISI_ESETUP, -1);
    if (dvi.size == 1u) return DIVISI_OK;
    if ((dvi.page->flags & (DIVISI_ABI_FLAG_CONNECTED | DIVISI_ABI_FLAG_ALL)) == 0u)
        return dvi_fail(DIVISI_ENOLINK, -1);
    if (!dvi_make_tree()) return dvi_fail(DIVISI_ESETUP, -1);
    ++dvi.barriers;
    dvi.call = __func__;
    if (dvi_tree_is_free() && (dvi.page->flags & DIVISI_ABI_FLAG_OWN_PUS) != 0u) return barrier_by_dissemination();
    if (!dvi_wakes_are_dear()) return barrier_by_tree();
    dvi_hold_wakes();
    const int result = barrier_by_tree();
    dvi_release_wakes();
    return result;
}
