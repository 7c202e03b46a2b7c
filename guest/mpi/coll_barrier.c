/* The barrier. */
#include "plan.h"

static const struct dvm_block* nothing(void) {
    static struct dvm_block block;
    block = (struct dvm_block){NULL, 0, MPI_BYTE, dvm_predefined(MPI_BYTE)};
    return &block;
}

static void plan_dissemination(struct dvm_plan* plan, struct dvm_comm* comm) {
    for (int distance = 1; distance < comm->size; distance *= 2) {
        dvm_plan_swap(plan, comm, (comm->rank + distance) % comm->size, nothing(),
                      (comm->rank + comm->size - distance) % comm->size, nothing());
        dvm_plan_phase(plan);
    }
}

/* Up the tree; at its top, `between`; and down again. */
static void gather_up(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_tree* tree) {
    for (int i = tree->child_count; i-- > 0;) dvm_plan_receive(plan, comm, tree->children[i], nothing());
    dvm_plan_phase(plan);
    dvm_plan_send(plan, comm, tree->parent, nothing());
}

static void release_down(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_tree* tree) {
    dvm_plan_receive(plan, comm, tree->parent, nothing());
    dvm_plan_phase(plan);
    for (int i = 0; i < tree->child_count; ++i) dvm_plan_send(plan, comm, tree->children[i], nothing());
}

static int plan_barrier(struct dvm_plan* plan, const struct dvm_collective* collective) {
    struct dvm_comm* const comm = collective->comm;
    struct dvm_comm* const within = comm->inter ? comm->within : comm;
    struct dvm_tree tree;
    if (!comm->inter && dvm_own_pus()) {
        plan_dissemination(plan, comm);
        return MPI_SUCCESS;
    }
    dvm_plan_tree(plan, within, 0, &tree);
    gather_up(plan, within, &tree);
    if (comm->inter && comm->rank == 0) {
        dvm_plan_send(plan, comm, 0, nothing());
        dvm_plan_receive(plan, comm, 0, nothing());
        dvm_plan_phase(plan);
    }
    release_down(plan, within, &tree);
    return MPI_SUCCESS;
}

int PMPI_Barrier(MPI_Comm comm) {
    struct dvm_collective collective = {.root = 0};
    return dvm_collective_run_small(&collective, comm, plan_barrier, DVM_CALL);
}
DVM_ALIAS(Barrier);

int PMPI_Ibarrier(MPI_Comm comm, MPI_Request* request) {
    struct dvm_collective collective = {.root = 0};
    return dvm_collective_start(&collective, comm, plan_barrier, request, DVM_CALL);
}
DVM_ALIAS(Ibarrier);

int PMPI_Barrier_init(MPI_Comm comm, MPI_Info info, MPI_Request* request) {
    struct dvm_collective collective = {.root = 0};
    (void)info;
    return dvm_collective_init(&collective, comm, plan_barrier, request, DVM_CALL);
}
DVM_ALIAS(Barrier_init);
