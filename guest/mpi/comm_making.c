/* Communicators out of communicators. */
#include <stdlib.h>

#include "attribute.h"
#include "engine.h"
#include "info.h"

int dvm_check_comm(MPI_Comm comm, struct dvm_comm** object, const char* call) {
    *object = dvm_comm_of(comm);
    engine.call = call;
    if (*object != NULL) return MPI_SUCCESS;
    dvm_check_running(call);
    return dvm_error(NULL, MPI_ERR_COMM, call, "the communicator is none (null or freed)");
}

static int no_memory(void) {
    return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a communicator");
}

/* An intercommunicator's collectives need its local group as an intracommunicator. */
int dvm_comm_add_within(struct dvm_comm* comm, struct dvm_comm* leading) {
    uint32_t context = 0;
    const int error = dvm_agree_context(leading, &context);
    if (error != MPI_SUCCESS) return error;
    comm->within = dvm_comm_new(context, comm->local, NULL, comm);
    return comm->within == NULL ? no_memory() : MPI_SUCCESS;
}

/* ---- duplicates ---- */

/* All but the context, which is not agreed on yet. */
static int duplicate_parts(struct dvm_comm* from, uint32_t context, struct dvm_comm** made) {
    *made = dvm_comm_new(context, from->local, from->inter ? from->remote : NULL, from);
    if (*made == NULL) return no_memory();
    int error = MPI_SUCCESS;
    if (from->info != NULL && ((*made)->info = dvm_info_copy(from->info)) == NULL) error = no_memory();
    if (error == MPI_SUCCESS && from->topology != NULL) error = dvm_topology_copy(from->topology, &(*made)->topology);
    if (error == MPI_SUCCESS && from->inter) {
        (*made)->within = dvm_comm_new(context, from->local, NULL, from);
        if ((*made)->within == NULL) error = no_memory();
    }
    if (error == MPI_SUCCESS)
        error = dvm_attributes_copy(from->attributes, &(*made)->attributes, dvm_comm_handle(from));
    if (error != MPI_SUCCESS) dvm_comm_release(*made);
    return error;
}

/* The contexts of one that was duplicated, and of what is within. */
static void set_contexts(struct dvm_comm* comm, const uint32_t contexts[2]) {
    comm->context = contexts[0];
    if (comm->inter) comm->within->context = contexts[1];
}

static int duplicate(struct dvm_comm* from, struct dvm_comm** made) {
    uint32_t contexts[2] = {0, 0};
    int error = dvm_agree_context(from, &contexts[0]);
    if (error == MPI_SUCCESS && from->inter) error = dvm_agree_context(from->within, &contexts[1]);
    if (error == MPI_SUCCESS) error = duplicate_parts(from, contexts[0], made);
    if (error == MPI_SUCCESS) set_contexts(*made, contexts);
    return error;
}

static int dup_call(MPI_Comm comm, MPI_Info info, MPI_Comm* newcomm, const char* call) {
    struct dvm_comm* object = NULL;
    struct dvm_comm* made = NULL;
    int error = dvm_check_comm(comm, &object, call);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_info* const hints = dvm_info_of(info);
    if (info != MPI_INFO_NULL && hints == NULL) return dvm_error(object, MPI_ERR_INFO, call, "the info object is none");
    error = duplicate(object, &made);
    *newcomm = error == MPI_SUCCESS ? dvm_comm_handle(made) : MPI_COMM_NULL;
    if (error != MPI_SUCCESS) return dvm_raise(object, error, call);
    if (hints != NULL) {
        if (made->info != NULL) dvm_info_free(made->info);
        made->info = dvm_info_copy(hints);
    }
    return MPI_SUCCESS;
}

int PMPI_Comm_dup(MPI_Comm comm, MPI_Comm* newcomm) {
    return dup_call(comm, MPI_INFO_NULL, newcomm, DVM_CALL);
}
DVM_ALIAS(Comm_dup);

int PMPI_Comm_dup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm* newcomm) {
    return dup_call(comm, info, newcomm, DVM_CALL);
}
DVM_ALIAS(Comm_dup_with_info);

/* ---- without waiting ---- */

struct arrival {
    struct dvm_comm* made;
    uint32_t* contexts;
};

static int take_contexts(void* context) {
    const struct arrival* const arrival = context;
    set_contexts(arrival->made, arrival->contexts);
    return arrival->contexts[0] == 0 ? dvm_fail(MPI_ERR_NO_MEM, "too many communicators") : MPI_SUCCESS;
}

static void release_comm(void* comm) {
    dvm_comm_release(comm);
}

/* Rank 0 tells the others, which wait for it. */
static void schedule_telling(struct dvm_schedule* schedule, struct dvm_comm* comm, uint32_t* contexts, int count) {
    if (comm->rank != 0) {
        dvm_schedule_receive(schedule, comm, 0, contexts, count, dvm_predefined(MPI_UINT32_T));
    } else {
        for (int rank = 1; rank < comm->size; ++rank)
            dvm_schedule_send(schedule, comm, rank, contexts, count, dvm_predefined(MPI_UINT32_T));
    }
    dvm_schedule_phase(schedule);
}

static int duplicate_later(struct dvm_comm* from, struct dvm_comm** made, MPI_Request* request) {
    int error = duplicate_parts(from, 0, made);
    if (error != MPI_SUCCESS) return error;
    struct dvm_schedule* const schedule = dvm_schedule_new(from);
    uint32_t* const contexts = schedule == NULL ? NULL : dvm_schedule_memory(schedule, 2 * sizeof *contexts);
    if (contexts == NULL) {
        if (schedule != NULL) dvm_schedule_free(schedule);
        dvm_comm_release(*made);
        return no_memory();
    }
    struct dvm_comm* const local = from->inter ? from->within : from;
    const bool picks = !from->inter || from->local->world[0] < from->remote->world[0];
    contexts[0] = local->rank == 0 && picks ? dvm_new_context() : 0;
    contexts[1] = local->rank == 0 && from->inter ? dvm_new_context() : 0;
    if (from->inter && local->rank == 0) {
        if (picks)
            dvm_schedule_send(schedule, from, 0, contexts, 1, dvm_predefined(MPI_UINT32_T));
        else
            dvm_schedule_receive(schedule, from, 0, contexts, 1, dvm_predefined(MPI_UINT32_T));
    }
    dvm_schedule_phase(schedule);
    schedule_telling(schedule, local, contexts, 2);
    const struct arrival arrival = {*made, contexts};
    dvm_schedule_local(schedule, take_contexts, &arrival, sizeof arrival);
    dvm_retain(*made);
    dvm_schedule_keep(schedule, *made, release_comm);
    error = dvm_schedule_start(schedule, request);
    if (error != MPI_SUCCESS) dvm_comm_release(*made);
    return error;
}

static int idup_call(MPI_Comm comm, MPI_Info info, MPI_Comm* newcomm, MPI_Request* request, const char* call) {
    struct dvm_comm* object = NULL;
    struct dvm_comm* made = NULL;
    int error = dvm_check_comm(comm, &object, call);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_info* const hints = dvm_info_of(info);
    error = duplicate_later(object, &made, request);
    if (error != MPI_SUCCESS) return dvm_raise(object, error, call);
    if (hints != NULL) {
        if (made->info != NULL) dvm_info_free(made->info);
        made->info = dvm_info_copy(hints);
    }
    *newcomm = dvm_comm_handle(made);
    return MPI_SUCCESS;
}

int PMPI_Comm_idup(MPI_Comm comm, MPI_Comm* newcomm, MPI_Request* request) {
    return idup_call(comm, MPI_INFO_NULL, newcomm, request, DVM_CALL);
}
DVM_ALIAS(Comm_idup);

int PMPI_Comm_idup_with_info(MPI_Comm comm, MPI_Info info, MPI_Comm* newcomm, MPI_Request* request) {
    return idup_call(comm, info, newcomm, request, DVM_CALL);
}
DVM_ALIAS(Comm_idup_with_info);

/* ---- out of groups ---- */

int dvm_comm_reordered(struct dvm_comm* comm, int size, const uint32_t* world, struct dvm_comm** created) {
    uint32_t context = 0;
    *created = NULL;
    int error = dvm_agree_context(comm, &context);
    if (error != MPI_SUCCESS) return error;
    struct dvm_group* const group = dvm_group_new(size, world);
    if (group == NULL) return no_memory();
    if (group->rank != MPI_UNDEFINED) {
        *created = dvm_comm_new(context, group, NULL, comm);
        if (*created == NULL) error = no_memory();
    }
    dvm_group_release(group);
    return error;
}

static int check_remote_size(const struct dvm_comm* comm, int count) {
    if (count >= 0 && count <= comm->remote->size) return MPI_SUCCESS;
    return dvm_fail(MPI_ERR_GROUP, "the other side's group has %d ranks", count);
}

/* The leaders tell each other, and each its group, who is in the new one. `remote` NULL: nobody. */
static int swap_groups(struct dvm_comm* comm, const struct dvm_group* mine, struct dvm_group** remote) {
    const int tag = dvm_collective_tag(comm);
    int count = 0;
    uint32_t* const world = malloc((size_t)comm->remote->size * sizeof *world);
    if (world == NULL) return no_memory();
    int error = MPI_SUCCESS;
    if (comm->within->rank == 0) {
        error = dvm_swap_bytes(comm, 0, tag, &mine->size, sizeof mine->size, &count, sizeof count);
        if (error == MPI_SUCCESS) error = check_remote_size(comm, count);
        if (error == MPI_SUCCESS)
            error = dvm_swap_bytes(comm, 0, tag, mine->world, (size_t)mine->size * sizeof *world, world,
                                   (size_t)count * sizeof *world);
    }
    if (error == MPI_SUCCESS)
        error = dvm_spread_bytes(comm->within, 0, dvm_collective_tag(comm->within), &count, sizeof count);
    if (error == MPI_SUCCESS) error = check_remote_size(comm, count);
    if (error == MPI_SUCCESS)
        error =
            dvm_spread_bytes(comm->within, 0, dvm_collective_tag(comm->within), world, (size_t)count * sizeof *world);
    for (int i = 0; i < count && error == MPI_SUCCESS; ++i)
        if (world[i] >= dvm.size) error = dvm_fail(MPI_ERR_GROUP, "the other side's group has a rank that is none");
    if (error == MPI_SUCCESS && (*remote = dvm_group_new(count, world)) == NULL) error = no_memory();
    free(world);
    return error;
}

/* An intercommunicator out of one: all take part, those who are in it get it. */
static int create_inter(struct dvm_comm* comm, struct dvm_group* group, struct dvm_comm** made) {
    struct dvm_group* remote = NULL;
    uint32_t context = 0;
    uint32_t within = 0;
    int error = swap_groups(comm, group, &remote);
    if (error != MPI_SUCCESS) return error;
    error = dvm_agree_context(comm, &context);
    if (error == MPI_SUCCESS) error = dvm_agree_context(comm->within, &within);
    if (error == MPI_SUCCESS && group->rank != MPI_UNDEFINED && remote->size != 0) {
        *made = dvm_comm_new(context, group, remote, comm);
        if (*made != NULL) (*made)->within = dvm_comm_new(within, group, NULL, comm);
        if (*made == NULL || (*made)->within == NULL) error = no_memory();
    }
    dvm_group_release(remote);
    return error;
}

int PMPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm* newcomm) {
    struct dvm_comm* object = NULL;
    struct dvm_comm* made = NULL;
    int error = dvm_check_comm(comm, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    struct dvm_group* const members = dvm_group_of(group);
    if (members == NULL) return dvm_error(object, MPI_ERR_GROUP, DVM_CALL, "the group is none");
    for (int rank = 0; rank < members->size; ++rank)
        if (dvm_group_rank(object->local, members->world[rank]) == MPI_UNDEFINED)
            return dvm_error(object, MPI_ERR_GROUP, DVM_CALL, "rank %d of the group is not in the communicator", rank);
    error = object->inter ? create_inter(object, members, &made)
                          : dvm_comm_reordered(object, members->size, members->world, &made);
    if (error != MPI_SUCCESS) return dvm_raise(object, error, DVM_CALL);
    *newcomm = dvm_comm_handle(made);
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_create);

/* Only the group takes part: its rank 0 tells the others. */
static int agree_in_group(struct dvm_comm* comm, const struct dvm_group* group, int tag, uint32_t* context) {
    const int partial = DVM_PARTIAL_TAG | (tag & (DVM_PARTIAL_TAG - 1));
    if (group->rank != 0) {
        const int leader = dvm_group_rank(comm->local, group->world[0]);
        return dvm_recv(comm, DVM_COLLECTIVE, leader, partial, context, 1, dvm_predefined(MPI_UINT32_T), NULL);
    }
    *context = dvm_new_context();
    int error = MPI_SUCCESS;
    for (int rank = 1; rank < group->size && error == MPI_SUCCESS; ++rank)
        error = dvm_send(comm, DVM_COLLECTIVE, dvm_group_rank(comm->local, group->world[rank]), partial, context, 1,
                         dvm_predefined(MPI_UINT32_T));
    return error;
}

int dvm_comm_of_group(struct dvm_comm* comm, MPI_Group group, int tag, struct dvm_comm** made) {
    uint32_t context = 0;
    struct dvm_group* const members = dvm_group_of(group);
    *made = NULL;
    if (members == NULL) return dvm_fail(MPI_ERR_GROUP, "the group is none");
    if (members->rank == MPI_UNDEFINED) return MPI_SUCCESS;
    for (int rank = 0; rank < members->size; ++rank)
        if (dvm_group_rank(comm->local, members->world[rank]) == MPI_UNDEFINED)
            return dvm_fail(MPI_ERR_GROUP, "rank %d of the group is not in the communicator", rank);
    const int error = agree_in_group(comm, members, tag, &context);
    if (error != MPI_SUCCESS) return error;
    if (context == 0) return dvm_fail(MPI_ERR_NO_MEM, "too many communicators");
    *made = dvm_comm_new(context, members, NULL, comm);
    return *made == NULL ? no_memory() : MPI_SUCCESS;
}

int PMPI_Comm_create_group(MPI_Comm comm, MPI_Group group, int tag, MPI_Comm* newcomm) {
    struct dvm_comm* object = NULL;
    struct dvm_comm* made = NULL;
    int error = dvm_check_comm(comm, &object, DVM_CALL);
    if (error != MPI_SUCCESS) return error;
    if (object->inter) return dvm_error(object, MPI_ERR_COMM, DVM_CALL, "this is an intercommunicator");
    if (tag < 0 || tag > DVM_TAG_MAX) return dvm_error(object, MPI_ERR_TAG, DVM_CALL, "tag %d", tag);
    error = dvm_comm_of_group(object, group, tag, &made);
    if (error != MPI_SUCCESS) return dvm_raise(object, error, DVM_CALL);
    *newcomm = dvm_comm_handle(made);
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_create_group);
