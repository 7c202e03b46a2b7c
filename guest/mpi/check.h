/* The arguments of a message, looked at before anything else is done with them. */
#ifndef DVM_CHECK_H
#define DVM_CHECK_H

#include "datatype.h"
#include "engine.h"

struct dvm_message_arguments {
    const void* buffer;
    MPI_Count count;
    MPI_Datatype datatype;
    int rank;
    int tag;
    MPI_Comm comm;
};

/* What its handles stand for. */
struct dvm_message_objects {
    struct dvm_comm* comm;
    struct dvm_type* type;
};

/* Raises what is wrong; yields the error class. */
int dvm_refuse_message(const struct dvm_message_arguments* message, bool receives, const char* call);

/* MPI_SUCCESS and its objects, or an error that was raised. Everything that is right costs a few comparisons. */
static inline int dvm_check_message(const struct dvm_message_arguments* message, bool receives, const char* call,
                                    struct dvm_message_objects* objects) {
    struct dvm_comm* const comm = dvm_comm_of(message->comm);
    struct dvm_type* const type = dvm_type_of(message->datatype);
    *objects = (struct dvm_message_objects){comm, type};
    engine.call = call;
    if (__builtin_expect(
            comm == NULL || message->count < 0 || message->rank >= comm->remote->size || message->tag > DVM_TAG_MAX ||
                message->tag < (receives ? MPI_ANY_TAG : 0) || (message->tag < 0 && message->tag != MPI_ANY_TAG) ||
                (message->rank < 0 && message->rank != MPI_PROC_NULL && !(receives && message->rank == MPI_ANY_SOURCE)),
            0))
        return dvm_refuse_message(message, receives, call);
    /* Neither NULL nor MPI_IN_PLACE. */
    const bool buffer = (uintptr_t)message->buffer > (uintptr_t)MPI_IN_PLACE;
    if (__builtin_expect(
            type == NULL || !type->committed || (!buffer && message->count != 0 && type->size != 0 && type->contiguous),
            0))
        return dvm_refuse_message(message, receives, call);
    return MPI_SUCCESS;
}

#endif
