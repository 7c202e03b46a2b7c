/* The tree a barrier goes up and down.
 *
 * Every rank works out its own place, from what the node pages tell all of them alike. Where ways take time, and where
 * there are no others than links, it is the breadth-first tree of the node page. Otherwise it follows the PUs: those
 * who share a PU gather below the first of them, which sleeps once for all; those firsts form a tree of their own. */
#include <stdlib.h>

#include "internal.h"

#define ARITY 4u

static uint32_t first_on_pu(uint32_t pu) {
    uint32_t rank = 0;
    while (dvi.peers[rank].pu != pu) ++rank;
    return rank;
}

/* The firsts of all PUs, ascending; how many. */
static uint32_t collect_firsts(uint32_t* firsts) {
    uint32_t count = 0;
    for (uint32_t rank = 0; rank < dvi.size; ++rank)
        if (first_on_pu(dvi.peers[rank].pu) == rank) firsts[count++] = rank;
    return count;
}

static void add_child(uint32_t rank) {
    dvi.tree.children[dvi.tree.child_count++] = rank;
}

/* The other PUs' firsts come first: they are released early, and awaited after those of the own PU. */
static void join_firsts(const uint32_t* firsts, uint32_t count) {
    uint32_t place = 0;
    while (firsts[place] != dvi.rank) ++place;
    if (place != 0) dvi.tree.parent = firsts[(place - 1u) / ARITY];
    for (uint32_t child = ARITY * place + 1u; child <= ARITY * place + ARITY && child < count; ++child)
        add_child(firsts[child]);
}

static int follow_pus(void) {
    const uint32_t pu = dvi.page->pu;
    const uint32_t first = first_on_pu(pu);
    if (first != dvi.rank) {
        dvi.tree.parent = first;
        return 1;
    }
    uint32_t* const firsts = calloc(dvi.size, sizeof *firsts);
    if (firsts == NULL) return 0;
    join_firsts(firsts, collect_firsts(firsts));
    free(firsts);
    for (uint32_t rank = dvi.rank + 1u; rank < dvi.size; ++rank)
        if (dvi.peers[rank].pu == pu) add_child(rank);
    return 1;
}

static void follow_links(void) {
    dvi.tree.parent = dvi.peers[dvi.rank].parent;
    for (uint32_t i = 0; i < dvi.linked_count; ++i)
        if (dvi.peers[dvi.linked[i]].parent == dvi.rank) add_child(dvi.linked[i]);
}

int dvi_tree_is_free(void) {
    const uint32_t flags = dvi.page->flags;
    if ((flags & DIVISI_ABI_FLAG_ALL) == 0u) return 0;
    const uint32_t timed_links = DIVISI_ABI_FLAG_TIMED | DIVISI_ABI_FLAG_CONNECTED;
    return (flags & DIVISI_ABI_FLAG_FULL) != 0u || (flags & timed_links) != timed_links;
}

int dvi_make_tree(void) {
    if (dvi.tree.children != NULL) return 1;
    dvi.tree.parent = DIVISI_NO_RANK;
    dvi.tree.children = calloc(dvi.size, sizeof *dvi.tree.children);
    if (dvi.tree.children == NULL) return 0;
    if (dvi_tree_is_free()) return follow_pus();
    follow_links();
    return 1;
}
