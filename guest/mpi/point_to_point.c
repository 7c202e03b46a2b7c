/* The calls that send and receive at once. */
#include <stdlib.h>

#include "check.h"

/* ---- sends ---- */

static int send_in_mode(const struct dvm_message_arguments* message, enum dvm_send_mode mode, const char* call) {
    struct dvm_message_objects of;
    const int wrong = dvm_check_message(message, false, call, &of);
    if (wrong != MPI_SUCCESS) return wrong;
    struct dvm_comm* const comm = of.comm;
    if (mode != DVM_SYNCHRONOUS)
        return dvm_raise_if_failed(
            comm,
            dvm_send(comm, DVM_POINT_TO_POINT, message->rank, message->tag, message->buffer, message->count, of.type),
            call);
    struct dvm_request* const request =
        dvm_new_send(comm, DVM_POINT_TO_POINT, message->rank, message->tag, message->buffer, message->count, of.type);
    if (request == NULL) return dvm_error(comm, MPI_ERR_NO_MEM, call, "not enough memory for a request");
    request->mode = (uint8_t)mode;
    dvm_start(request);
    return dvm_raise_if_failed(comm, dvm_wait(request, NULL), call);
}

int PMPI_Send_c(const void* buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};
    return send_in_mode(&message, DVM_STANDARD, DVM_CALL);
}
DVM_ALIAS(Send_c);

int PMPI_Send(const void* buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};
    return send_in_mode(&message, DVM_STANDARD, DVM_CALL);
}
DVM_ALIAS(Send);

int PMPI_Ssend_c(const void* buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};
    return send_in_mode(&message, DVM_SYNCHRONOUS, DVM_CALL);
}
DVM_ALIAS(Ssend_c);

int PMPI_Ssend(const void* buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};
    return send_in_mode(&message, DVM_SYNCHRONOUS, DVM_CALL);
}
DVM_ALIAS(Ssend);

/* That the receive is posted is the program's promise; nothing depends on it here. */
int PMPI_Rsend_c(const void* buf, MPI_Count count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};
    return send_in_mode(&message, DVM_READY, DVM_CALL);
}
DVM_ALIAS(Rsend_c);

int PMPI_Rsend(const void* buf, int count, MPI_Datatype datatype, int dest, int tag, MPI_Comm comm) {
    const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};
    return send_in_mode(&message, DVM_READY, DVM_CALL);
}
DVM_ALIAS(Rsend);

/* ---- receives ---- */

static int receive(const struct dvm_message_arguments* message, void* buffer, MPI_Status* status, const char* call) {
    struct dvm_message_objects of;
    const int wrong = dvm_check_message(message, true, call, &of);
    if (wrong != MPI_SUCCESS) return wrong;
    return dvm_raise_if_failed(
        of.comm,
        dvm_recv(of.comm, DVM_POINT_TO_POINT, message->rank, message->tag, buffer, message->count, of.type, status),
        call);
}

int PMPI_Recv_c(void* buf, MPI_Count count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm,
                MPI_Status* status) {
    const struct dvm_message_arguments message = {buf, count, datatype, source, tag, comm};
    return receive(&message, buf, status, DVM_CALL);
}
DVM_ALIAS(Recv_c);

int PMPI_Recv(void* buf, int count, MPI_Datatype datatype, int source, int tag, MPI_Comm comm, MPI_Status* status) {
    const struct dvm_message_arguments message = {buf, count, datatype, source, tag, comm};
    return receive(&message, buf, status, DVM_CALL);
}
DVM_ALIAS(Recv);

/* ---- both ---- */

/* `of`: what came of the look at `in`. */
static int exchange(const struct dvm_message_arguments* out, struct dvm_type* out_type,
                    const struct dvm_message_arguments* in, const struct dvm_message_objects* of, void* buffer,
                    MPI_Status* status) {
    struct dvm_request* receiving = NULL;
    int error = dvm_irecv(of->comm, DVM_POINT_TO_POINT, in->rank, in->tag, buffer, in->count, of->type, &receiving);
    if (error != MPI_SUCCESS) return error;
    error = dvm_send(of->comm, DVM_POINT_TO_POINT, out->rank, out->tag, out->buffer, out->count, out_type);
    const int received = dvm_wait(receiving, status);
    return error == MPI_SUCCESS ? received : error;
}

static int sendrecv(const struct dvm_message_arguments* out, const struct dvm_message_arguments* in, void* buffer,
                    MPI_Status* status, const char* call) {
    struct dvm_message_objects of_out, of_in;
    int wrong = dvm_check_message(out, false, call, &of_out);
    if (wrong == MPI_SUCCESS) wrong = dvm_check_message(in, true, call, &of_in);
    if (wrong != MPI_SUCCESS) return wrong;
    return dvm_raise_if_failed(of_in.comm, exchange(out, of_out.type, in, &of_in, buffer, status), call);
}

int PMPI_Sendrecv_c(const void* sendbuf, MPI_Count sendcount, MPI_Datatype sendtype, int dest, int sendtag,
                    void* recvbuf, MPI_Count recvcount, MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm,
                    MPI_Status* status) {
    const struct dvm_message_arguments out = {sendbuf, sendcount, sendtype, dest, sendtag, comm};
    const struct dvm_message_arguments in = {recvbuf, recvcount, recvtype, source, recvtag, comm};
    return sendrecv(&out, &in, recvbuf, status, DVM_CALL);
}
DVM_ALIAS(Sendrecv_c);

int PMPI_Sendrecv(const void* sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag, void* recvbuf,
                  int recvcount, MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm, MPI_Status* status) {
    const struct dvm_message_arguments out = {sendbuf, sendcount, sendtype, dest, sendtag, comm};
    const struct dvm_message_arguments in = {recvbuf, recvcount, recvtype, source, recvtag, comm};
    return sendrecv(&out, &in, recvbuf, status, DVM_CALL);
}
DVM_ALIAS(Sendrecv);

/* What is sent is set aside, packed, so that the buffer can receive. */
static int replace(const struct dvm_message_arguments* in, void* buffer, int dest, int sendtag, MPI_Status* status,
                   const char* call) {
    const struct dvm_message_arguments checked = {buffer, in->count, in->datatype, dest, sendtag, in->comm};
    struct dvm_message_objects of;
    int wrong = dvm_check_message(&checked, false, call, &of);
    if (wrong == MPI_SUCCESS) wrong = dvm_check_message(in, true, call, &of);
    if (wrong != MPI_SUCCESS) return wrong;
    const MPI_Count bytes = in->count * of.type->size;
    void* const packed = malloc((size_t)bytes + 1);
    if (packed == NULL) return dvm_error(of.comm, MPI_ERR_NO_MEM, call, "not enough memory for a copy");
    dvm_pack(of.type, in->count, buffer, 0, packed, bytes);
    const struct dvm_message_arguments out = {packed, bytes, MPI_BYTE, dest, sendtag, in->comm};
    const int error = exchange(&out, dvm_predefined(MPI_BYTE), in, &of, buffer, status);
    free(packed);
    return dvm_raise_if_failed(of.comm, error, call);
}

int PMPI_Sendrecv_replace_c(void* buf, MPI_Count count, MPI_Datatype datatype, int dest, int sendtag, int source,
                            int recvtag, MPI_Comm comm, MPI_Status* status) {
    const struct dvm_message_arguments in = {buf, count, datatype, source, recvtag, comm};
    return replace(&in, buf, dest, sendtag, status, DVM_CALL);
}
DVM_ALIAS(Sendrecv_replace_c);

int PMPI_Sendrecv_replace(void* buf, int count, MPI_Datatype datatype, int dest, int sendtag, int source, int recvtag,
                          MPI_Comm comm, MPI_Status* status) {
    const struct dvm_message_arguments in = {buf, count, datatype, source, recvtag, comm};
    return replace(&in, buf, dest, sendtag, status, DVM_CALL);
}
DVM_ALIAS(Sendrecv_replace);
