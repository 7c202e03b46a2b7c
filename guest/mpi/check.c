#include "check.h"

static int refuse_rank(struct dvm_comm* comm, int rank, bool receives, const char* call) {
    return dvm_error(comm, MPI_ERR_RANK, call, "%s %d, the communicator has %d ranks",
                     receives ? "source" : "destination", rank, dvm_peers(comm));
}

int dvm_refuse_message(const struct dvm_message_arguments* message, bool receives, const char* call) {
    struct dvm_comm* comm = NULL;
    const int error = dvm_check_comm(message->comm, &comm, call);
    if (error != MPI_SUCCESS) return error;
    const struct dvm_type* const type = dvm_type_of(message->datatype);
    const int rank = message->rank;
    if (message->count < 0)
        return dvm_error(comm, MPI_ERR_COUNT, call, "count %lld is negative", (long long)message->count);
    if (rank >= dvm_peers(comm) || (rank < 0 && rank != MPI_PROC_NULL && !(receives && rank == MPI_ANY_SOURCE)))
        return refuse_rank(comm, rank, receives, call);
    if (message->tag > DVM_TAG_MAX || (message->tag < 0 && !(receives && message->tag == MPI_ANY_TAG)))
        return dvm_error(comm, MPI_ERR_TAG, call, "tag %d is not between 0 and %d", message->tag, DVM_TAG_MAX);
    if (type == NULL) return dvm_error(comm, MPI_ERR_TYPE, call, "the datatype is none (null or freed)");
    if (!type->committed)
        return dvm_error(comm, MPI_ERR_TYPE, call, "the datatype was not committed (MPI_Type_commit)");
    return dvm_error(comm, MPI_ERR_BUFFER, call, "the buffer is %s and the count %lld",
                     message->buffer == NULL ? "NULL" : "MPI_IN_PLACE", (long long)message->count);
}
