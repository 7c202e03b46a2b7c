/* How ranks agree on new communicators. A context is picked by one rank, out of those that are its own: so nobody has
 * to be asked, and telling the others is all. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* Bits 31 … 22: who picked it; 21 … 1: a counter; 0: enum dvm_channel. */
#define OWNER_SHIFT 22
#define COUNTER_END (1u << (OWNER_SHIFT - 1))

uint32_t dvm_new_context(void) {
    /* The first two are MPI_COMM_WORLD's (rank 0's) and MPI_COMM_SELF's. */
    static uint32_t counter = 2;
    if (counter == COUNTER_END) return 0;
    return dvm.rank << OWNER_SHIFT | counter++ << 1;
}

uint32_t dvm_self_context(void) {
    return dvm.rank << OWNER_SHIFT | 1u << 1;
}

/* Down a binomial tree. */
int dvm_spread_bytes(struct dvm_comm* comm, int root, int tag, void* data, size_t bytes) {
    const int size = comm->size;
    const int place = (comm->rank - root + size) % size;
    int error = MPI_SUCCESS;
    int bit = 1;
    while (bit < size && (place & bit) == 0) bit <<= 1;
    if (place != 0)
        error =
            dvm_recv(comm, DVM_COLLECTIVE, (place - bit + root) % size, tag, data, (MPI_Count)bytes, MPI_BYTE, NULL);
    for (bit >>= 1; bit > 0 && error == MPI_SUCCESS; bit >>= 1)
        if (place + bit < size)
            error = dvm_send(comm, DVM_COLLECTIVE, (place + bit + root) % size, tag, data, (MPI_Count)bytes, MPI_BYTE);
    return error;
}

int dvm_gather_bytes(struct dvm_comm* comm, int tag, const void* mine, size_t bytes, void* all) {
    int error = MPI_SUCCESS;
    if (comm->rank != 0) {
        error = dvm_send(comm, DVM_COLLECTIVE, 0, tag, mine, (MPI_Count)bytes, MPI_BYTE);
    } else {
        memcpy(all, mine, bytes);
        for (int rank = 1; rank < comm->size && error == MPI_SUCCESS; ++rank)
            error = dvm_recv(comm, DVM_COLLECTIVE, rank, tag, (unsigned char*)all + (size_t)rank * bytes,
                             (MPI_Count)bytes, MPI_BYTE, NULL);
    }
    if (error != MPI_SUCCESS) return error;
    return dvm_spread_bytes(comm, 0, tag, all, bytes * (size_t)comm->size);
}

int dvm_swap_bytes(struct dvm_comm* comm, int rank, int tag, const void* mine, size_t my_bytes, void* theirs,
                   size_t their_bytes) {
    return dvm_sendrecv(comm, DVM_COLLECTIVE, rank, mine, (MPI_Count)my_bytes, MPI_BYTE, rank, theirs,
                        (MPI_Count)their_bytes, MPI_BYTE, tag);
}

/* ---- contexts ---- */

static int pick(uint32_t* context) {
    *context = dvm_new_context();
    return *context != 0 ? MPI_SUCCESS : dvm_fail(MPI_ERR_NO_MEM, "this rank has made too many communicators");
}

/* The leader whose world rank is lower picks for both groups. */
static int agree_with_other_leader(struct dvm_comm* comm, int tag, uint32_t* context) {
    uint32_t mine = 0;
    uint32_t theirs = 0;
    const bool picks = comm->local->world[0] < comm->remote->world[0];
    int error = picks ? pick(&mine) : MPI_SUCCESS;
    const int swapped = dvm_swap_bytes(comm, 0, tag, &mine, sizeof mine, &theirs, sizeof theirs);
    *context = picks ? mine : theirs;
    return error == MPI_SUCCESS ? swapped : error;
}

int dvm_agree_context(struct dvm_comm* comm, uint32_t* context) {
    const int tag = dvm_collective_tag(comm);
    struct dvm_comm* const local = comm->inter ? comm->within : comm;
    int error = MPI_SUCCESS;
    *context = 0;
    if (local->rank == 0) error = comm->inter ? agree_with_other_leader(comm, tag, context) : pick(context);
    const int spread =
        dvm_spread_bytes(local, 0, comm->inter ? dvm_collective_tag(local) : tag, context, sizeof *context);
    if (error == MPI_SUCCESS) error = spread;
    if (error == MPI_SUCCESS && *context == 0)
        error = dvm_fail(MPI_ERR_NO_MEM, "rank 0 has made too many communicators");
    return error;
}
