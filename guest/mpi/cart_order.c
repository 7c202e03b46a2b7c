/* Where the ranks of a grid lie on the interconnect.
 *
 * Nodes of a mesh or torus are numbered row by row, as the ranks of a grid are. So a grid of the interconnect's own
 * shape lies on it as it is; one whose sides have another order lies on it when it is turned. All ways to turn it are
 * tried, and the one in which most neighbours share a link is taken; as it is, where that is as good. */
#include <stdlib.h>

#include "guest/libdivisi/divisi.h"
#include "topology.h"

#define MOST_DIMENSIONS 6 /* 720 ways; more dimensions stay as they are */

struct grid {
    int dimensions;
    const int* sizes;
    const int* periods;
    int count;
    const unsigned char* linked; /* size * size: whether two ranks of the communicator share a link */
    int size;
};

/* The present rank of the one at `place` when the axes are counted in the order `axes`. */
static int turned(const struct grid* grid, const int* place, const int* axes) {
    int rank = 0;
    for (int i = 0; i < grid->dimensions; ++i) rank = rank * grid->sizes[axes[i]] + place[axes[i]];
    return rank;
}

static void place_of(const struct grid* grid, int rank, int* place) {
    for (int i = grid->dimensions - 1; i >= 0; --i) {
        place[i] = rank % grid->sizes[i];
        rank /= grid->sizes[i];
    }
}

/* How many neighbours share a link. */
static int worth(const struct grid* grid, const int* axes) {
    int place[MOST_DIMENSIONS];
    int worth = 0;
    for (int rank = 0; rank < grid->count; ++rank) {
        place_of(grid, rank, place);
        const int here = turned(grid, place, axes);
        for (int i = 0; i < grid->dimensions; ++i) {
            const int at = place[i];
            if (at + 1 == grid->sizes[i] && !grid->periods[i]) continue;
            place[i] = (at + 1) % grid->sizes[i];
            worth += grid->linked[here * grid->size + turned(grid, place, axes)];
            place[i] = at;
        }
    }
    return worth;
}

static void swap(int* a, int* b) {
    const int kept = *a;
    *a = *b;
    *b = kept;
}

/* The next order of the axes, in their lexical order. */
static bool next_order(int* axes, int count) {
    int i = count - 2;
    while (i >= 0 && axes[i] > axes[i + 1]) --i;
    if (i < 0) return false;
    int j = count - 1;
    while (axes[j] < axes[i]) --j;
    swap(&axes[i], &axes[j]);
    for (int low = i + 1, high = count - 1; low < high; ++low, --high) swap(&axes[low], &axes[high]);
    return true;
}

static void choose(const struct grid* grid, int* order) {
    int axes[MOST_DIMENSIONS];
    int best_axes[MOST_DIMENSIONS];
    int place[MOST_DIMENSIONS];
    int best = -1;
    for (int i = 0; i < grid->dimensions; ++i) axes[i] = i;
    do {
        const int value = worth(grid, axes);
        if (value <= best) continue;
        best = value;
        for (int i = 0; i < grid->dimensions; ++i) best_axes[i] = axes[i];
    } while (next_order(axes, grid->dimensions));
    for (int rank = 0; rank < grid->count; ++rank) {
        place_of(grid, rank, place);
        order[rank] = turned(grid, place, best_axes);
    }
}

int dvm_cart_order(struct dvm_comm* comm, int dimensions, const int* sizes, const int* periods, int count, int* order) {
    for (int rank = 0; rank < count; ++rank) order[rank] = rank;
    if (divisi_all_linked() || dimensions < 2 || dimensions > MOST_DIMENSIONS) return MPI_SUCCESS;
    const size_t size = (size_t)comm->size;
    unsigned char* const mine = calloc(size, 1);
    unsigned char* const linked = malloc(size * size);
    int error = MPI_SUCCESS;
    if (mine == NULL || linked == NULL) error = dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a topology");
    if (error == MPI_SUCCESS) {
        for (int rank = 0; rank < comm->size; ++rank)
            mine[rank] = rank != comm->rank && divisi_linked((int)dvm_world_rank(comm, rank)) != 0;
        error = dvm_gather_bytes(comm, dvm_collective_tag(comm), mine, size, linked);
    }
    if (error == MPI_SUCCESS) {
        const struct grid grid = {dimensions, sizes, periods, count, linked, comm->size};
        choose(&grid, order);
    }
    free(mine);
    free(linked);
    return error;
}
