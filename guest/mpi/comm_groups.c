/* Communicators out of groups alone: no communicator is named, but a tag in words keeps those apart that are made at
 * the same time. The world carries what has to be agreed. */
#include "engine.h"

/* FNV-1a, into the tags of partial operations. */
static int tag_of(const char* words) {
    uint32_t hash = 2166136261u;
    for (; words != NULL && *words != '\0'; ++words) hash = (hash ^ (unsigned char)*words) * 16777619u;
    return (int)(hash & (uint32_t)(DVM_PARTIAL_TAG - 1));
}

/* Info is of no consequence here. */
static int create(MPI_Group group, const char* words, MPI_Errhandler errhandler, MPI_Comm* made) {
    const int error = PMPI_Comm_create_group(MPI_COMM_WORLD, group, tag_of(words), made);
    if (error == MPI_SUCCESS && *made != MPI_COMM_NULL && errhandler != MPI_ERRHANDLER_NULL)
        PMPI_Comm_set_errhandler(*made, errhandler);
    return error;
}

int PMPI_Comm_create_from_group(MPI_Group group, const char* stringtag, MPI_Info info, MPI_Errhandler errhandler,
                                MPI_Comm* newcomm) {
    (void)info;
    dvm_check_running(DVM_CALL);
    return create(group, stringtag, errhandler, newcomm);
}
DVM_ALIAS(Comm_create_from_group);

int PMPI_Intercomm_create_from_groups(MPI_Group local_group, int local_leader, MPI_Group remote_group,
                                      int remote_leader, const char* stringtag, MPI_Info info,
                                      MPI_Errhandler errhandler, MPI_Comm* newintercomm) {
    MPI_Comm local = MPI_COMM_NULL;
    (void)info;
    dvm_check_running(DVM_CALL);
    const struct dvm_group* const remote = dvm_group_of(remote_group);
    if (remote == NULL) return dvm_error(NULL, MPI_ERR_GROUP, DVM_CALL, "the remote group is none");
    if (remote_leader < 0 || remote_leader >= remote->size)
        return dvm_error(NULL, MPI_ERR_RANK, DVM_CALL, "remote leader %d of %d ranks", remote_leader, remote->size);
    int error = create(local_group, stringtag, errhandler, &local);
    if (error != MPI_SUCCESS || local == MPI_COMM_NULL) return error;
    error = PMPI_Intercomm_create(local, local_leader, MPI_COMM_WORLD, (int)remote->world[remote_leader],
                                  tag_of(stringtag), newintercomm);
    PMPI_Comm_free(&local);
    return error;
}
DVM_ALIAS(Intercomm_create_from_groups);
