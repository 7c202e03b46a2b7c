/* Groups and communicators. */
#ifndef DVM_COMMUNICATOR_H
#define DVM_COMMUNICATOR_H

#include <mpi.h>
#include "object.h"

struct dvm_group {
    struct dvm_object object;
    int size;
    int rank;                          /* ours in it, or MPI_UNDEFINED */
    const struct dvm_session* session; /* out of which it came; NULL: the world, or none that anybody asks for */
    uint32_t* world;                   /* by rank: the world rank */
    int32_t* rank_of;                  /* by world rank: the rank, or MPI_UNDEFINED */
};

struct dvm_attribute;
struct dvm_session;
struct dvm_topology;

/* Messages of a communicator carry its context: two communicators never see each other's. */
struct dvm_comm {
    struct dvm_object object;
    uint32_t context;
    int rank; /* ours in the local group */
    int size; /* of the local group */
    bool inter;
    struct dvm_group* local;
    struct dvm_group* remote; /* whom ranks of sends and receives mean; the local group unless `inter` */
    struct dvm_comm* within;  /* of an intercommunicator: the local group as an intracommunicator, for collectives */
    uint32_t collectives;     /* begun so far: the tag of the next (dvm_collective_tag) */
    const struct dvm_session* session; /* out of which it came: looked at by buffered sends */
    struct dvm_errhandler* errhandler;
    struct dvm_attribute* attributes;
    struct dvm_topology* topology; /* NULL: none (topology.c) */
    struct dvm_info* info;
    struct dvm_crowds* crowds; /* dvm_crowds_of */
    int last_root;             /* of MPI_Bcast; MPI_PROC_NULL: there was none yet */
    bool looked_for_crowds;
    char name[MPI_MAX_OBJECT_NAME];
};

/* NULL: not a communicator (null, freed or never one). */
struct dvm_comm* dvm_comm_of(MPI_Comm comm);
MPI_Comm dvm_comm_handle(struct dvm_comm* comm);
struct dvm_group* dvm_group_of(MPI_Group group);
MPI_Group dvm_group_handle(struct dvm_group* group);

/* How many ranks a send can mean: the remote group's size. */
static inline int dvm_peers(const struct dvm_comm* comm) {
    return comm->remote->size;
}

static inline uint32_t dvm_world_rank(const struct dvm_comm* comm, int rank) {
    return comm->remote->world[rank];
}

/* The rank of a world rank, or MPI_UNDEFINED. */
static inline int dvm_group_rank(const struct dvm_group* group, uint32_t world) {
    return group->rank_of[world];
}

/* A group of `size` ranks given by their world ranks, which are copied. NULL: no memory. */
struct dvm_group* dvm_group_new(int size, const uint32_t* world);
void dvm_group_release(struct dvm_group* group);
/* MPI_IDENT, MPI_SIMILAR or MPI_UNEQUAL. */
int dvm_group_compare(const struct dvm_group* a, const struct dvm_group* b);

/* Collective over `comm` (an intracommunicator): a new one over the same group with ranks reordered; `world` gives the
 * world rank of every new rank, the same for all; ranks that are not among them get NULL. Attributes and topology are
 * not taken over. For topologies. */
int dvm_comm_reordered(struct dvm_comm* comm, int size, const uint32_t* world, struct dvm_comm** created);
/* Among the ranks of a group of `comm`; `tag` keeps those apart that are made at the same time. Who is not in it gets
 * NULL. */
int dvm_comm_of_group(struct dvm_comm* comm, MPI_Group group, int tag, struct dvm_comm** made);
/* An intercommunicator of the group of `local` and that of another rank's, whom the leader knows as `remote_leader` of
 * `peers`. */
int dvm_comm_between(struct dvm_comm* local, int leader, struct dvm_comm* peers, int remote_leader, int tag,
                     struct dvm_comm** made);
void dvm_comm_release(struct dvm_comm* comm);

/* ---- making communicators (comm.c, agree.c) ---- */

/* A communicator over these groups, of which it takes a reference each; `remote` NULL: an intracommunicator. The error
 * handler is `parent`'s. NULL: no memory. */
struct dvm_comm* dvm_comm_new(uint32_t context, struct dvm_group* local, struct dvm_group* remote,
                              const struct dvm_comm* parent);
/* A context that nobody else uses, picked by this rank. 0: there are no more. */
uint32_t dvm_new_context(void);
uint32_t dvm_self_context(void);
/* Gives a new intercommunicator its `within`; collective over `leading`, which has the same group. */
int dvm_comm_add_within(struct dvm_comm* comm, struct dvm_comm* leading);
/* The communicator of a handle, or the error raised. */
int dvm_check_comm(MPI_Comm comm, struct dvm_comm** object, const char* call);
/* Collective over `comm`, both groups where it is an intercommunicator: all get one new context. */
int dvm_agree_context(struct dvm_comm* comm, uint32_t* context);
/* From `root` of an intracommunicator to all. */
int dvm_spread_bytes(struct dvm_comm* comm, int root, int tag, void* data, size_t bytes);
/* `bytes` from each rank of an intracommunicator into `all`, on rank 0, by rank. */
int dvm_collect_bytes(struct dvm_comm* comm, int tag, const void* mine, size_t bytes, void* all);
/* The same, on all of them. */
int dvm_gather_bytes(struct dvm_comm* comm, int tag, const void* mine, size_t bytes, void* all);
/* Between the leaders (ranks 0) of an intercommunicator's groups. */
int dvm_swap_bytes(struct dvm_comm* comm, int rank, int tag, const void* mine, size_t my_bytes, void* theirs,
                   size_t their_bytes);
/* Tags beyond those of collectives, for operations that only some ranks take part in. */
#define DVM_PARTIAL_TAG (1 << 27)

/* Called when a communicator with a topology is duplicated, and when it goes. Owned by topology.c. Weak: a program that
 * makes no topologies need not have them linked in. */
int dvm_topology_copy(const struct dvm_topology* from, struct dvm_topology** to) __attribute__((weak));
void dvm_topology_free(struct dvm_topology* topology) __attribute__((weak));

#endif
