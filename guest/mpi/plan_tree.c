/* Trees and crowds that follow the PUs. */
#include <stdlib.h>

#include "guest/libdivisi/internal.h"
#include "plan.h"

bool dvm_own_pus(void) {
    return dvi.page == NULL || (dvi.page->flags & DIVISI_ABI_FLAG_OWN_PUS) != 0u;
}

static uint32_t pu_of(const struct dvm_comm* comm, int rank) {
    return dvi.page == NULL ? 0u : dvi.peers[comm->local->world[rank]].pu;
}

/* The first rank of every PU, in the order of ranks from `root` on; how many. */
static int collect_firsts(const struct dvm_comm* comm, int root, int* firsts) {
    const bool own = dvm_own_pus();
    int count = 0;
    for (int i = 0; i < comm->size; ++i) {
        const int rank = (root + i) % comm->size;
        bool first = true;
        for (int k = 0; k < count && !own && first; ++k) first = pu_of(comm, firsts[k]) != pu_of(comm, rank);
        if (first) firsts[count++] = rank;
    }
    return count;
}

static void join_firsts(const int* firsts, int count, int place, struct dvm_tree* tree) {
    int below = 1;
    while (below < count && (place & below) == 0) below *= 2;
    if (place != 0) tree->parent = firsts[place - (place & -place)];
    for (int step = below / 2; step > 0; step /= 2)
        if (place + step < count) tree->children[tree->child_count++] = firsts[place + step];
}

void dvm_plan_tree(struct dvm_plan* plan, const struct dvm_comm* comm, int root, struct dvm_tree* tree) {
    const uint32_t pu = pu_of(comm, comm->rank);
    int* const firsts = dvm_plan_memory(plan, (size_t)comm->size * sizeof *firsts);
    *tree = (struct dvm_tree){MPI_PROC_NULL, 0, dvm_plan_memory(plan, (size_t)comm->size * sizeof(int))};
    if (firsts == NULL || tree->children == NULL) return;
    const int count = collect_firsts(comm, root, firsts);
    int place = 0;
    while (place < count && (dvm_own_pus() ? firsts[place] != comm->rank : pu_of(comm, firsts[place]) != pu)) ++place;
    if (firsts[place] != comm->rank) {
        tree->parent = firsts[place];
        return;
    }
    join_firsts(firsts, count, place, tree);
    if (dvm_own_pus()) return;
    for (int rank = 0; rank < comm->size; ++rank)
        if (rank != comm->rank && pu_of(comm, rank) == pu) tree->children[tree->child_count++] = rank;
}

/* The rank of our PU that is next to ours as they are counted from `root` on; `step`: -1 or 1. MPI_PROC_NULL: none is.
 */
static int neighbour_in_chain(const struct dvm_comm* comm, int root, int step) {
    int place = (comm->rank - root + comm->size) % comm->size + step;
    for (; place >= 0 && place < comm->size; place += step) {
        const int rank = (root + place) % comm->size;
        if (pu_of(comm, rank) == pu_of(comm, comm->rank)) return rank;
    }
    return MPI_PROC_NULL;
}

void dvm_plan_chain(struct dvm_plan* plan, const struct dvm_comm* comm, int root, struct dvm_tree* tree) {
    dvm_plan_tree(plan, comm, root, tree);
    if (dvm_own_pus() || tree->children == NULL) return;
    const int before = neighbour_in_chain(comm, root, -1);
    const int next = neighbour_in_chain(comm, root, 1);
    if (before != MPI_PROC_NULL) tree->parent = before;
    /* The last of them share our PU. */
    while (tree->child_count != 0 && pu_of(comm, tree->children[tree->child_count - 1]) == pu_of(comm, comm->rank))
        --tree->child_count;
    if (next != MPI_PROC_NULL) tree->children[tree->child_count++] = next;
}

static struct dvm_crowds* make_crowds(const struct dvm_comm* comm, const int* firsts, int count) {
    struct dvm_crowds* const crowds = malloc(sizeof *crowds + (2 * (size_t)comm->size + 1) * sizeof(int));
    const uint32_t pu = pu_of(comm, comm->rank);
    int placed = 0;
    if (crowds == NULL) return NULL;
    crowds->count = count;
    crowds->mine = 0;
    crowds->order = crowds->numbers;
    crowds->begin = crowds->numbers + comm->size;
    for (int k = 0; k < count; ++k) {
        const uint32_t theirs = pu_of(comm, firsts[k]);
        if (theirs == pu) crowds->mine = k;
        crowds->begin[k] = placed;
        for (int rank = firsts[k]; rank < comm->size; ++rank)
            if (pu_of(comm, rank) == theirs) crowds->order[placed++] = rank;
    }
    crowds->begin[count] = placed;
    return crowds;
}

const struct dvm_crowds* dvm_crowds_of(struct dvm_comm* comm) {
    if (comm->crowds != NULL || comm->looked_for_crowds || dvm_own_pus()) return comm->crowds;
    comm->looked_for_crowds = true;
    int* const firsts = malloc((size_t)comm->size * sizeof *firsts);
    if (firsts == NULL) return NULL;
    const int count = collect_firsts(comm, 0, firsts);
    if (count < comm->size) comm->crowds = make_crowds(comm, firsts, count);
    free(firsts);
    return comm->crowds;
}
