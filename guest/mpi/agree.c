/* How ranks agree on new communicators. A context is picked by one rank, out of those that are its own: so nobody has
 * to be asked, and telling the others is all. */
#include <string.h>

#include "engine.h"
#include "plan.h"

/* Bits 31 … 22: who picked it; 20 … 1: a counter; 21 and 0: enum dvm_channel. */
#define OWNER_SHIFT 22
#define COUNTER_END (1u << (OWNER_SHIFT - 2))

uint32_t dvm_new_context(void) {
    /* The first two are MPI_COMM_WORLD's (rank 0's) and MPI_COMM_SELF's. */
    static uint32_t counter = 2;
    if (counter == COUNTER_END) return 0;
    return dvm.rank << OWNER_SHIFT | counter++ << 1;
}

uint32_t dvm_self_context(void) {
    return dvm.rank << OWNER_SHIFT | 1u << 1;
}

int dvm_spread_bytes(struct dvm_comm* comm, int root, int tag, void* data, size_t bytes) {
    struct dvm_plan plan;
    const struct dvm_block block = {data, (MPI_Count)bytes, MPI_BYTE, dvm_predefined(MPI_BYTE)};
    dvm_plan_begin_at_once(&plan, comm, tag);
    dvm_plan_broadcast(&plan, comm, root, &block);
    return dvm_plan_end_at_once(&plan);
}

int dvm_collect_bytes(struct dvm_comm* comm, int tag, const void* mine, size_t bytes, void* all) {
    int error = MPI_SUCCESS;
    if (comm->rank != 0)
        return dvm_send(comm, DVM_COLLECTIVE, 0, tag, mine, (MPI_Count)bytes, dvm_predefined(MPI_BYTE));
    memcpy(all, mine, bytes);
    /* The last is there last, as a rule; when it is, the others are. */
    for (int rank = comm->size; rank-- > 1 && error == MPI_SUCCESS;)
        error = dvm_recv(comm, DVM_COLLECTIVE, rank, tag, (unsigned char*)all + (size_t)rank * bytes, (MPI_Count)bytes,
                         dvm_predefined(MPI_BYTE), NULL);
    return error;
}

int dvm_gather_bytes(struct dvm_comm* comm, int tag, const void* mine, size_t bytes, void* all) {
    const int error = dvm_collect_bytes(comm, tag, mine, bytes, all);
    return error == MPI_SUCCESS ? dvm_spread_bytes(comm, 0, tag, all, bytes * (size_t)comm->size) : error;
}

int dvm_swap_bytes(struct dvm_comm* comm, int rank, int tag, const void* mine, size_t my_bytes, void* theirs,
                   size_t their_bytes) {
    struct dvm_type* const byte = dvm_predefined(MPI_BYTE);
    return dvm_sendrecv(comm, DVM_COLLECTIVE, rank, mine, (MPI_Count)my_bytes, byte, rank, theirs,
                        (MPI_Count)their_bytes, byte, tag);
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
