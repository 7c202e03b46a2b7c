/* Communicators out of groups alone: no communicator is named, but a tag in words keeps those apart that are made at
 * the same time. The world carries what has to be agreed. */
#include "engine.h"

/* FNV-1a, into the tags of partial operations. */
static int tag_of(const char* words) {
    uint32_t hash = 2166136261u;
    for (; words != NULL && *words != '\0'; ++words) hash = (hash ^ (unsigned char)*words) * 16777619u;
    return (int)(hash & (uint32_t)(DVM_PARTIAL_TAG - 1));
}

/* Whom errors are told that meet while there is no communicator yet. */
static int raise_to(MPI_Errhandler errhandler, int error, const char* call) {
    struct dvm_errhandler* const handler = dvm_errhandler_of(errhandler);
    return handler == NULL ? dvm_raise(NULL, error, call) : dvm_raise_with(handler, MPI_COMM_NULL, error, call);
}

/* Info is of no consequence here. */
static int create(MPI_Group group, const char* words, MPI_Errhandler errhandler, struct dvm_comm** made) {
    struct dvm_errhandler* const handler = dvm_errhandler_of(errhandler);
    const int error = dvm_comm_of_group(dvm.world, group, tag_of(words), made);
    if (error != MPI_SUCCESS || *made == NULL || handler == NULL) return error;
    dvm_errhandler_replace(&(*made)->errhandler, handler);
    return MPI_SUCCESS;
}

int PMPI_Comm_create_from_group(MPI_Group group, const char* stringtag, MPI_Info info, MPI_Errhandler errhandler,
                                MPI_Comm* newcomm) {
    struct dvm_comm* made = NULL;
    (void)info;
    dvm_check_running(DVM_CALL);
    const int error = create(group, stringtag, errhandler, &made);
    if (error != MPI_SUCCESS) return raise_to(errhandler, error, DVM_CALL);
    *newcomm = dvm_comm_handle(made);
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_create_from_group);

static int create_between(MPI_Group local_group, int local_leader, const struct dvm_group* remote, int remote_leader,
                          const char* words, MPI_Errhandler errhandler, struct dvm_comm** made) {
    struct dvm_comm* local = NULL;
    if (remote == NULL) return dvm_fail(MPI_ERR_GROUP, "the remote group is none");
    if (remote_leader < 0 || remote_leader >= remote->size)
        return dvm_fail(MPI_ERR_RANK, "remote leader %d of %d ranks", remote_leader, remote->size);
    int error = create(local_group, words, errhandler, &local);
    if (error != MPI_SUCCESS || local == NULL) return error;
    if (local_leader < 0 || local_leader >= local->size)
        error = dvm_fail(MPI_ERR_RANK, "local leader %d of %d ranks", local_leader, local->size);
    else
        error =
            dvm_comm_between(local, local_leader, dvm.world, (int)remote->world[remote_leader], tag_of(words), made);
    dvm_comm_release(local);
    return error;
}

int PMPI_Intercomm_create_from_groups(MPI_Group local_group, int local_leader, MPI_Group remote_group,
                                      int remote_leader, const char* stringtag, MPI_Info info,
                                      MPI_Errhandler errhandler, MPI_Comm* newintercomm) {
    struct dvm_comm* made = NULL;
    (void)info;
    dvm_check_running(DVM_CALL);
    const int error = create_between(local_group, local_leader, dvm_group_of(remote_group), remote_leader, stringtag,
                                     errhandler, &made);
    if (error != MPI_SUCCESS) return raise_to(errhandler, error, DVM_CALL);
    *newintercomm = dvm_comm_handle(made);
    return MPI_SUCCESS;
}
DVM_ALIAS(Intercomm_create_from_groups);
