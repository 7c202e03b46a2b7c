/* Communicators by color and key. */
#include <stdlib.h>

#include "engine.h"

/* What a rank says; ranks in the order of the group it came from. */
struct choice {
    int color;
    int key;
};

struct sorted {
    int key;
    int rank;
};

static int by_key(const void* left, const void* right) {
    const struct sorted* const a = left;
    const struct sorted* const b = right;
    if (a->key != b->key) return a->key < b->key ? -1 : 1;
    return a->rank < b->rank ? -1 : 1;
}

/* Those of `group` who chose `color`, by their keys. NULL: no memory. */
static struct dvm_group* chosen(const struct dvm_group* group, const struct choice* choices, int color) {
    struct sorted* const members = malloc(((size_t)group->size + 1) * sizeof *members);
    uint32_t* const world = malloc(((size_t)group->size + 1) * sizeof *world);
    struct dvm_group* made = NULL;
    int count = 0;
    if (members != NULL && world != NULL) {
        for (int rank = 0; rank < group->size; ++rank)
            if (choices[rank].color == color) {
                const struct sorted member = {choices[rank].key, rank};
                members[count++] = member;
            }
        qsort(members, (size_t)count, sizeof *members, by_key);
        for (int i = 0; i < count; ++i) world[i] = group->world[members[i].rank];
        made = dvm_group_new(count, world);
    }
    free(members);
    free(world);
    return made;
}

static int no_memory(void) {
    return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a communicator");
}

/* What all have chosen, with a new context; rank 0 knows first. */
struct agreed {
    uint32_t context; /* 0: rank 0 has none */
    struct choice choices[];
};

static int agree(struct dvm_comm* comm, const struct choice* choice, struct agreed* agreed) {
    const int tag = dvm_collective_tag(comm);
    int error = dvm_collect_bytes(comm, tag, choice, sizeof *choice, agreed->choices);
    if (comm->rank == 0) agreed->context = dvm_new_context();
    if (error == MPI_SUCCESS)
        error = dvm_spread_bytes(comm, 0, tag, agreed, sizeof *agreed + (size_t)comm->size * sizeof *choice);
    if (error == MPI_SUCCESS && agreed->context == 0)
        error = dvm_fail(MPI_ERR_NO_MEM, "rank 0 has made too many communicators");
    return error;
}

/* The other side's choices, from leader to leader and on. */
static int swap_choices(struct dvm_comm* comm, const struct choice* mine, struct choice* theirs) {
    const int tag = dvm_collective_tag(comm);
    const size_t bytes = (size_t)comm->remote->size * sizeof *theirs;
    int error = MPI_SUCCESS;
    if (comm->within->rank == 0)
        error = dvm_swap_bytes(comm, 0, tag, mine, (size_t)comm->size * sizeof *mine, theirs, bytes);
    const int spread = dvm_spread_bytes(comm->within, 0, dvm_collective_tag(comm->within), theirs, bytes);
    return error == MPI_SUCCESS ? spread : error;
}

/* All colors share one context: no rank is in two of them. */
static int make(struct dvm_comm* comm, const uint32_t contexts[2], const struct choice* mine,
                const struct choice* theirs, int color, struct dvm_comm** made) {
    struct dvm_group* const local = chosen(comm->local, mine, color);
    struct dvm_group* const remote = comm->inter ? chosen(comm->remote, theirs, color) : NULL;
    int error = local == NULL || (comm->inter && remote == NULL) ? no_memory() : MPI_SUCCESS;
    if (error == MPI_SUCCESS && (!comm->inter || remote->size != 0)) {
        *made = dvm_comm_new(contexts[0], local, remote, comm);
        if (*made != NULL && comm->inter) (*made)->within = dvm_comm_new(contexts[1], local, NULL, comm);
        if (*made == NULL || (comm->inter && (*made)->within == NULL)) error = no_memory();
    }
    if (local != NULL) dvm_group_release(local);
    if (remote != NULL) dvm_group_release(remote);
    return error;
}

static int split(struct dvm_comm* comm, int color, int key, struct dvm_comm** made) {
    struct dvm_comm* const local = comm->inter ? comm->within : comm;
    const struct choice choice = {color, key};
    uint32_t contexts[2] = {0, 0};
    struct agreed* const mine = malloc(sizeof *mine + (size_t)comm->size * sizeof choice);
    struct choice* const theirs = malloc((size_t)comm->remote->size * sizeof *theirs);
    int error = mine == NULL || theirs == NULL ? no_memory() : agree(local, &choice, mine);
    if (error == MPI_SUCCESS) contexts[comm->inter ? 1 : 0] = mine->context;
    if (error == MPI_SUCCESS && comm->inter) error = swap_choices(comm, mine->choices, theirs);
    if (error == MPI_SUCCESS && comm->inter) error = dvm_agree_context(comm, &contexts[0]);
    if (error == MPI_SUCCESS && color != MPI_UNDEFINED)
        error = make(comm, contexts, mine->choices, theirs, color, made);
    free(mine);
    free(theirs);
    return error;
}

static int split_call(struct dvm_comm* comm, int color, int key, MPI_Comm* newcomm, const char* call) {
    struct dvm_comm* made = NULL;
    const int error = split(comm, color, key, &made);
    if (error != MPI_SUCCESS) return dvm_raise(comm, error, call);
    *newcomm = dvm_comm_handle(made);
    return MPI_SUCCESS;
}

int PMPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm* newcomm) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_comm(comm, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (color < 0 && color != MPI_UNDEFINED)
        return dvm_error(object, MPI_ERR_ARG, DVM_CALL, "color %d is negative", color);
    return split_call(object, color, key, newcomm, DVM_CALL);
}
DVM_ALIAS(Comm_split);

/* Shared memory is what all ranks have in shared-memory mode, and nobody in message-passing mode: so a program can tell
 * the two machines apart. There is no narrower domain of hardware that a rank could know of. */
int PMPI_Comm_split_type(MPI_Comm comm, int split_type, int key, MPI_Info info, MPI_Comm* newcomm) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_comm(comm, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    (void)info;
    switch (split_type) {
        case MPI_COMM_TYPE_SHARED:
            return split_call(object, divisi_mode() == DIVISI_SHARED_MEMORY ? 0 : object->rank, key, newcomm, DVM_CALL);
        case MPI_UNDEFINED:
        case MPI_COMM_TYPE_HW_UNGUIDED:
        case MPI_COMM_TYPE_HW_GUIDED:
        case MPI_COMM_TYPE_RESOURCE_GUIDED: return split_call(object, MPI_UNDEFINED, key, newcomm, DVM_CALL);
        default: return dvm_error(object, MPI_ERR_ARG, DVM_CALL, "split type %d", split_type);
    }
}
DVM_ALIAS(Comm_split_type);
