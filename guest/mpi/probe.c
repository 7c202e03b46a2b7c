/* Looking at messages before they are received, and receiving just the one that was looked at. */
#include <stdlib.h>

#include "check.h"

/* A message that MPI_Mprobe took out of the queue. */
struct dvm_message {
    struct dvm_object object;
    struct dvm_comm* comm;
    struct dvm_unexpected* unexpected;
};

static struct dvm_message* message_of(MPI_Message message) {
    return dvm_is(message, DVM_MESSAGE) ? (struct dvm_message*)message : NULL;
}

struct probe {
    struct dvm_comm* comm;
    uint32_t peer;
    uint64_t envelope;
    uint64_t mask;
    int rank; /* as the user named it */
    int tag;
};

static int check_probe(int source, int tag, MPI_Comm comm, struct probe* probe, const char* call) {
    const struct dvm_message_arguments message = {NULL, 0, MPI_BYTE, source, tag, comm};
    struct dvm_message_objects of;
    const int error = dvm_check_message(&message, true, call, &of);
    if (error != MPI_SUCCESS) return error;
    probe->comm = of.comm;
    probe->rank = source;
    probe->tag = tag;
    probe->peer = source >= 0 ? dvm_world_rank(probe->comm, source) : DVM_ANY_PEER;
    probe->mask = dvm_envelope_mask(tag);
    probe->envelope = dvm_envelope(probe->comm, DVM_POINT_TO_POINT, tag) & probe->mask;
    return MPI_SUCCESS;
}

static void watch(const struct probe* probe) {
    if (probe->peer == DVM_ANY_PEER)
        dvm_watch_all(1);
    else
        dvm_interested(&engine.peers[probe->peer]);
}

static void unwatch(const struct probe* probe) {
    if (probe->peer == DVM_ANY_PEER)
        dvm_watch_all(-1);
    else
        dvm_uninterested(&engine.peers[probe->peer]);
}

/* No message can come any more from the peer that is named. */
static bool hopeless(const struct probe* probe) {
    if (probe->peer == DVM_ANY_PEER || probe->peer == dvm.rank) return false;
    return engine.peers[probe->peer].link == NULL || engine.peers[probe->peer].lost;
}

/* NULL: there is none (`wait`: or none can come, with `*error`). */
static struct dvm_unexpected* find(const struct probe* probe, bool wait, int* error) {
    struct dvm_unexpected* found = dvm_find_unexpected(probe->peer, probe->envelope, probe->mask);
    *error = MPI_SUCCESS;
    if (found != NULL) return found;
    const struct dvm_waited waited = {.comm = probe->comm, .probes = true, .rank = probe->rank, .tag = probe->tag};
    watch(probe);
    do {
        const bool moved = wait ? dvm_progress() : dvm_poll();
        found = dvm_find_unexpected(probe->peer, probe->envelope, probe->mask);
        if (found == NULL && hopeless(probe)) *error = dvm_lost_error(&engine.peers[probe->peer]);
        if (found == NULL && *error == MPI_SUCCESS && wait && !moved) dvm_idle(&waited);
    } while (found == NULL && wait && *error == MPI_SUCCESS);
    unwatch(probe);
    return found;
}

static void tell(const struct probe* probe, const struct dvm_unexpected* found, MPI_Status* status) {
    if (status == MPI_STATUS_IGNORE) return;
    dvm_status_set(status, dvm_group_rank(probe->comm->remote, found->peer), dvm_envelope_tag(found->envelope),
                   (MPI_Count)found->length);
}

static void tell_null(MPI_Status* status) {
    if (status != MPI_STATUS_IGNORE) dvm_status_set(status, MPI_PROC_NULL, MPI_ANY_TAG, 0);
}

static int probe_call(int source, int tag, MPI_Comm comm, int* flag, MPI_Status* status, const char* call) {
    struct probe probe;
    int error = check_probe(source, tag, comm, &probe, call);
    if (error != MPI_SUCCESS) return error;
    if (source == MPI_PROC_NULL) {
        tell_null(status);
        if (flag != NULL) *flag = 1;
        return MPI_SUCCESS;
    }
    const struct dvm_unexpected* const found = find(&probe, flag == NULL, &error);
    if (found != NULL) tell(&probe, found, status);
    if (flag != NULL) *flag = found != NULL;
    return error == MPI_SUCCESS ? error : dvm_raise(probe.comm, error, call);
}

int PMPI_Probe(int source, int tag, MPI_Comm comm, MPI_Status* status) {
    return probe_call(source, tag, comm, NULL, status, DVM_CALL);
}
DVM_ALIAS(Probe);

int PMPI_Iprobe(int source, int tag, MPI_Comm comm, int* flag, MPI_Status* status) {
    return probe_call(source, tag, comm, flag, status, DVM_CALL);
}
DVM_ALIAS(Iprobe);

/* ---- matched ---- */

static int take(const struct probe* probe, struct dvm_unexpected* found, MPI_Message* message) {
    struct dvm_message* const made = dvm_new(DVM_MESSAGE, sizeof *made);
    if (made == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a message handle");
    dvm_take_unexpected(found);
    dvm_retain(probe->comm);
    made->comm = probe->comm;
    made->unexpected = found;
    *message = (MPI_Message)made;
    return MPI_SUCCESS;
}

static int matched_probe(int source, int tag, MPI_Comm comm, int* flag, MPI_Message* message, MPI_Status* status,
                         const char* call) {
    struct probe probe;
    int error = check_probe(source, tag, comm, &probe, call);
    if (error != MPI_SUCCESS) return error;
    if (source == MPI_PROC_NULL) {
        tell_null(status);
        *message = MPI_MESSAGE_NO_PROC;
        if (flag != NULL) *flag = 1;
        return MPI_SUCCESS;
    }
    struct dvm_unexpected* const found = find(&probe, flag == NULL, &error);
    if (flag != NULL) *flag = found != NULL;
    if (found != NULL) {
        tell(&probe, found, status);
        error = take(&probe, found, message);
    }
    return error == MPI_SUCCESS ? error : dvm_raise(probe.comm, error, call);
}

int PMPI_Mprobe(int source, int tag, MPI_Comm comm, MPI_Message* message, MPI_Status* status) {
    return matched_probe(source, tag, comm, NULL, message, status, DVM_CALL);
}
DVM_ALIAS(Mprobe);

int PMPI_Improbe(int source, int tag, MPI_Comm comm, int* flag, MPI_Message* message, MPI_Status* status) {
    return matched_probe(source, tag, comm, flag, message, status, DVM_CALL);
}
DVM_ALIAS(Improbe);

/* Begins to receive it; the handle is used up. */
static int begin_matched(void* buffer, MPI_Count count, MPI_Datatype datatype, MPI_Message* handle,
                         struct dvm_request** request, const char* call) {
    struct dvm_message* const message = message_of(*handle);
    const bool none = *handle == MPI_MESSAGE_NO_PROC;
    if (message == NULL && !none) return dvm_error(NULL, MPI_ERR_REQUEST, call, "the message is none");
    struct dvm_comm* const comm = none ? dvm.self : message->comm;
    const struct dvm_message_arguments arguments = {buffer, count, datatype, MPI_PROC_NULL, 0, dvm_comm_handle(comm)};
    struct dvm_message_objects of;
    const int error = dvm_check_message(&arguments, true, call, &of);
    if (error != MPI_SUCCESS) return error;
    *request = dvm_new_receive(comm, DVM_POINT_TO_POINT, MPI_PROC_NULL, 0, buffer, count, of.type);
    if (*request == NULL) return dvm_error(comm, MPI_ERR_NO_MEM, call, "not enough memory for a request");
    *handle = MPI_MESSAGE_NULL;
    if (none) {
        dvm_start(*request);
        return MPI_SUCCESS;
    }
    (*request)->peer = message->unexpected->peer;
    dvm_deliver(*request, message->unexpected);
    dvm_delete(message);
    dvm_comm_release(comm);
    return MPI_SUCCESS;
}

static int receive_matched(void* buffer, MPI_Count count, MPI_Datatype datatype, MPI_Message* message,
                           MPI_Status* status, const char* call) {
    struct dvm_request* request = NULL;
    int error = begin_matched(buffer, count, datatype, message, &request, call);
    if (error != MPI_SUCCESS) return error;
    struct dvm_comm* const comm = request->comm;
    dvm_retain(comm);
    error = dvm_wait(request, status);
    if (error != MPI_SUCCESS) error = dvm_raise(comm, error, call);
    dvm_comm_release(comm);
    return error;
}

int PMPI_Mrecv(void* buf, int count, MPI_Datatype datatype, MPI_Message* message, MPI_Status* status) {
    return receive_matched(buf, count, datatype, message, status, DVM_CALL);
}
DVM_ALIAS(Mrecv);

int PMPI_Mrecv_c(void* buf, MPI_Count count, MPI_Datatype datatype, MPI_Message* message, MPI_Status* status) {
    return receive_matched(buf, count, datatype, message, status, DVM_CALL);
}
DVM_ALIAS(Mrecv_c);

static int begin_matched_request(void* buffer, MPI_Count count, MPI_Datatype datatype, MPI_Message* message,
                                 MPI_Request* handle, const char* call) {
    struct dvm_request* request = NULL;
    const int error = begin_matched(buffer, count, datatype, message, &request, call);
    if (error == MPI_SUCCESS) *handle = dvm_request_handle(request);
    return error;
}

int PMPI_Imrecv(void* buf, int count, MPI_Datatype datatype, MPI_Message* message, MPI_Request* request) {
    return begin_matched_request(buf, count, datatype, message, request, DVM_CALL);
}
DVM_ALIAS(Imrecv);

int PMPI_Imrecv_c(void* buf, MPI_Count count, MPI_Datatype datatype, MPI_Message* message, MPI_Request* request) {
    return begin_matched_request(buf, count, datatype, message, request, DVM_CALL);
}
DVM_ALIAS(Imrecv_c);
