/* Gather and scatter: every block goes straight between its rank and the root. */
#include "plan.h"

/* Whether this rank is the root, and on an intercommunicator only that. */
static bool is_root(const struct dvm_collective* collective) {
    return collective->comm->inter ? collective->root == MPI_ROOT : collective->root == collective->comm->rank;
}

static int check_rooted(const struct dvm_collective* collective, const struct dvm_blocks* at_root,
                        const struct dvm_blocks* elsewhere, const char* root_what, const char* else_what) {
    const int error = dvm_root_check(collective);
    if (error != MPI_SUCCESS) return error;
    if (is_root(collective)) {
        const int checked = dvm_blocks_check(at_root, dvm_peers(collective->comm), root_what);
        if (checked != MPI_SUCCESS || collective->comm->inter || elsewhere->buffer == MPI_IN_PLACE) return checked;
    } else if (collective->root == MPI_PROC_NULL) {
        return MPI_SUCCESS;
    }
    if (elsewhere->buffer == MPI_IN_PLACE) return dvm_fail(MPI_ERR_BUFFER, "MPI_IN_PLACE is for the root only");
    return dvm_blocks_check(elsewhere, 1, else_what);
}

static int plan_gather(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    const int error = check_rooted(collective, &collective->receive, &collective->send, "receive ", "send ");
    if (error != MPI_SUCCESS || collective->root == MPI_PROC_NULL) return error;
    const struct dvm_block mine = dvm_block_at(&collective->send, 0);
    if (!is_root(collective)) {
        dvm_plan_send(plan, comm, collective->root, &mine);
        return MPI_SUCCESS;
    }
    for (int rank = 0; rank < dvm_peers(comm); ++rank) {
        const struct dvm_block block = dvm_block_at(&collective->receive, rank);
        if (comm->inter || rank != comm->rank)
            dvm_plan_receive(plan, comm, rank, &block);
        else if (mine.buffer != MPI_IN_PLACE)
            dvm_plan_copy(plan, &mine, &block);
    }
    return MPI_SUCCESS;
}

static int plan_scatter(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    const int error = check_rooted(collective, &collective->send, &collective->receive, "send ", "receive ");
    if (error != MPI_SUCCESS || collective->root == MPI_PROC_NULL) return error;
    const struct dvm_block mine = dvm_block_at(&collective->receive, 0);
    if (!is_root(collective)) {
        dvm_plan_receive(plan, comm, collective->root, &mine);
        return MPI_SUCCESS;
    }
    for (int rank = 0; rank < dvm_peers(comm); ++rank) {
        const struct dvm_block block = dvm_block_at(&collective->send, rank);
        if (comm->inter || rank != comm->rank)
            dvm_plan_send(plan, comm, rank, &block);
        else if (mine.buffer != MPI_IN_PLACE)
            dvm_plan_copy(plan, &block, &mine);
    }
    return MPI_SUCCESS;
}

#define ONE_SEND .send = {.buffer = sendbuf, .count = sendcount, .type = sendtype, .same = true}
#define ONE_RECEIVE .receive = {.buffer = recvbuf, .count = recvcount, .type = recvtype, .same = true}

DVM_COLLECTIVE(Gather, gather, , dvm_collective_run, plan_gather,
               (const void* sendbuf, int sendcount, MPI_Datatype sendtype, void* recvbuf, int recvcount,
                MPI_Datatype recvtype, int root),
               ONE_SEND, .receive = {.buffer = recvbuf, .count = recvcount, .type = recvtype}, .root = root);
DVM_COLLECTIVE(Gather, gather, _c, dvm_collective_run, plan_gather,
               (const void* sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void* recvbuf, MPI_Count recvcount,
                MPI_Datatype recvtype, int root),
               ONE_SEND, .receive = {.buffer = recvbuf, .count = recvcount, .type = recvtype}, .root = root);
DVM_COLLECTIVE(Gatherv, gatherv, , dvm_collective_run, plan_gather,
               (const void* sendbuf, int sendcount, MPI_Datatype sendtype, void* recvbuf, const int recvcounts[],
                const int displs[], MPI_Datatype recvtype, int root),
               ONE_SEND,
               .receive = {.buffer = recvbuf, .counts = recvcounts, .displacements = displs, .type = recvtype},
               .root = root);
DVM_COLLECTIVE(Gatherv, gatherv, _c, dvm_collective_run, plan_gather,
               (const void* sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void* recvbuf,
                const MPI_Count recvcounts[], const MPI_Aint displs[], MPI_Datatype recvtype, int root),
               ONE_SEND,
               .receive = {.buffer = recvbuf,
                           .counts = recvcounts,
                           .displacements = displs,
                           .type = recvtype,
                           .large_counts = true,
                           .large_displacements = true},
               .root = root);
DVM_COLLECTIVE(Scatter, scatter, , dvm_collective_run, plan_scatter,
               (const void* sendbuf, int sendcount, MPI_Datatype sendtype, void* recvbuf, int recvcount,
                MPI_Datatype recvtype, int root),
               .send = {.buffer = sendbuf, .count = sendcount, .type = sendtype}, ONE_RECEIVE, .root = root);
DVM_COLLECTIVE(Scatter, scatter, _c, dvm_collective_run, plan_scatter,
               (const void* sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, void* recvbuf, MPI_Count recvcount,
                MPI_Datatype recvtype, int root),
               .send = {.buffer = sendbuf, .count = sendcount, .type = sendtype}, ONE_RECEIVE, .root = root);
DVM_COLLECTIVE(Scatterv, scatterv, , dvm_collective_run, plan_scatter,
               (const void* sendbuf, const int sendcounts[], const int displs[], MPI_Datatype sendtype, void* recvbuf,
                int recvcount, MPI_Datatype recvtype, int root),
               .send = {.buffer = sendbuf, .counts = sendcounts, .displacements = displs, .type = sendtype},
               ONE_RECEIVE, .root = root);
DVM_COLLECTIVE(Scatterv, scatterv, _c, dvm_collective_run, plan_scatter,
               (const void* sendbuf, const MPI_Count sendcounts[], const MPI_Aint displs[], MPI_Datatype sendtype,
                void* recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int root),
               .send = {.buffer = sendbuf,
                        .counts = sendcounts,
                        .displacements = displs,
                        .type = sendtype,
                        .large_counts = true,
                        .large_displacements = true},
               ONE_RECEIVE, .root = root);
