/* Communicators as objects, and what is asked of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attribute.h"
#include "engine.h"
#include "info.h"

struct dvm_comm* dvm_comm_of(MPI_Comm comm) {
    if (comm == MPI_COMM_WORLD) return dvm.world;
    if (comm == MPI_COMM_SELF) return dvm.self;
    return dvm_is(comm, DVM_COMM) ? (struct dvm_comm*)comm : NULL;
}

MPI_Comm dvm_comm_handle(struct dvm_comm* comm) {
    if (comm == NULL) return MPI_COMM_NULL;
    if (comm == dvm.world) return MPI_COMM_WORLD;
    return comm == dvm.self ? MPI_COMM_SELF : (MPI_Comm)comm;
}

struct dvm_comm* dvm_comm_new(uint32_t context, struct dvm_group* local, struct dvm_group* remote,
                              const struct dvm_comm* parent) {
    struct dvm_comm* const comm = dvm_new(DVM_COMM, sizeof *comm);
    if (comm == NULL || local == NULL) {
        if (comm != NULL) dvm_delete(comm);
        return NULL;
    }
    comm->context = context;
    comm->local = local;
    comm->remote = remote == NULL ? local : remote;
    comm->inter = remote != NULL;
    comm->rank = local->rank;
    comm->size = local->size;
    comm->last_root = MPI_PROC_NULL;
    dvm_retain(local);
    dvm_retain(comm->remote);
    comm->session = local->session != NULL || parent == NULL ? local->session : parent->session;
    if (comm->session != NULL) local->session = comm->session;
    comm->errhandler = parent == NULL ? dvm_errhandler_of(MPI_ERRORS_ARE_FATAL) : parent->errhandler;
    dvm_errhandler_retain(comm->errhandler);
    return comm;
}

void dvm_comm_release(struct dvm_comm* comm) {
    if (!dvm_release(comm)) return;
    dvm_forget_pool(comm);
    if (comm->topology != NULL) dvm_topology_free(comm->topology);
    if (comm->within != NULL) dvm_comm_release(comm->within);
    if (comm->info != NULL) dvm_info_free(comm->info);
    free(comm->crowds);
    dvm_group_release(comm->local);
    dvm_group_release(comm->remote);
    dvm_errhandler_release(comm->errhandler);
    dvm_delete(comm);
}

/* ---- questions ---- */

static int no_comm(const char* call) {
    struct dvm_comm* none = NULL;
    return dvm_check_comm(MPI_COMM_NULL, &none, call);
}

int PMPI_Comm_size(MPI_Comm comm, int* size) {
    const struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    *size = object->size;
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_size);

int PMPI_Comm_rank(MPI_Comm comm, int* rank) {
    const struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    *rank = object->rank;
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_rank);

int PMPI_Comm_test_inter(MPI_Comm comm, int* flag) {
    const struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    *flag = object->inter;
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_test_inter);

int PMPI_Comm_remote_size(MPI_Comm comm, int* size) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    if (!object->inter) return dvm_error(object, MPI_ERR_COMM, DVM_CALL, "this is no intercommunicator");
    *size = object->remote->size;
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_remote_size);

static int give_group(struct dvm_group* group, MPI_Group* handle) {
    dvm_retain(group);
    *handle = dvm_group_handle(group);
    return MPI_SUCCESS;
}

int PMPI_Comm_group(MPI_Comm comm, MPI_Group* group) {
    const struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    return give_group(object->local, group);
}
DVM_ALIAS(Comm_group);

int PMPI_Comm_remote_group(MPI_Comm comm, MPI_Group* group) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    if (!object->inter) return dvm_error(object, MPI_ERR_COMM, DVM_CALL, "this is no intercommunicator");
    return give_group(object->remote, group);
}
DVM_ALIAS(Comm_remote_group);

int PMPI_Comm_compare(MPI_Comm comm1, MPI_Comm comm2, int* result) {
    const struct dvm_comm* const a = dvm_comm_of(comm1);
    const struct dvm_comm* const b = dvm_comm_of(comm2);
    if (a == NULL || b == NULL) return no_comm(DVM_CALL);
    int groups = dvm_group_compare(a->local, b->local);
    const int remote = dvm_group_compare(a->remote, b->remote);
    if (a->inter != b->inter || remote == MPI_UNEQUAL) groups = MPI_UNEQUAL;
    if (groups == MPI_IDENT && remote == MPI_SIMILAR) groups = MPI_SIMILAR;
    if (a == b)
        *result = MPI_IDENT;
    else
        *result = groups == MPI_IDENT ? MPI_CONGRUENT : groups;
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_compare);

/* ---- names, information ---- */

int PMPI_Comm_set_name(MPI_Comm comm, const char* comm_name) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    if (comm_name == NULL) return dvm_error(object, MPI_ERR_ARG, DVM_CALL, "the name is NULL");
    snprintf(object->name, sizeof object->name, "%s", comm_name);
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_set_name);

int PMPI_Comm_get_name(MPI_Comm comm, char* comm_name, int* resultlen) {
    const struct dvm_comm* const object = dvm_comm_of(comm);
    /* A null communicator has a name, too. */
    const char* const name = comm == MPI_COMM_NULL ? "MPI_COMM_NULL" : object == NULL ? NULL : object->name;
    if (name == NULL) return no_comm(DVM_CALL);
    *resultlen = snprintf(comm_name, MPI_MAX_OBJECT_NAME, "%s", name);
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_get_name);

int PMPI_Comm_set_info(MPI_Comm comm, MPI_Info info) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    struct dvm_info* const hints = dvm_info_of(info);
    if (hints == NULL) return dvm_error(object, MPI_ERR_INFO, DVM_CALL, "the info object is none");
    struct dvm_info* const copy = dvm_info_copy(hints);
    if (copy == NULL) return dvm_error(object, MPI_ERR_NO_MEM, DVM_CALL, "not enough memory for an info object");
    if (object->info != NULL) dvm_info_free(object->info);
    object->info = copy;
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_set_info);

int PMPI_Comm_get_info(MPI_Comm comm, MPI_Info* info_used) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return no_comm(DVM_CALL);
    struct dvm_info* const copy = object->info == NULL ? dvm_info_new() : dvm_info_copy(object->info);
    if (copy == NULL) return dvm_error(object, MPI_ERR_NO_MEM, DVM_CALL, "not enough memory for an info object");
    *info_used = dvm_info_handle(copy);
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_get_info);

/* ---- the end ---- */

static int free_comm(MPI_Comm* comm, const char* call) {
    struct dvm_comm* const object = dvm_comm_of(*comm);
    if (object == NULL) return no_comm(call);
    if (object == dvm.world || object == dvm.self)
        return dvm_error(object, MPI_ERR_COMM, call, "a predefined communicator cannot be freed");
    const int error = dvm_attributes_delete(&object->attributes, *comm);
    if (error != MPI_SUCCESS) return dvm_raise(object, error, call);
    dvm_comm_release(object);
    *comm = MPI_COMM_NULL;
    return MPI_SUCCESS;
}

int PMPI_Comm_free(MPI_Comm* comm) {
    return free_comm(comm, DVM_CALL);
}
DVM_ALIAS(Comm_free);

/* Waits for all that is under way on it. */
int PMPI_Comm_disconnect(MPI_Comm* comm) {
    struct dvm_comm* const object = dvm_comm_of(*comm);
    if (object == NULL) return no_comm(DVM_CALL);
    const struct dvm_waited waited = {.comm = object};
    engine.call = DVM_CALL;
    /* Whatever is under way holds a reference. */
    while (object->object.references > 1)
        if (!dvm_progress() && object->object.references > 1) dvm_idle(&waited);
    return free_comm(comm, DVM_CALL);
}
DVM_ALIAS(Comm_disconnect);

int PMPI_Comm_get_parent(MPI_Comm* parent) {
    *parent = MPI_COMM_NULL;
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_get_parent);
