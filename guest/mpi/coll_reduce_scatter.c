/* Reductions whose result is spread over the ranks: each rank gets its block of every rank's items, and combines them
 * in the order of ranks. */
#include "plan.h"

/* The blocks lie one after another: where block `index` begins, in items. */
static struct dvm_block block_of(const struct dvm_collective* collective, const void* buffer, int index) {
    const struct dvm_blocks* const receive = &collective->receive;
    struct dvm_block block = dvm_block_at(receive, index);
    MPI_Count begin = 0;
    for (int i = 0; receive->counts != NULL && i < index; ++i) begin += dvm_block_at(receive, i).count;
    if (receive->counts == NULL) begin = index * receive->count;
    /* SAFETY: a send's block is only read. */
    block.buffer = (char*)(uintptr_t)buffer + begin * block.type->extent;
    return block;
}

/* Where this rank's block goes. */
static struct dvm_block result_of(const struct dvm_collective* collective) {
    struct dvm_block result = dvm_block_at(&collective->receive, collective->comm->rank);
    /* SAFETY: the blocks' buffer is the one to receive into. */
    result.buffer = (void*)(uintptr_t)collective->receive.buffer;
    return result;
}

static int check(const struct dvm_collective* collective, struct dvm_op** op) {
    const int error = dvm_blocks_check(&collective->receive, collective->comm->size, "receive ");
    if (error != MPI_SUCCESS) return error;
    if (collective->send.buffer == MPI_IN_PLACE && collective->comm->inter)
        return dvm_fail(MPI_ERR_BUFFER, "MPI_IN_PLACE cannot be meant on an intercommunicator");
    return dvm_op_check(collective->op, dvm_block_at(&collective->receive, 0).type, op);
}

static void plan_within(struct dvm_plan* plan, const struct dvm_collective* collective, const void* input,
                        const struct dvm_op* op) {
    struct dvm_comm* const comm = collective->comm;
    const int size = comm->size;
    struct dvm_block* const rooms = dvm_plan_memory(plan, (size_t)size * sizeof *rooms);
    const struct dvm_block own = block_of(collective, input, comm->rank);
    if (rooms == NULL) return;
    for (int i = 1; i < size; ++i) {
        const int to = (comm->rank + i) % size;
        const int from = (comm->rank + size - i) % size;
        const struct dvm_block block = block_of(collective, input, to);
        rooms[from] = dvm_plan_room(plan, &own);
        dvm_plan_receive(plan, comm, from, &rooms[from]);
        dvm_plan_send(plan, comm, to, &block);
    }
    dvm_plan_phase(plan);
    rooms[comm->rank] = own;
    const struct dvm_block sum = dvm_plan_room(plan, &own);
    dvm_plan_copy(plan, &rooms[size - 1], &sum);
    for (int rank = size - 1; rank-- > 0;) dvm_plan_reduce(plan, rooms[rank].buffer, &sum, op);
    const struct dvm_block result = result_of(collective);
    dvm_plan_copy(plan, &sum, &result);
}

/* Where several share a PU and little is reduced: to one rank, which sends each its block, or of very little all of it
 * along a tree. So each is switched to once, and not as often as there are others. */
#define BY_ONE_BYTES 16384
#define TO_ALL_BYTES 4096

static bool plan_by_one(struct dvm_plan* plan, const struct dvm_collective* collective, const void* input,
                        const struct dvm_op* op) {
    struct dvm_comm* const comm = collective->comm;
    struct dvm_block whole = block_of(collective, input, 0);
    whole.count = 0;
    for (int i = 0; i < comm->size; ++i) whole.count += dvm_block_at(&collective->receive, i).count;
    if (dvm_crowds_of(comm) == NULL || whole.count > BY_ONE_BYTES || dvm_block_bytes(&whole) > BY_ONE_BYTES)
        return false;
    const struct dvm_block sum = dvm_plan_room(plan, &whole);
    const struct dvm_block result = result_of(collective);
    dvm_plan_reduction(plan, comm, 0, &whole, &sum, op);
    if (dvm_block_bytes(&whole) <= TO_ALL_BYTES) {
        const struct dvm_block block = block_of(collective, sum.buffer, comm->rank);
        dvm_plan_broadcast(plan, comm, 0, &sum);
        dvm_plan_copy(plan, &block, &result);
        return true;
    }
    if (comm->rank != 0) dvm_plan_receive(plan, comm, 0, &result);
    for (int rank = 0; rank < comm->size && comm->rank == 0; ++rank) {
        const struct dvm_block block = block_of(collective, sum.buffer, rank);
        if (rank == 0)
            dvm_plan_copy(plan, &block, &result);
        else
            dvm_plan_send(plan, comm, rank, &block);
    }
    return true;
}

/* Each group's ranks get what the other group's have. */
static void plan_between(struct dvm_plan* plan, const struct dvm_collective* collective, const struct dvm_op* op) {
    struct dvm_comm* const comm = collective->comm;
    struct dvm_block whole = block_of(collective, collective->send.buffer, 0);
    whole.count = 0;
    for (int i = 0; i < comm->size; ++i) whole.count += dvm_block_at(&collective->receive, i).count;
    const struct dvm_block ours = dvm_plan_room(plan, &whole);
    const struct dvm_block theirs = dvm_plan_room(plan, &whole);
    dvm_plan_reduction(plan, comm->within, 0, &whole, &ours, op);
    const struct dvm_block result = result_of(collective);
    if (comm->rank != 0) {
        dvm_plan_receive(plan, comm->within, 0, &result);
        return;
    }
    dvm_plan_send(plan, comm, 0, &ours);
    dvm_plan_receive(plan, comm, 0, &theirs);
    dvm_plan_phase(plan);
    for (int rank = 0; rank < comm->size; ++rank) {
        const struct dvm_block block = block_of(collective, theirs.buffer, rank);
        if (rank == 0)
            dvm_plan_copy(plan, &block, &result);
        else
            dvm_plan_send(plan, comm->within, rank, &block);
    }
}

static int plan_reduce_scatter(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_op* op = NULL;
    const int error = check(collective, &op);
    if (error != MPI_SUCCESS) return error;
    const void* const input =
        collective->send.buffer == MPI_IN_PLACE ? collective->receive.buffer : collective->send.buffer;
    dvm_plan_keep(plan, dvm_block_at(&collective->receive, 0).type, op);
    if (collective->comm->inter)
        plan_between(plan, collective, op);
    else if (!plan_by_one(plan, collective, input, op))
        plan_within(plan, collective, input, op);
    return MPI_SUCCESS;
}

/* Of all ranks' items, as far as that is small; else, or where an argument is wrong, more. */
static MPI_Count small_bytes(const struct dvm_collective* collective, const struct dvm_comm* comm) {
    MPI_Count bytes = 0;
    for (int rank = 0; rank < comm->size && bytes <= DVM_AT_ONCE_BYTES; ++rank) {
        const struct dvm_block block = dvm_block_at(&collective->receive, rank);
        if (!dvm_block_within(&block, DVM_AT_ONCE_BYTES)) return DVM_AT_ONCE_BYTES + 1;
        bytes += dvm_block_bytes(&block);
    }
    return bytes;
}

/* What goes by one rank may be done at once, where it is small. */
static int run(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object != NULL && !object->inter && small_bytes(collective, object) <= DVM_AT_ONCE_BYTES &&
        dvm_crowds_of(object) != NULL)
        return dvm_collective_run_small(collective, comm, planner, call);
    return dvm_collective_run(collective, comm, planner, call);
}

#define FORMS(SUFFIX, NUMBER, LARGE)                                                                                 \
    DVM_COLLECTIVE(                                                                                                  \
        Reduce_scatter, reduce_scatter, SUFFIX, run, plan_reduce_scatter,                                            \
        (const void* sendbuf, void* recvbuf, const NUMBER recvcounts[], MPI_Datatype datatype, MPI_Op op),           \
        .send = {.buffer = sendbuf},                                                                                 \
        .receive = {.buffer = recvbuf, .counts = recvcounts, .type = datatype, .large_counts = LARGE, .same = true}, \
        .op = op);                                                                                                   \
    DVM_COLLECTIVE(Reduce_scatter_block, reduce_scatter_block, SUFFIX, run, plan_reduce_scatter,                     \
                   (const void* sendbuf, void* recvbuf, NUMBER recvcount, MPI_Datatype datatype, MPI_Op op),         \
                   .send = {.buffer = sendbuf},                                                                      \
                   .receive = {.buffer = recvbuf, .count = recvcount, .type = datatype, .same = true}, .op = op)

FORMS(, int, false);
FORMS(_c, MPI_Count, true);
