/* Every rank to every other: allgather and alltoall, and what all their forms share.
 *
 * All messages are under way at once, each straight from where it is to where it belongs: a rank that shares its PU is
 * switched to as rarely as can be, and no byte is passed on by a third. Each begins with the rank behind it, so that
 * not all begin with the same. */
#include "plan.h"
#include "topology.h"

/* One after the other, in pairs of two that have to do with nobody else meanwhile: so neither can wait for a third. */
static void plan_pairs(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_blocks* send,
                       const struct dvm_blocks* receive) {
    for (int i = 0; i < comm->size; ++i) {
        const int rank = comm->rank ^ i;
        const struct dvm_block out = dvm_block_at(send, rank);
        const struct dvm_block in = dvm_block_at(receive, rank);
        if (i == 0) {
            dvm_plan_copy(plan, &out, &in);
            continue;
        }
        dvm_plan_swap(plan, comm, rank, &out, rank, &in);
    }
}

static void plan_exchange(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_blocks* send,
                          const struct dvm_blocks* receive) {
    const int peers = dvm_peers(comm);
    if (plan->schedule == NULL) {
        plan_pairs(plan, comm, send, receive);
        return;
    }
    for (int i = 1; i <= peers; ++i) {
        const int rank = (comm->rank + i) % peers;
        const struct dvm_block out = dvm_block_at(send, rank);
        const struct dvm_block in = dvm_block_at(receive, rank);
        if (!comm->inter && rank == comm->rank) {
            dvm_plan_copy(plan, &out, &in);
            continue;
        }
        dvm_plan_receive(plan, comm, rank, &in);
        dvm_plan_send(plan, comm, rank, &out);
    }
}

static int check_both(const struct dvm_collective* collective, int sends, int receives) {
    int error = dvm_blocks_check(&collective->receive, receives, "receive ");
    if (error == MPI_SUCCESS && collective->send.buffer != MPI_IN_PLACE)
        error = dvm_blocks_check(&collective->send, sends, "send ");
    if (error == MPI_SUCCESS && collective->send.buffer == MPI_IN_PLACE && collective->comm->inter)
        error = dvm_fail(MPI_ERR_BUFFER, "MPI_IN_PLACE cannot be meant on an intercommunicator");
    return error;
}

static int plan_allgather(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    const int error = check_both(collective, 1, dvm_peers(comm));
    if (error != MPI_SUCCESS) return error;
    struct dvm_blocks send = collective->send;
    if (send.buffer == MPI_IN_PLACE) {
        const struct dvm_block mine = dvm_block_at(&collective->receive, comm->rank);
        send = (struct dvm_blocks){.buffer = mine.buffer, .count = mine.count, .type = mine.handle};
    }
    send.same = true;
    const struct dvm_block mine = dvm_block_at(&send, 0);
    if (comm->inter || !dvm_plan_crowds_gather(plan, comm, &mine, &collective->receive))
        plan_exchange(plan, comm, &send, &collective->receive);
    return MPI_SUCCESS;
}

/* What is to be sent stands where what comes is to go: so it is set aside first. */
static void plan_exchange_in_place(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    struct dvm_type* const byte = dvm_predefined(MPI_BYTE);
    const bool pairs = plan->schedule == NULL;
    for (int i = 1; i < comm->size; ++i) {
        const int rank = pairs ? comm->rank ^ i : (comm->rank + i) % comm->size;
        const struct dvm_block block = dvm_block_at(&collective->receive, rank);
        const MPI_Count bytes = dvm_block_bytes(&block);
        const struct dvm_block aside = {dvm_plan_memory(plan, (size_t)bytes), bytes, MPI_BYTE, byte};
        if (aside.buffer == NULL) return;
        dvm_plan_copy(plan, &block, &aside);
        dvm_plan_swap(plan, comm, rank, &aside, rank, &block);
    }
}

static int plan_alltoall(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    const int error = check_both(collective, dvm_peers(comm), dvm_peers(comm));
    if (error != MPI_SUCCESS) return error;
    const struct dvm_blocks* const receive = &collective->receive;
    const bool in_place = collective->send.buffer == MPI_IN_PLACE;
    const bool regular = receive->counts == NULL && receive->types == NULL && !comm->inter;
    if (regular && dvm_plan_crowds_exchange(plan, comm, in_place ? receive : &collective->send, receive))
        return MPI_SUCCESS;
    if (in_place)
        plan_exchange_in_place(plan, collective);
    else
        plan_exchange(plan, comm, &collective->send, &collective->receive);
    return MPI_SUCCESS;
}

/* Few ranks with PUs of their own exchange little with one after the other sooner than steps could be noted. */
#define MOST_PAIRED 8

static bool at_once(struct dvm_comm* comm) {
    if (comm->inter) return false;
    if (!dvm_own_pus()) return dvm_crowds_of(comm) != NULL;
    return comm->size <= MOST_PAIRED && (comm->size & (comm->size - 1)) == 0;
}

/* Small blocks may be moved at once. */
static int run(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    const struct dvm_blocks* const receive = &collective->receive;
    const struct dvm_type* const type = dvm_type_of(receive->type);
    const bool regular = receive->counts == NULL && receive->types == NULL && type != NULL && receive->count >= 0;
    if (regular && object != NULL && receive->count <= DVM_AT_ONCE_BYTES &&
        receive->count * type->size <= DVM_AT_ONCE_BYTES / object->size && at_once(object))
        return dvm_collective_run_small(collective, comm, planner, call);
    return dvm_collective_run(collective, comm, planner, call);
}

/* ---- neighbourhoods ---- */

/* Messages between two ranks meet in the order in which they were sent. In a grid where both neighbours in a dimension
 * are one rank, what goes up must come from below: so the two sends change places, and the receives do not. */
static int place_of_send(const struct dvm_topology* topology, int i) {
    return topology->kind == MPI_CART ? i ^ 1 : i;
}

static int plan_neighbours(struct dvm_plan* plan, const struct dvm_collective* collective, bool same) {
    struct dvm_comm* const comm = collective->comm;
    const struct dvm_topology* const topology = comm->topology;
    struct dvm_blocks send = collective->send;
    if (topology == NULL) return dvm_fail(MPI_ERR_TOPOLOGY, "the communicator has no topology, so no neighbours");
    send.same = same;
    const int error = check_both(collective, same ? 1 : topology->out_degree, topology->in_degree);
    if (error != MPI_SUCCESS) return error;
    for (int i = 0; i < topology->in_degree; ++i) {
        const struct dvm_block block = dvm_block_at(&collective->receive, i);
        dvm_plan_receive(plan, comm, topology->sources[i], &block);
    }
    for (int i = 0; i < topology->out_degree; ++i) {
        const int place = place_of_send(topology, i);
        const struct dvm_block block = dvm_block_at(&send, place);
        dvm_plan_send(plan, comm, topology->destinations[place], &block);
    }
    return MPI_SUCCESS;
}

static int plan_neighbour_allgather(struct dvm_plan* plan, const struct dvm_collective* collective) {
    return plan_neighbours(plan, collective, true);
}

static int plan_neighbour_alltoall(struct dvm_plan* plan, const struct dvm_collective* collective) {
    return plan_neighbours(plan, collective, false);
}

/* ---- calls ---- */

/* Each form of allgather and alltoall, for groups and for neighbourhoods. */
#define BOTH(NAME, LOWER, SUFFIX, PLANNER, PARAMETERS, ...)                                                  \
    DVM_COLLECTIVE(NAME, LOWER, SUFFIX, run, plan_##PLANNER, PARAMETERS, __VA_ARGS__);                       \
    DVM_COLLECTIVE(Neighbor_##LOWER, neighbor_##LOWER, SUFFIX, dvm_collective_run, plan_neighbour_##PLANNER, \
                   PARAMETERS, __VA_ARGS__)

#define BLOCKS_OF(SIDE, BUFFER, COUNT, TYPE) .SIDE = {.buffer = BUFFER, .count = COUNT, .type = TYPE}
#define BLOCKS_BY(SIDE, BUFFER, COUNTS, DISPLACEMENTS, TYPE, LARGE) \
    .SIDE = {.buffer = BUFFER,                                      \
             .counts = COUNTS,                                      \
             .displacements = DISPLACEMENTS,                        \
             .type = TYPE,                                          \
             .large_counts = LARGE,                                 \
             .large_displacements = LARGE}
#define BLOCKS_WITH(SIDE, BUFFER, COUNTS, DISPLACEMENTS, TYPES, LARGE, LARGE_DISPLACEMENTS) \
    .SIDE = {.buffer = BUFFER,                                                              \
             .counts = COUNTS,                                                              \
             .displacements = DISPLACEMENTS,                                                \
             .types = TYPES,                                                                \
             .large_counts = LARGE,                                                         \
             .large_displacements = LARGE_DISPLACEMENTS}

#define FORMS(SUFFIX, NUMBER, DISPLACEMENT, LARGE)                                                                     \
    BOTH(Allgather, allgather, SUFFIX, allgather,                                                                      \
         (const void* sendbuf, NUMBER sendcount, MPI_Datatype sendtype, void* recvbuf, NUMBER recvcount,               \
          MPI_Datatype recvtype),                                                                                      \
         BLOCKS_OF(send, sendbuf, sendcount, sendtype), BLOCKS_OF(receive, recvbuf, recvcount, recvtype));             \
    BOTH(Allgatherv, allgatherv, SUFFIX, allgather,                                                                    \
         (const void* sendbuf, NUMBER sendcount, MPI_Datatype sendtype, void* recvbuf, const NUMBER recvcounts[],      \
          const DISPLACEMENT displs[], MPI_Datatype recvtype),                                                         \
         BLOCKS_OF(send, sendbuf, sendcount, sendtype),                                                                \
         BLOCKS_BY(receive, recvbuf, recvcounts, displs, recvtype, LARGE));                                            \
    BOTH(Alltoall, alltoall, SUFFIX, alltoall,                                                                         \
         (const void* sendbuf, NUMBER sendcount, MPI_Datatype sendtype, void* recvbuf, NUMBER recvcount,               \
          MPI_Datatype recvtype),                                                                                      \
         BLOCKS_OF(send, sendbuf, sendcount, sendtype), BLOCKS_OF(receive, recvbuf, recvcount, recvtype));             \
    BOTH(Alltoallv, alltoallv, SUFFIX, alltoall,                                                                       \
         (const void* sendbuf, const NUMBER sendcounts[], const DISPLACEMENT sdispls[], MPI_Datatype sendtype,         \
          void* recvbuf, const NUMBER recvcounts[], const DISPLACEMENT rdispls[], MPI_Datatype recvtype),              \
         BLOCKS_BY(send, sendbuf, sendcounts, sdispls, sendtype, LARGE),                                               \
         BLOCKS_BY(receive, recvbuf, recvcounts, rdispls, recvtype, LARGE));                                           \
    DVM_COLLECTIVE(                                                                                                    \
        Alltoallw, alltoallw, SUFFIX, dvm_collective_run, plan_alltoall,                                               \
        (const void* sendbuf, const NUMBER sendcounts[], const DISPLACEMENT sdispls[], const MPI_Datatype sendtypes[], \
         void* recvbuf, const NUMBER recvcounts[], const DISPLACEMENT rdispls[], const MPI_Datatype recvtypes[]),      \
        BLOCKS_WITH(send, sendbuf, sendcounts, sdispls, sendtypes, LARGE, LARGE),                                      \
        BLOCKS_WITH(receive, recvbuf, recvcounts, rdispls, recvtypes, LARGE, LARGE));                                  \
    DVM_COLLECTIVE(                                                                                                    \
        Neighbor_alltoallw, neighbor_alltoallw, SUFFIX, dvm_collective_run, plan_neighbour_alltoall,                   \
        (const void* sendbuf, const NUMBER sendcounts[], const MPI_Aint sdispls[], const MPI_Datatype sendtypes[],     \
         void* recvbuf, const NUMBER recvcounts[], const MPI_Aint rdispls[], const MPI_Datatype recvtypes[]),          \
        BLOCKS_WITH(send, sendbuf, sendcounts, sdispls, sendtypes, LARGE, true),                                       \
        BLOCKS_WITH(receive, recvbuf, recvcounts, rdispls, recvtypes, LARGE, true))

FORMS(, int, int, false);
FORMS(_c, MPI_Count, MPI_Aint, true);
