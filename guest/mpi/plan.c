#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"

static void note(struct dvm_plan* plan, int error) {
    if (plan->error == MPI_SUCCESS) plan->error = error;
}

/* ---- steps ---- */

void dvm_plan_send(struct dvm_plan* plan, struct dvm_comm* comm, int dest, const struct dvm_block* block) {
    if (dest == MPI_PROC_NULL) return;
    if (plan->schedule != NULL)
        dvm_schedule_send(plan->schedule, comm, dest, block->buffer, block->count, block->type);
    else
        note(plan, dvm_send(comm, DVM_COLLECTIVE, dest, plan->tag, block->buffer, block->count, block->type));
}

void dvm_plan_receive(struct dvm_plan* plan, struct dvm_comm* comm, int source, const struct dvm_block* block) {
    if (source == MPI_PROC_NULL) return;
    if (plan->schedule != NULL)
        dvm_schedule_receive(plan->schedule, comm, source, block->buffer, block->count, block->type);
    else
        note(plan, dvm_recv(comm, DVM_COLLECTIVE, source, plan->tag, block->buffer, block->count, block->type, NULL));
}

void dvm_plan_swap(struct dvm_plan* plan, struct dvm_comm* comm, int dest, const struct dvm_block* out, int source,
                   const struct dvm_block* in) {
    if (plan->schedule != NULL) {
        dvm_plan_send(plan, comm, dest, out);
        dvm_plan_receive(plan, comm, source, in);
    } else if (dvm_send_directly(comm, DVM_COLLECTIVE, dest, plan->tag, out->buffer, out->count, out->type)) {
        dvm_plan_receive(plan, comm, source, in);
    } else {
        note(plan, dvm_sendrecv(comm, DVM_COLLECTIVE, dest, out->buffer, out->count, out->type, source, in->buffer,
                                in->count, in->type, plan->tag));
    }
}

void dvm_plan_phase(struct dvm_plan* plan) {
    if (plan->schedule != NULL) dvm_schedule_phase(plan->schedule);
}

struct copying {
    struct dvm_block from;
    struct dvm_block to;
};

static int copy_now(void* context) {
    const struct copying* const copying = context;
    const struct dvm_block* const from = &copying->from;
    const struct dvm_block* const to = &copying->to;
    dvm_type_copy(from->buffer, from->count, from->type, to->buffer, to->count, to->type);
    if (dvm_block_bytes(from) <= dvm_block_bytes(to)) return MPI_SUCCESS;
    return dvm_fail(MPI_ERR_TRUNCATE, "this rank sends itself %lld bytes and receives %lld",
                    (long long)dvm_block_bytes(from), (long long)dvm_block_bytes(to));
}

void dvm_plan_copy(struct dvm_plan* plan, const struct dvm_block* from, const struct dvm_block* to) {
    struct copying copying = {*from, *to};
    if (from->buffer == to->buffer && from->handle == to->handle && from->count == to->count) return;
    if (plan->schedule == NULL) {
        note(plan, copy_now(&copying));
        return;
    }
    dvm_plan_keep(plan, from->type, NULL);
    dvm_plan_keep(plan, to->type, NULL);
    dvm_schedule_local(plan->schedule, copy_now, &copying, sizeof copying);
}

struct reducing {
    const void* in;
    struct dvm_block inout;
    const struct dvm_op* op;
};

static int reduce_now(void* context) {
    const struct reducing* const reducing = context;
    dvi_wake_held();
    dvm_op_apply(reducing->op, reducing->in, reducing->inout.buffer, reducing->inout.count, reducing->inout.type);
    return MPI_SUCCESS;
}

void dvm_plan_reduce(struct dvm_plan* plan, const void* in, const struct dvm_block* inout, const struct dvm_op* op) {
    struct reducing reducing = {in, *inout, op};
    if (plan->schedule == NULL)
        reduce_now(&reducing);
    else
        dvm_schedule_local(plan->schedule, reduce_now, &reducing, sizeof reducing);
}

void dvm_plan_local(struct dvm_plan* plan, dvm_action action, void* context, size_t bytes) {
    if (plan->schedule == NULL)
        note(plan, action(context));
    else
        dvm_schedule_local(plan->schedule, action, context, bytes);
}

/* ---- memory ---- */

/* Done at once: the block and the one before it. */
struct allocated {
    void* before;
    _Alignas(16) char bytes[];
};

void* dvm_plan_memory(struct dvm_plan* plan, size_t bytes) {
    if (plan->schedule != NULL) return dvm_schedule_memory(plan->schedule, bytes);
    bytes = (bytes + 15u) & ~(size_t)15u;
    if (bytes <= sizeof plan->arena - plan->used) {
        plan->used += bytes;
        return plan->arena + plan->used - bytes;
    }
    struct allocated* const block = malloc(sizeof *block + bytes);
    if (block == NULL) {
        note(plan, dvm_fail(MPI_ERR_NO_MEM, "not enough memory for %zu bytes", bytes));
        return NULL;
    }
    block->before = plan->allocated;
    plan->allocated = block;
    return block->bytes;
}

static void free_memory(struct dvm_plan* plan) {
    while (plan->allocated != NULL) {
        struct allocated* const block = plan->allocated;
        plan->allocated = block->before;
        free(block);
    }
}

struct dvm_block dvm_plan_room(struct dvm_plan* plan, const struct dvm_block* like) {
    struct dvm_block room = *like;
    const struct dvm_type* const type = like->type;
    const int64_t distance = like->count == 0 ? 0 : (like->count - 1) * type->extent;
    const int64_t low = type->true_lb + (distance < 0 ? distance : 0);
    const int64_t length = type->true_extent + (distance < 0 ? -distance : distance);
    char* const memory = dvm_plan_memory(plan, (size_t)length);
    room.buffer = memory == NULL ? NULL : memory - low;
    if (memory == NULL) room.count = 0;
    return room;
}

static void release_type(void* type) {
    dvm_type_release(type);
}

static void release_op(void* op) {
    dvm_op_release(op);
}

void dvm_plan_keep(struct dvm_plan* plan, struct dvm_type* type, struct dvm_op* op) {
    if (plan->schedule == NULL) return;
    if (type != NULL && !type->predefined) {
        dvm_type_retain(type);
        dvm_schedule_keep(plan->schedule, type, release_type);
    }
    if (op != NULL && !op->predefined) {
        dvm_op_retain(op);
        dvm_schedule_keep(plan->schedule, op, release_op);
    }
}

/* ---- arguments ---- */

static int64_t number_at(const void* numbers, bool large, int index) {
    return large ? ((const MPI_Count*)numbers)[index] : ((const int*)numbers)[index];
}

struct dvm_block dvm_block_at(const struct dvm_blocks* blocks, int index) {
    struct dvm_block block;
    block.count = blocks->counts != NULL ? number_at(blocks->counts, blocks->large_counts, index) : blocks->count;
    block.handle = blocks->types != NULL ? blocks->types[index] : blocks->type;
    block.type = dvm_type_of(block.handle);
    int64_t at = 0;
    if (blocks->displacements != NULL)
        at = number_at(blocks->displacements, blocks->large_displacements, index);
    else if (!blocks->same)
        at = index * blocks->count;
    if (blocks->types == NULL && block.type != NULL) at *= block.type->extent;
    /* SAFETY: a send's block is only read. The buffer may be MPI_BOTTOM, and displacements absolute addresses. */
    block.buffer = (void*)((uintptr_t)blocks->buffer + (uintptr_t)at);
    return block;
}

int dvm_blocks_check(const struct dvm_blocks* blocks, int count, const char* what) {
    const bool one = blocks->counts == NULL && blocks->types == NULL;
    for (int i = 0; i < (one ? 1 : count); ++i) {
        const struct dvm_block block = dvm_block_at(blocks, i);
        if (block.type == NULL)
            return dvm_fail(MPI_ERR_TYPE, "the %sdatatype for rank %d is none: null, freed, or never made", what, i);
        if (!block.type->committed)
            return dvm_fail(MPI_ERR_TYPE, "the %sdatatype for rank %d was not committed (MPI_Type_commit)", what, i);
        if (block.count < 0)
            return dvm_fail(MPI_ERR_COUNT, "the %scount for rank %d is %lld: it must not be negative", what, i,
                            (long long)block.count);
        if (blocks->buffer == MPI_IN_PLACE)
            return dvm_fail(MPI_ERR_BUFFER, "the %sbuffer is MPI_IN_PLACE, which cannot be meant here", what);
        if (blocks->buffer == NULL && block.count > 0 && block.type->contiguous && block.type->size > 0)
            return dvm_fail(MPI_ERR_BUFFER, "the %sbuffer is NULL and the count %lld", what, (long long)block.count);
    }
    return MPI_SUCCESS;
}

int dvm_root_check(const struct dvm_collective* collective) {
    const int root = collective->root;
    const bool special = collective->comm->inter && (root == MPI_ROOT || root == MPI_PROC_NULL);
    if (special || (root >= 0 && root < dvm_peers(collective->comm))) return MPI_SUCCESS;
    return dvm_fail(MPI_ERR_ROOT, "argument root is %d: the communicator has ranks 0 … %d", root,
                    dvm_peers(collective->comm) - 1);
}

/* ---- calls ---- */

static int raised(struct dvm_comm* comm, int error, const char* call) {
    return error == MPI_SUCCESS ? MPI_SUCCESS : dvm_raise(comm, error, call);
}

/* A schedule with all steps in it, or an error raised. */
static int make_schedule(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call,
                         struct dvm_schedule** schedule) {
    int error = dvm_check_comm(comm, &collective->comm, call);
    if (error != MPI_SUCCESS) return error;
    struct dvm_plan plan;
    plan.comm = collective->comm;
    plan.error = MPI_SUCCESS;
    plan.schedule = dvm_schedule_new(collective->comm);
    if (plan.schedule == NULL) return dvm_raise(collective->comm, MPI_ERR_NO_MEM, call);
    error = planner(&plan, collective);
    *schedule = plan.schedule;
    if (error == MPI_SUCCESS) return MPI_SUCCESS;
    dvm_schedule_free(plan.schedule);
    return dvm_raise(collective->comm, error, call);
}

int dvm_collective_run(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call) {
    struct dvm_schedule* schedule = NULL;
    const int error = make_schedule(collective, comm, planner, call, &schedule);
    return error != MPI_SUCCESS ? error : raised(collective->comm, dvm_schedule_run(schedule), call);
}

void dvm_plan_begin_at_once(struct dvm_plan* plan, struct dvm_comm* comm, int tag) {
    plan->comm = comm;
    plan->schedule = NULL;
    plan->tag = tag;
    plan->error = MPI_SUCCESS;
    plan->allocated = NULL;
    plan->used = 0;
    dvm_hold_dear_wakes();
}

int dvm_plan_end_at_once(struct dvm_plan* plan) {
    dvm_release_dear_wakes();
    free_memory(plan);
    return plan->error;
}

int dvm_collective_run_small(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, const char* call) {
    const int error = dvm_check_comm(comm, &collective->comm, call);
    if (error != MPI_SUCCESS) return error;
    struct dvm_plan plan;
    dvm_plan_begin_at_once(&plan, collective->comm, dvm_collective_tag(collective->comm));
    const int planned = planner(&plan, collective);
    dvm_plan_end_at_once(&plan);
    return raised(collective->comm, planned != MPI_SUCCESS ? planned : plan.error, call);
}

int dvm_collective_start(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, MPI_Request* request,
                         const char* call) {
    struct dvm_schedule* schedule = NULL;
    const int error = make_schedule(collective, comm, planner, call, &schedule);
    return error != MPI_SUCCESS ? error : raised(collective->comm, dvm_schedule_start(schedule, request), call);
}

int dvm_collective_init(struct dvm_collective* collective, MPI_Comm comm, dvm_planner planner, MPI_Request* request,
                        const char* call) {
    struct dvm_schedule* schedule = NULL;
    const int error = make_schedule(collective, comm, planner, call, &schedule);
    return error != MPI_SUCCESS ? error : raised(collective->comm, dvm_schedule_persistent(schedule, request), call);
}
