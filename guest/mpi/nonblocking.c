/* The calls that begin to send or receive, now or (persistent ones) whenever MPI_Start says so. */
#include <stdlib.h>

#include "check.h"

enum life { ONCE, PERSISTENT };

static int give(struct dvm_request* request, enum life life, MPI_Request* handle, struct dvm_comm* comm,
                const char* call) {
    if (request == NULL) return dvm_error(comm, MPI_ERR_NO_MEM, call, "not enough memory for a request");
    request->persistent = life == PERSISTENT;
    *handle = dvm_request_handle(request);
    if (life == ONCE) dvm_start(request);
    return MPI_SUCCESS;
}

static int begin_send(const struct dvm_message_arguments* message, enum dvm_send_mode mode, enum life life,
                      MPI_Request* handle, const char* call) {
    struct dvm_message_objects of;
    const int wrong = dvm_check_message(message, false, call, &of);
    if (wrong != MPI_SUCCESS) return wrong;
    struct dvm_request* const request = dvm_new_send(of.comm, DVM_POINT_TO_POINT, message->rank, message->tag,
                                                     message->buffer, message->count, of.type);
    if (request != NULL) request->mode = (uint8_t)mode;
    return give(request, life, handle, of.comm, call);
}

static int begin_receive(const struct dvm_message_arguments* message, void* buffer, enum life life, MPI_Request* handle,
                         const char* call) {
    struct dvm_message_objects of;
    const int wrong = dvm_check_message(message, true, call, &of);
    if (wrong != MPI_SUCCESS) return wrong;
    struct dvm_request* const request =
        dvm_new_receive(of.comm, DVM_POINT_TO_POINT, message->rank, message->tag, buffer, message->count, of.type);
    return give(request, life, handle, of.comm, call);
}

/* Sends differ in their mode and life, and in the type of the count. */
#define DEFINE_SEND(name, count_type, mode, life)                                                               \
    int PMPI_##name(const void* buf, count_type count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm, \
                    MPI_Request* request) {                                                                     \
        const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};                   \
        return begin_send(&message, mode, life, request, DVM_CALL);                                             \
    }                                                                                                           \
    DVM_ALIAS(name)

DEFINE_SEND(Isend, int, DVM_STANDARD, ONCE);
DEFINE_SEND(Isend_c, MPI_Count, DVM_STANDARD, ONCE);
DEFINE_SEND(Issend, int, DVM_SYNCHRONOUS, ONCE);
DEFINE_SEND(Issend_c, MPI_Count, DVM_SYNCHRONOUS, ONCE);
DEFINE_SEND(Irsend, int, DVM_READY, ONCE);
DEFINE_SEND(Irsend_c, MPI_Count, DVM_READY, ONCE);
DEFINE_SEND(Ibsend, int, DVM_BUFFERED, ONCE);
DEFINE_SEND(Ibsend_c, MPI_Count, DVM_BUFFERED, ONCE);
DEFINE_SEND(Send_init, int, DVM_STANDARD, PERSISTENT);
DEFINE_SEND(Send_init_c, MPI_Count, DVM_STANDARD, PERSISTENT);
DEFINE_SEND(Ssend_init, int, DVM_SYNCHRONOUS, PERSISTENT);
DEFINE_SEND(Ssend_init_c, MPI_Count, DVM_SYNCHRONOUS, PERSISTENT);
DEFINE_SEND(Rsend_init, int, DVM_READY, PERSISTENT);
DEFINE_SEND(Rsend_init_c, MPI_Count, DVM_READY, PERSISTENT);
DEFINE_SEND(Bsend_init, int, DVM_BUFFERED, PERSISTENT);
DEFINE_SEND(Bsend_init_c, MPI_Count, DVM_BUFFERED, PERSISTENT);

#define DEFINE_RECEIVE(name, count_type, life)                                                              \
    int PMPI_##name(void* buf, count_type count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm, \
                    MPI_Request* request) {                                                                 \
        const struct dvm_message_arguments message = {buf, count, datatype, source, tag, comm};             \
        return begin_receive(&message, buf, life, request, DVM_CALL);                                       \
    }                                                                                                       \
    DVM_ALIAS(name)

DEFINE_RECEIVE(Irecv, int, ONCE);
DEFINE_RECEIVE(Irecv_c, MPI_Count, ONCE);
DEFINE_RECEIVE(Recv_init, int, PERSISTENT);
DEFINE_RECEIVE(Recv_init_c, MPI_Count, PERSISTENT);

static int blocking_buffered(const struct dvm_message_arguments* message, const char* call) {
    MPI_Request request = MPI_REQUEST_NULL;
    const int error = begin_send(message, DVM_BUFFERED, ONCE, &request, call);
    if (error != MPI_SUCCESS) return error;
    const int sent = dvm_wait(dvm_request_of(request), NULL);
    return sent == MPI_SUCCESS ? sent : dvm_raise(dvm_comm_of(message->comm), sent, call);
}

int PMPI_Bsend(const void* buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};
    return blocking_buffered(&message, DVM_CALL);
}
DVM_ALIAS(Bsend);

int PMPI_Bsend_c(const void* buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};
    return blocking_buffered(&message, DVM_CALL);
}
DVM_ALIAS(Bsend_c);

/* ---- starting ---- */

static int start_one(MPI_Request handle, const char* call) {
    struct dvm_request* const request = dvm_request_of(handle);
    if (request == NULL) return dvm_error(NULL, MPI_ERR_REQUEST, call, "the request is none");
    if (!request->persistent) return dvm_error(request->comm, MPI_ERR_REQUEST, call, "the request is not persistent");
    if (request->stage != DVM_IDLE)
        return dvm_error(request->comm, MPI_ERR_REQUEST, call, "the request is active already");
    dvm_start(request);
    return MPI_SUCCESS;
}

int PMPI_Start(MPI_Request* request) {
    return start_one(*request, DVM_CALL);
}
DVM_ALIAS(Start);

int PMPI_Startall(int count, MPI_Request array_of_requests[]) {
    if (count < 0) return dvm_error(NULL, MPI_ERR_COUNT, DVM_CALL, "count %d is negative", count);
    for (int i = 0; i < count; ++i) {
        const int error = start_one(array_of_requests[i], DVM_CALL);
        if (error != MPI_SUCCESS) return error;
    }
    return MPI_SUCCESS;
}
DVM_ALIAS(Startall);

/* ---- both at once: the receive is the user's request, and the send its companion ---- */

static int begin_exchange(const struct dvm_message_arguments* out, const struct dvm_message_arguments* in, void* buffer,
                          void* packed, MPI_Request* request, const char* call) {
    struct dvm_message_objects of;
    int wrong = dvm_check_message(out, false, call, &of);
    if (wrong == MPI_SUCCESS) wrong = dvm_check_message(in, true, call, &of);
    MPI_Request sending = MPI_REQUEST_NULL;
    if (wrong == MPI_SUCCESS) wrong = begin_receive(in, buffer, ONCE, request, call);
    if (wrong == MPI_SUCCESS) wrong = begin_send(out, DVM_STANDARD, ONCE, &sending, call);
    if (wrong != MPI_SUCCESS) {
        free(packed);
        return wrong;
    }
    struct dvm_request* const companion = dvm_request_of(sending);
    companion->extra = packed;
    dvm_request_of(*request)->companion = companion;
    return MPI_SUCCESS;
}

#define DEFINE_SENDRECV(name, count_type)                                                                    \
    int PMPI_##name(const void* sendbuf, count_type sendcount, MPI_Datatype sendtype, int dest, int sendtag, \
                    void* recvbuf, count_type recvcount, MPI_Datatype recvtype, int source, int recvtag,     \
                    MPI_Comm comm, MPI_Request* request) {                                                   \
        const struct dvm_message_arguments out = {sendbuf, sendcount, sendtype, dest, sendtag, comm};        \
        const struct dvm_message_arguments in = {recvbuf, recvcount, recvtype, source, recvtag, comm};       \
        return begin_exchange(&out, &in, recvbuf, NULL, request, DVM_CALL);                                  \
    }                                                                                                        \
    DVM_ALIAS(name)

DEFINE_SENDRECV(Isendrecv, int);
DEFINE_SENDRECV(Isendrecv_c, MPI_Count);

static int begin_replace(const struct dvm_message_arguments* in, void* buffer, int dest, int sendtag,
                         MPI_Request* request, const char* call) {
    struct dvm_message_objects of;
    const int wrong = dvm_check_message(in, true, call, &of);
    if (wrong != MPI_SUCCESS) return wrong;
    const MPI_Count bytes = in->count * of.type->size;
    void* const packed = malloc((size_t)bytes + 1);
    if (packed == NULL) return dvm_error(of.comm, MPI_ERR_NO_MEM, call, "not enough memory for a copy");
    dvm_pack(of.type, in->count, buffer, 0, packed, bytes);
    const struct dvm_message_arguments out = {packed, bytes, MPI_BYTE, dest, sendtag, in->comm};
    return begin_exchange(&out, in, buffer, packed, request, call);
}

int PMPI_Isendrecv_replace(void* buf, int count, MPI_Datatype datatype, int dest, int sendtag, int source, int recvtag,
                           MPI_Comm comm, MPI_Request* request) {
    const struct dvm_message_arguments in = {buf, count, datatype, source, recvtag, comm};
    return begin_replace(&in, buf, dest, sendtag, request, DVM_CALL);
}
DVM_ALIAS(Isendrecv_replace);

int PMPI_Isendrecv_replace_c(void* buf, MPI_Count count, MPI_Datatype datatype, int dest, int sendtag, int source,
                             int recvtag, MPI_Comm comm, MPI_Request* request) {
    const struct dvm_message_arguments in = {buf, count, datatype, source, recvtag, comm};
    return begin_replace(&in, buf, dest, sendtag, request, DVM_CALL);
}
DVM_ALIAS(Isendrecv_replace_c);
