/* Collective operations: what the calls share.
 *
 * An operation is planned once, by a function that adds steps; the steps are those of a schedule, or, where little data
 * moves along a tree, are done as they are added: then nothing has to be noted. */
#ifndef DVM_PLAN_H
#define DVM_PLAN_H

#include "datatype.h"
#include "internal.h"
#include "op.h"

/* A buffer as a block for each rank. */
struct dvm_blocks {
    const void* buffer;
    MPI_Count count; /* where there is no array of counts */
    MPI_Datatype type;
    const void* counts; /* of int, or of MPI_Count where `large_counts` */
    const void* displacements;
    const MPI_Datatype* types; /* then displacements are in bytes */
    bool large_counts;
    bool large_displacements;
    bool same; /* all ranks' block is the one */
};

struct dvm_block {
    void* buffer;
    MPI_Count count;
    MPI_Datatype handle;
    struct dvm_type* type;
};

struct dvm_collective {
    struct dvm_comm* comm;
    struct dvm_blocks send;
    struct dvm_blocks receive;
    int root;
    MPI_Op op;
};

struct dvm_plan {
    struct dvm_comm* comm;
    struct dvm_schedule* schedule; /* NULL: at once */
    int tag;
    int error;
    void* allocated; /* at once: what does not fit into `arena` */
    size_t used;
    _Alignas(16) char arena[4096];
};

/* Checks the arguments and adds the steps. Yields an MPI error class. */
typedef int (*dvm_planner)(struct dvm_plan* plan, const struct dvm_collective* collective);

/* Around steps that are done as they are added. The second yields the first error that any of them met. */
void dvm_plan_begin_at_once(struct dvm_plan* plan, struct dvm_comm* comm, int tag);
int dvm_plan_end_at_once(struct dvm_plan* plan);

/* ---- steps ---- */

void dvm_plan_send(struct dvm_plan* plan, struct dvm_comm* comm, int dest, const struct dvm_block* block);
void dvm_plan_receive(struct dvm_plan* plan, struct dvm_comm* comm, int source, const struct dvm_block* block);
/* Both of them, where the others do the same, so that all might wait for each other to receive. */
void dvm_plan_swap(struct dvm_plan* plan, struct dvm_comm* comm, int dest, const struct dvm_block* out, int source,
                   const struct dvm_block* in);
/* What was received before is there behind it. */
void dvm_plan_phase(struct dvm_plan* plan);
void dvm_plan_copy(struct dvm_plan* plan, const struct dvm_block* from, const struct dvm_block* to);
/* `inout` = `in` op `inout`. */
void dvm_plan_reduce(struct dvm_plan* plan, const void* in, const struct dvm_block* inout, const struct dvm_op* op);

/* Something else; `context` is copied: at most 128 bytes. */
void dvm_plan_local(struct dvm_plan* plan, dvm_action action, void* context, size_t bytes);

/* ---- memory ---- */

void* dvm_plan_memory(struct dvm_plan* plan, size_t bytes);
/* Room for as many items as `like` has. Its buffer is NULL without memory. */
struct dvm_block dvm_plan_room(struct dvm_plan* plan, const struct dvm_block* like);
/* The type and the operation live as long as the plan. */
void dvm_plan_keep(struct dvm_plan* plan, struct dvm_type* type, struct dvm_op* op);

/* ---- arguments ---- */

struct dvm_block dvm_block_at(const struct dvm_blocks* blocks, int index);
/* `what`: the side in words, with a space behind them; "" where there is but one. */
int dvm_blocks_check(const struct dvm_blocks* blocks, int count, const char* what);
/* `allow_special`: MPI_ROOT and MPI_PROC_NULL, on intercommunicators. */
int dvm_root_check(const struct dvm_collective* collective);
static inline int64_t dvm_block_bytes(const struct dvm_block* block) {
    return block->count * block->type->size;
}

/* What is so small that it is moved as it is planned. */
#define DVM_AT_ONCE_BYTES 1024
/* Whether its arguments are right, and neither its items nor its bytes are more than `most`. */
static inline bool dvm_block_within(const struct dvm_block* block, MPI_Count most) {
    return block->type != NULL && block->count >= 0 && block->count <= most && dvm_block_bytes(block) <= most;
}

/* ---- trees ---- */

/* A rank's place in a tree over an intracommunicator, with `root` at the top. Who share a PU hang below the first of
 * them, which waits for all at once; these firsts form a binomial tree. */
struct dvm_tree {
    int parent; /* MPI_PROC_NULL at the top */
    int child_count;
    int* children; /* the others' firsts before those who share our PU: gather from the last, release from the first */
};
void dvm_plan_tree(struct dvm_plan* plan, const struct dvm_comm* comm, int root, struct dvm_tree* tree);
/* The same, but those who share a PU hang each below the one before, in the order of ranks from `root` on. */
void dvm_plan_chain(struct dvm_plan* plan, const struct dvm_comm* comm, int root, struct dvm_tree* tree);
/* No two ranks of the job share a PU. */
bool dvm_own_pus(void);

/* The ranks of an intracommunicator, those of a PU side by side. */
struct dvm_crowds {
    int count;
    int mine;   /* which of them this rank is in */
    int* begin; /* of each in `order`, and its end */
    int* order; /* ranks; the first of each crowd speaks for it */
    int numbers[];
};
/* NULL: no two of its ranks share a PU. They are the communicator's. */
const struct dvm_crowds* dvm_crowds_of(struct dvm_comm* comm);
/* Every rank's block to all, and every rank's blocks to each: those who speak for their crowds pass them on. `false`,
 * for all ranks alike: there are no crowds, or too many bytes for that. */
bool dvm_plan_crowds_gather(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_block* mine,
                            const struct dvm_blocks* receive);
bool dvm_plan_crowds_exchange(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_blocks* send,
                              const struct dvm_blocks* receive);

void dvm_plan_broadcast(struct dvm_plan* plan, struct dvm_comm* comm, int root, const struct dvm_block* block);
/* Into `result` of `root`; `mine` is only read. Elsewhere `result` is not used. */
void dvm_plan_reduction(struct dvm_plan* plan, struct dvm_comm* comm, int root, const struct dvm_block* mine,
                        const struct dvm_block* result, const struct dvm_op* op);

/* ---- calls ---- */

int dvm_collective_run(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call);
/* The same for operations that may be done at once: where at most a few hundred bytes move. */
int dvm_collective_run_small(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call);
int dvm_collective_start(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, MPI_Request* request,
                         const char* call);
int dvm_collective_init(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, MPI_Request* request,
                        const char* call);

/* The three forms of an operation with arguments. LOWER: its name in MPI_I…; RUN: how the blocking form runs. */
#define DVM_UNWRAP(...) __VA_ARGS__
#define DVM_COLLECTIVE(NAME, LOWER, SUFFIX, RUN, PLANNER, PARAMETERS, ...)                                      \
    int PMPI_##NAME##SUFFIX(DVM_UNWRAP PARAMETERS, MPI_Comm comm) {                                             \
        struct dvm_collective collective = {__VA_ARGS__};                                                       \
        return RUN(&collective, comm, PLANNER, DVM_CALL);                                                       \
    }                                                                                                           \
    DVM_ALIAS(NAME##SUFFIX);                                                                                    \
    int PMPI_I##LOWER##SUFFIX(DVM_UNWRAP PARAMETERS, MPI_Comm comm, MPI_Request* request) {                     \
        struct dvm_collective collective = {__VA_ARGS__};                                                       \
        return dvm_collective_start(&collective, comm, PLANNER, request, DVM_CALL);                             \
    }                                                                                                           \
    DVM_ALIAS(I##LOWER##SUFFIX);                                                                                \
    int PMPI_##NAME##_init##SUFFIX(DVM_UNWRAP PARAMETERS, MPI_Comm comm, MPI_Info info, MPI_Request* request) { \
        struct dvm_collective collective = {__VA_ARGS__};                                                       \
        (void)info;                                                                                             \
        return dvm_collective_init(&collective, comm, PLANNER, request, DVM_CALL);                              \
    }                                                                                                           \
    DVM_ALIAS(NAME##_init##SUFFIX)

#endif
