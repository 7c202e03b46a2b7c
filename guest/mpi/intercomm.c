/* Intercommunicators: two groups that talk to each other. */
#include <stdlib.h>

#include "engine.h"

static int no_memory(void) {
    return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a communicator");
}

/* What the leaders tell each other, and then their groups. */
struct greeting {
    int size;
    uint32_t context; /* of who picks it: the leader whose world rank is lower */
};

/* Between the leaders. `*world`: the other group, from malloc. */
static int meet(struct dvm_comm* local, struct dvm_comm* peers, int remote_leader, int tag, struct greeting* theirs,
                uint32_t** world) {
    const int partial = DVM_PARTIAL_TAG | (tag & (DVM_PARTIAL_TAG - 1));
    const bool picks = dvm.rank < dvm_world_rank(peers, remote_leader);
    struct greeting mine = {local->size, picks ? dvm_new_context() : 0};
    int error = dvm_swap_bytes(peers, remote_leader, partial, &mine, sizeof mine, theirs, sizeof *theirs);
    if (error != MPI_SUCCESS) return error;
    if (theirs->size <= 0 || (uint32_t)theirs->size > dvm.size)
        return dvm_fail(MPI_ERR_OTHER, "the other side's group has %d ranks", theirs->size);
    const size_t bytes = (size_t)theirs->size * sizeof **world;
    *world = malloc(bytes);
    if (*world == NULL) return no_memory();
    if (picks) theirs->context = mine.context;
    return dvm_swap_bytes(peers, remote_leader, partial, local->local->world, (size_t)local->size * sizeof **world,
                          *world, bytes);
}

/* To the leader's group; `greeting.size` 0: the leader failed. */
static int pass_on(struct dvm_comm* local, int leader, struct greeting* greeting, uint32_t** world) {
    int error = dvm_spread_bytes(local, leader, dvm_collective_tag(local), greeting, sizeof *greeting);
    if (error != MPI_SUCCESS) return error;
    if (greeting->size <= 0) return dvm_fail(MPI_ERR_OTHER, "the leaders did not find each other");
    if (*world == NULL) *world = malloc((size_t)greeting->size * sizeof **world);
    if (*world == NULL) return no_memory();
    return dvm_spread_bytes(local, leader, dvm_collective_tag(local), *world, (size_t)greeting->size * sizeof **world);
}

static int make(struct dvm_comm* local, const struct greeting* greeting, const uint32_t* world,
                struct dvm_comm** made) {
    for (int i = 0; i < greeting->size; ++i) {
        if (world[i] >= dvm.size) return dvm_fail(MPI_ERR_OTHER, "the other side's group has a rank that is none");
        if (dvm_group_rank(local->local, world[i]) != MPI_UNDEFINED)
            return dvm_fail(MPI_ERR_COMM, "rank %u of the job is in both groups", world[i]);
    }
    struct dvm_group* const remote = dvm_group_new(greeting->size, world);
    if (remote == NULL) return no_memory();
    *made = dvm_comm_new(greeting->context, local->local, remote, local);
    dvm_group_release(remote);
    if (*made == NULL) return no_memory();
    return dvm_comm_add_within(*made, local);
}

int dvm_comm_between(struct dvm_comm* local, int leader, struct dvm_comm* peers, int remote_leader, int tag,
                     struct dvm_comm** made) {
    struct greeting greeting = {0, 0};
    uint32_t* world = NULL;
    int error = MPI_SUCCESS;
    if (local->rank == leader) error = meet(local, peers, remote_leader, tag, &greeting, &world);
    if (error != MPI_SUCCESS) greeting.size = 0;
    const int passed = pass_on(local, leader, &greeting, &world);
    if (error == MPI_SUCCESS) error = passed;
    if (error == MPI_SUCCESS) error = make(local, &greeting, world, made);
    free(world);
    return error;
}

int PMPI_Intercomm_create(MPI_Comm local_comm, int local_leader, MPI_Comm peer_comm, int remote_leader, int tag,
                          MPI_Comm* newintercomm) {
    struct dvm_comm* local = NULL;
    struct dvm_comm* made = NULL;
    int error = dvm_check_comm(local_comm, &local, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (local->inter) return dvm_error(local, MPI_ERR_COMM, DVM_CALL, "local_comm is an intercommunicator");
    if (local_leader < 0 || local_leader >= local->size)
        return dvm_error(local, MPI_ERR_RANK, DVM_CALL, "local leader %d of %d ranks", local_leader, local->size);
    if (tag < 0 || tag > DVM_TAG_MAX) return dvm_error(local, MPI_ERR_TAG, DVM_CALL, "tag %d", tag);
    struct dvm_comm* const peers = dvm_comm_of(peer_comm);
    if (local->rank == local_leader) {
        if (peers == NULL) return dvm_error(local, MPI_ERR_COMM, DVM_CALL, "peer_comm is none");
        if (remote_leader < 0 || remote_leader >= dvm_peers(peers))
            return dvm_error(local, MPI_ERR_RANK, DVM_CALL, "remote leader %d of %d ranks", remote_leader,
                             dvm_peers(peers));
    }
    error = dvm_comm_between(local, local_leader, peers, remote_leader, tag, &made);
    if (error != MPI_SUCCESS) return dvm_raise(local, error, DVM_CALL);
    *newintercomm = dvm_comm_handle(made);
    return MPI_SUCCESS;
}
DVM_ALIAS(Intercomm_create);

/* ---- merging ---- */

/* Whether the local group comes first: as the two sides said, or the one whose rank 0 has the lower world rank. */
static int comes_first(struct dvm_comm* comm, int high, bool* first) {
    int theirs = 0;
    int error = MPI_SUCCESS;
    if (comm->within->rank == 0)
        error = dvm_swap_bytes(comm, 0, dvm_collective_tag(comm), &high, sizeof high, &theirs, sizeof theirs);
    else
        dvm_collective_tag(comm);
    const int spread = dvm_spread_bytes(comm->within, 0, dvm_collective_tag(comm->within), &theirs, sizeof theirs);
    *first = (high != 0) != (theirs != 0) ? high == 0 : comm->local->world[0] < comm->remote->world[0];
    return error == MPI_SUCCESS ? spread : error;
}

static int merge(struct dvm_comm* comm, int high, struct dvm_comm** made) {
    bool first = false;
    uint32_t context = 0;
    int error = comes_first(comm, high, &first);
    if (error == MPI_SUCCESS) error = dvm_agree_context(comm, &context);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_group* const head = first ? comm->local : comm->remote;
    const struct dvm_group* const tail = first ? comm->remote : comm->local;
    uint32_t* const world = malloc((size_t)(head->size + tail->size) * sizeof *world);
    if (world == NULL) return no_memory();
    for (int rank = 0; rank < head->size; ++rank) world[rank] = head->world[rank];
    for (int rank = 0; rank < tail->size; ++rank) world[head->size + rank] = tail->world[rank];
    struct dvm_group* const group = dvm_group_new(head->size + tail->size, world);
    free(world);
    if (group == NULL) return no_memory();
    *made = dvm_comm_new(context, group, NULL, comm);
    dvm_group_release(group);
    return *made == NULL ? no_memory() : MPI_SUCCESS;
}

int PMPI_Intercomm_merge(MPI_Comm intercomm, int high, MPI_Comm* newintracomm) {
    struct dvm_comm* comm = NULL;
    struct dvm_comm* made = NULL;
    int error = dvm_check_comm(intercomm, &comm, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (!comm->inter) return dvm_error(comm, MPI_ERR_COMM, DVM_CALL, "this is no intercommunicator");
    error = merge(comm, high, &made);
    if (error != MPI_SUCCESS) return dvm_raise(comm, error, DVM_CALL);
    *newintracomm = dvm_comm_handle(made);
    return MPI_SUCCESS;
}
DVM_ALIAS(Intercomm_merge);
