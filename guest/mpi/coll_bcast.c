/* Broadcast.
 *
 * Where ranks share PUs, the first of each PU that the data reaches either hands it to all others of its PU, or to the
 * next of them, which hands it on: along a *chain*. To all is right where one rank has something for the others: who
 * comes late keeps nobody waiting, and one exit wakes them. But where the root changes from one broadcast to the next,
 * as in the multiplication and factorization of matrices, all would be woken for each, though only one of them has
 * something to do next. Along a chain each wakes the one that is next at being the root, and none of those who had
 * their turn; so a rank that is switched to takes several broadcasts at once, and one switch is made for each. */
#include "guest/libdivisi/internal.h"
#include "plan.h"

static void hand_down(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_tree* tree,
                      const struct dvm_block* block) {
    dvm_plan_receive(plan, comm, tree->parent, block);
    dvm_plan_phase(plan);
    for (int i = 0; i < tree->child_count; ++i) dvm_plan_send(plan, comm, tree->children[i], block);
    dvm_plan_phase(plan);
}

void dvm_plan_broadcast(struct dvm_plan* plan, struct dvm_comm* comm, int root, const struct dvm_block* block) {
    struct dvm_tree tree;
    dvm_plan_tree(plan, comm, root, &tree);
    hand_down(plan, comm, &tree, block);
}

/* All ranks begin the broadcasts of a communicator in the same order, and so decide alike. */
static void plan_by_turns(struct dvm_plan* plan, struct dvm_comm* comm, int root, const struct dvm_block* block) {
    struct dvm_tree tree;
    const bool turns = comm->last_root != MPI_PROC_NULL && comm->last_root != root;
    comm->last_root = root;
    if (turns)
        dvm_plan_chain(plan, comm, root, &tree);
    else
        dvm_plan_tree(plan, comm, root, &tree);
    hand_down(plan, comm, &tree, block);
}

static int plan_bcast(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    const struct dvm_block block = dvm_block_at(&collective->send, 0);
    const int root = collective->root;
    int error = dvm_root_check(collective);
    if (error == MPI_SUCCESS && root != MPI_PROC_NULL) error = dvm_blocks_check(&collective->send, 1, "");
    if (error != MPI_SUCCESS || root == MPI_PROC_NULL) return error;
    if (!comm->inter) {
        plan_by_turns(plan, comm, root, &block);
    } else if (root == MPI_ROOT) {
        dvm_plan_send(plan, comm, 0, &block);
    } else {
        if (comm->rank == 0) dvm_plan_receive(plan, comm, root, &block);
        dvm_plan_phase(plan);
        dvm_plan_broadcast(plan, comm->within, 0, &block);
    }
    return MPI_SUCCESS;
}

#define MOST_AT_ONCE_BYTES 16384u

/* What a ring has room for: then the first of those below begins while the others are still sent to. */
static MPI_Count at_once_bytes(void) {
    const uint32_t room = dvi.linked_count == 0 ? 0u : dvi.links[dvi.linked[0]].tx.bulk_bytes / 2u;
    if (room < DVM_AT_ONCE_BYTES) return DVM_AT_ONCE_BYTES;
    return room < MOST_AT_ONCE_BYTES ? room : MOST_AT_ONCE_BYTES;
}

static int run_bcast(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call) {
    const struct dvm_block block = dvm_block_at(&collective->send, 0);
    if (block.type != NULL && block.count >= 0 && block.count <= MOST_AT_ONCE_BYTES &&
        dvm_block_bytes(&block) <= at_once_bytes())
        return dvm_collective_run_small(collective, comm, planner, call);
    return dvm_collective_run(collective, comm, planner, call);
}

DVM_COLLECTIVE(Bcast, bcast, , run_bcast, plan_bcast, (void* buffer, int count, MPI_Datatype datatype, int root),
               .send = {.buffer = buffer, .count = count, .type = datatype}, .root = root);
DVM_COLLECTIVE(Bcast, bcast, _c, run_bcast, plan_bcast,
               (void* buffer, MPI_Count count, MPI_Datatype datatype, int root),
               .send = {.buffer = buffer, .count = count, .type = datatype}, .root = root);
