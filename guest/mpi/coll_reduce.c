/* Reductions to one rank, to all, and of prefixes. */
#include "plan.h"

/* Checks what all reductions have in common. */
static int check_reduction(const struct dvm_collective* collective, struct dvm_op** op) {
    const struct dvm_block block = dvm_block_at(&collective->receive, 0);
    if (block.type == NULL) return dvm_fail(MPI_ERR_TYPE, "the datatype is none: null, freed, or never made");
    if (!block.type->committed) return dvm_fail(MPI_ERR_TYPE, "the datatype was not committed (MPI_Type_commit)");
    if (block.count < 0) return dvm_fail(MPI_ERR_COUNT, "the count is %lld", (long long)block.count);
    return dvm_op_check(collective->op, block.type, op);
}

/* The ranks' items are combined in their order: of two neighbouring stretches of ranks, the upper one's first rank
 * sends its result to the lower one's. Ends on rank 0. */
static void plan_ordered(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_block* mine,
                         const struct dvm_block* result, const struct dvm_op* op) {
    struct dvm_block sum = *mine;
    struct dvm_block spare = dvm_plan_room(plan, mine);
    struct dvm_block other = dvm_plan_room(plan, mine);
    for (int stretch = 1; stretch < comm->size; stretch *= 2) {
        if ((comm->rank & stretch) != 0) {
            dvm_plan_send(plan, comm, comm->rank - stretch, &sum);
            dvm_plan_phase(plan);
            return;
        }
        if (comm->rank + stretch >= comm->size) continue;
        dvm_plan_receive(plan, comm, comm->rank + stretch, &spare);
        dvm_plan_phase(plan);
        dvm_plan_reduce(plan, sum.buffer, &spare, op);
        const struct dvm_block done = sum;
        sum = spare;
        spare = done.buffer == mine->buffer ? other : done;
    }
    if (result != NULL) dvm_plan_copy(plan, &sum, result);
}

/* What a rank may have of its children at one time. */
#define GATHERED_BYTES 262144

static void plan_from_children(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_tree* tree,
                               const struct dvm_block* sum, const struct dvm_op* op) {
    const bool together = plan->schedule != NULL && tree->child_count * dvm_block_bytes(sum) <= GATHERED_BYTES;
    struct dvm_block* const rooms = dvm_plan_memory(plan, (size_t)(tree->child_count + 1) * sizeof *rooms);
    if (rooms == NULL) return;
    for (int i = tree->child_count; i-- > 0;) {
        rooms[i] = together || i == tree->child_count - 1 ? dvm_plan_room(plan, sum) : rooms[i + 1];
        dvm_plan_receive(plan, comm, tree->children[i], &rooms[i]);
        if (together) continue;
        dvm_plan_phase(plan);
        dvm_plan_reduce(plan, rooms[i].buffer, sum, op);
    }
    dvm_plan_phase(plan);
    for (int i = tree->child_count; together && i-- > 0;) dvm_plan_reduce(plan, rooms[i].buffer, sum, op);
}

void dvm_plan_reduction(struct dvm_plan* plan, struct dvm_comm* comm, int root, const struct dvm_block* mine,
                        const struct dvm_block* result, const struct dvm_op* op) {
    if (!op->commutative) {
        const bool elsewhere = root != 0;
        const struct dvm_block aside = elsewhere && comm->rank == 0 ? dvm_plan_room(plan, mine) : *result;
        plan_ordered(plan, comm, mine, comm->rank == 0 ? &aside : NULL, op);
        dvm_plan_phase(plan);
        if (elsewhere && comm->rank == 0) dvm_plan_send(plan, comm, root, &aside);
        if (elsewhere && comm->rank == root) dvm_plan_receive(plan, comm, 0, result);
        dvm_plan_phase(plan);
        return;
    }
    struct dvm_tree tree;
    dvm_plan_tree(plan, comm, root, &tree);
    struct dvm_block sum = *mine;
    if (comm->rank == root) {
        sum = *result;
        dvm_plan_copy(plan, mine, &sum);
    } else if (tree.child_count != 0) {
        sum = dvm_plan_room(plan, mine);
        dvm_plan_copy(plan, mine, &sum);
    }
    plan_from_children(plan, comm, &tree, &sum, op);
    dvm_plan_send(plan, comm, tree.parent, &sum);
    dvm_plan_phase(plan);
}

static int plan_reduce(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    struct dvm_op* op = NULL;
    const int root = collective->root;
    int error = dvm_root_check(collective);
    if (error == MPI_SUCCESS && root != MPI_PROC_NULL) error = check_reduction(collective, &op);
    if (error != MPI_SUCCESS || root == MPI_PROC_NULL) return error;
    struct dvm_block mine = dvm_block_at(&collective->send, 0);
    const struct dvm_block result = dvm_block_at(&collective->receive, 0);
    dvm_plan_keep(plan, mine.type, op);
    if (mine.buffer == MPI_IN_PLACE) {
        if (comm->inter || comm->rank != root) return dvm_fail(MPI_ERR_BUFFER, "MPI_IN_PLACE is for the root only");
        mine = result;
    }
    if (!comm->inter) {
        dvm_plan_reduction(plan, comm, root, &mine, &result, op);
    } else if (root == MPI_ROOT) {
        dvm_plan_receive(plan, comm, 0, &result);
    } else {
        const struct dvm_block aside = dvm_plan_room(plan, &mine);
        dvm_plan_reduction(plan, comm->within, 0, &mine, &aside, op);
        if (comm->rank == 0) dvm_plan_send(plan, comm, root, &aside);
    }
    return MPI_SUCCESS;
}

/* ---- to all ---- */

/* Each of two neighbouring stretches of ranks, twice as long each time, learns the other's result. The number of ranks
 * is a power of two. */
static void plan_doubling(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_block* mine,
                          const struct dvm_block* result, const struct dvm_op* op) {
    const struct dvm_block other = dvm_plan_room(plan, mine);
    struct dvm_block sum = *result;
    struct dvm_block spare = other;
    dvm_plan_copy(plan, mine, &sum);
    for (int stretch = 1; stretch < comm->size; stretch *= 2) {
        const int peer = comm->rank ^ stretch;
        dvm_plan_swap(plan, comm, peer, &sum, peer, &spare);
        dvm_plan_phase(plan);
        if (peer < comm->rank || op->commutative) {
            dvm_plan_reduce(plan, spare.buffer, &sum, op);
        } else {
            dvm_plan_reduce(plan, sum.buffer, &spare, op);
            const struct dvm_block done = sum;
            sum = spare;
            spare = done;
        }
    }
    dvm_plan_copy(plan, &sum, result);
}

/* Block i of the whole, of `parts`. */
static struct dvm_block part_of(const struct dvm_block* whole, int i, int parts) {
    struct dvm_block part = *whole;
    const MPI_Count begin = whole->count * i / parts;
    part.count = whole->count * (i + 1) / parts - begin;
    part.buffer = (char*)whole->buffer + begin * whole->type->extent;
    return part;
}

/* Every rank gets its part of all ranks' items and combines them in the order of ranks; then all get all parts. Each
 * byte crosses twice, whatever the number of ranks. */
static void plan_by_parts(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_block* mine,
                          const struct dvm_block* result, const struct dvm_op* op) {
    const int size = comm->size;
    struct dvm_block* const rooms = dvm_plan_memory(plan, (size_t)size * sizeof *rooms);
    const struct dvm_block own = part_of(mine, comm->rank, size);
    if (rooms == NULL) return;
    for (int i = 1; i < size; ++i) {
        const int to = (comm->rank + i) % size;
        const int from = (comm->rank + size - i) % size;
        const struct dvm_block part = part_of(mine, to, size);
        rooms[from] = dvm_plan_room(plan, &own);
        dvm_plan_receive(plan, comm, from, &rooms[from]);
        dvm_plan_send(plan, comm, to, &part);
    }
    dvm_plan_phase(plan);
    rooms[comm->rank] = own;
    struct dvm_block sum = dvm_plan_room(plan, &own);
    dvm_plan_copy(plan, &rooms[size - 1], &sum);
    for (int rank = size - 1; rank-- > 0;) dvm_plan_reduce(plan, rooms[rank].buffer, &sum, op);
    const struct dvm_block place = part_of(result, comm->rank, size);
    dvm_plan_copy(plan, &sum, &place);
    for (int i = 1; i < size; ++i) {
        const int to = (comm->rank + i) % size;
        const int from = (comm->rank + size - i) % size;
        const struct dvm_block part = part_of(result, from, size);
        dvm_plan_receive(plan, comm, from, &part);
        dvm_plan_send(plan, comm, to, &sum);
    }
    dvm_plan_phase(plan);
}

#define PARTS_FROM_BYTES 32768

static void plan_to_all(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_block* mine,
                        const struct dvm_block* result, const struct dvm_op* op) {
    const MPI_Count bytes = dvm_block_bytes(mine);
    if (dvm_own_pus() && bytes >= PARTS_FROM_BYTES && mine->count >= comm->size) {
        plan_by_parts(plan, comm, mine, result, op);
    } else if (dvm_own_pus() && (comm->size & (comm->size - 1)) == 0) {
        plan_doubling(plan, comm, mine, result, op);
    } else {
        dvm_plan_reduction(plan, comm, 0, mine, result, op);
        dvm_plan_broadcast(plan, comm, 0, result);
    }
}

static int plan_allreduce(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    struct dvm_op* op = NULL;
    const int error = check_reduction(collective, &op);
    if (error != MPI_SUCCESS) return error;
    struct dvm_block mine = dvm_block_at(&collective->send, 0);
    const struct dvm_block result = dvm_block_at(&collective->receive, 0);
    dvm_plan_keep(plan, mine.type, op);
    if (mine.buffer == MPI_IN_PLACE) {
        if (comm->inter) return dvm_fail(MPI_ERR_BUFFER, "MPI_IN_PLACE cannot be meant on an intercommunicator");
        mine = result;
    }
    if (!comm->inter) {
        plan_to_all(plan, comm, &mine, &result, op);
        return MPI_SUCCESS;
    }
    const struct dvm_block aside = dvm_plan_room(plan, &mine);
    dvm_plan_reduction(plan, comm->within, 0, &mine, &aside, op);
    if (comm->rank == 0) {
        dvm_plan_send(plan, comm, 0, &aside);
        dvm_plan_receive(plan, comm, 0, &result);
    }
    dvm_plan_phase(plan);
    dvm_plan_broadcast(plan, comm->within, 0, &result);
    return MPI_SUCCESS;
}

/* ---- prefixes ---- */

/* Along the ranks. `prior`: where what comes from below goes. */
static int check_scan(const struct dvm_collective* collective, struct dvm_op** op, struct dvm_block* mine) {
    const int error = check_reduction(collective, op);
    if (error != MPI_SUCCESS) return error;
    if (collective->comm->inter) return dvm_fail(MPI_ERR_COMM, "an intercommunicator has no order of all its ranks");
    *mine = dvm_block_at(&collective->send, 0);
    if (mine->buffer == MPI_IN_PLACE) *mine = dvm_block_at(&collective->receive, 0);
    return MPI_SUCCESS;
}

static int plan_scan(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    struct dvm_op* op = NULL;
    struct dvm_block mine;
    const int error = check_scan(collective, &op, &mine);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_block result = dvm_block_at(&collective->receive, 0);
    dvm_plan_keep(plan, mine.type, op);
    dvm_plan_copy(plan, &mine, &result);
    if (comm->rank > 0) {
        const struct dvm_block prior = dvm_plan_room(plan, &mine);
        dvm_plan_receive(plan, comm, comm->rank - 1, &prior);
        dvm_plan_phase(plan);
        dvm_plan_reduce(plan, prior.buffer, &result, op);
    }
    if (comm->rank + 1 < comm->size) dvm_plan_send(plan, comm, comm->rank + 1, &result);
    return MPI_SUCCESS;
}

static int plan_exscan(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    struct dvm_op* op = NULL;
    struct dvm_block mine;
    const int error = check_scan(collective, &op, &mine);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_block result = dvm_block_at(&collective->receive, 0);
    const struct dvm_block sum = dvm_plan_room(plan, &mine);
    dvm_plan_keep(plan, mine.type, op);
    dvm_plan_copy(plan, &mine, &sum);
    if (comm->rank > 0) {
        dvm_plan_receive(plan, comm, comm->rank - 1, &result);
        dvm_plan_phase(plan);
        dvm_plan_reduce(plan, result.buffer, &sum, op);
    }
    if (comm->rank + 1 < comm->size) dvm_plan_send(plan, comm, comm->rank + 1, &sum);
    return MPI_SUCCESS;
}

/* ---- calls ---- */

static int run(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call) {
    const struct dvm_block block = dvm_block_at(&collective->receive, 0);
    if (dvm_block_within(&block, DVM_AT_ONCE_BYTES)) return dvm_collective_run_small(collective, comm, planner, call);
    return dvm_collective_run(collective, comm, planner, call);
}

#define ITEMS                                                      \
    .send = {.buffer = sendbuf, .count = count, .type = datatype}, \
    .receive = {.buffer = recvbuf, .count = count, .type = datatype}, .op = op

#define FORMS(SUFFIX, NUMBER)                                                                                      \
    DVM_COLLECTIVE(Reduce, reduce, SUFFIX, run, plan_reduce,                                                       \
                   (const void* sendbuf, void* recvbuf, NUMBER count, MPI_Datatype datatype, MPI_Op op, int root), \
                   ITEMS, .root = root);                                                                           \
    DVM_COLLECTIVE(Allreduce, allreduce, SUFFIX, run, plan_allreduce,                                              \
                   (const void* sendbuf, void* recvbuf, NUMBER count, MPI_Datatype datatype, MPI_Op op), ITEMS);   \
    DVM_COLLECTIVE(Scan, scan, SUFFIX, run, plan_scan,                                                             \
                   (const void* sendbuf, void* recvbuf, NUMBER count, MPI_Datatype datatype, MPI_Op op), ITEMS);   \
    DVM_COLLECTIVE(Exscan, exscan, SUFFIX, run, plan_exscan,                                                       \
                   (const void* sendbuf, void* recvbuf, NUMBER count, MPI_Datatype datatype, MPI_Op op), ITEMS)

FORMS(, int);
FORMS(_c, MPI_Count);
