/* Requests: their life, their numbers, and the blocking calls that are made of them. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* How often a receive looks at its ring before it makes a request of itself. */
#define LOOKS 2000u

struct dvm_request* dvm_request_of(MPI_Request request) {
    return dvm_is(request, DVM_REQUEST) ? (struct dvm_request*)request : NULL;
}

MPI_Request dvm_request_handle(struct dvm_request* request) {
    return (MPI_Request)request;
}

struct dvm_request* dvm_request_new(enum dvm_request_type type) {
    struct dvm_request* const request = dvm_new(DVM_REQUEST, sizeof *request);
    if (request == NULL) return NULL;
    request->type = (uint8_t)type;
    request->transfer = UINT32_MAX;
    return request;
}

void dvm_request_delete(struct dvm_request* request) {
    if (request->datatype != NULL) dvm_type_release(request->datatype);
    if (request->type == DVM_SCHEDULED) dvm_schedule_free(request->schedule);
    if (request->type == DVM_SEND) dvm_forget_send(request);
    if (request->companion != NULL) dvm_request_delete(request->companion);
    if (request->type == DVM_PARTS_OUT || request->type == DVM_PARTS_IN)
        if (request->parts != NULL) dvm_parts_release(request->parts);
    free(request->extra);
    if (request->comm != NULL) dvm_comm_release(request->comm);
    dvm_delete(request);
}

static struct dvm_request* describe(enum dvm_request_type type, struct dvm_comm* comm, enum dvm_channel channel,
                                    int rank, int tag, void* buffer, MPI_Count count, struct dvm_type* datatype) {
    struct dvm_request* const request = dvm_request_new(type);
    if (request == NULL) return NULL;
    dvm_retain(comm);
    dvm_type_retain(datatype);
    request->channel = (uint8_t)channel;
    request->comm = comm;
    request->datatype = datatype;
    request->buffer = buffer;
    request->count = count;
    request->bytes = (uint64_t)(count * datatype->size);
    request->rank = rank;
    request->tag = tag;
    request->peer = rank >= 0 ? dvm_world_rank(comm, rank) : DVM_ANY_PEER;
    return request;
}

struct dvm_request* dvm_new_send(struct dvm_comm* comm, enum dvm_channel channel, int dest, int tag, const void* buffer,
                                 MPI_Count count, struct dvm_type* type) {
    /* A send only reads it. */
    void* const readable = (void*)(uintptr_t)buffer;
    struct dvm_request* const request = describe(DVM_SEND, comm, channel, dest, tag, readable, count, type);
    if (request != NULL) request->envelope = dvm_envelope(comm, channel, tag);
    return request;
}

struct dvm_request* dvm_new_receive(struct dvm_comm* comm, enum dvm_channel channel, int source, int tag, void* buffer,
                                    MPI_Count count, struct dvm_type* type) {
    struct dvm_request* const request = describe(DVM_RECEIVE, comm, channel, source, tag, buffer, count, type);
    if (request == NULL) return NULL;
    request->mask = dvm_envelope_mask(tag);
    request->envelope = dvm_envelope(comm, channel, tag) & request->mask;
    return request;
}

void dvm_start(struct dvm_request* request) {
    request->error = MPI_SUCCESS;
    request->cancelled = false;
    request->done = 0;
    request->received = 0;
    request->position = DVM_NOWHERE;
    request->source = request->type == DVM_RECEIVE || request->type == DVM_PARTS_IN ? MPI_PROC_NULL : MPI_ANY_SOURCE;
    request->received_tag = MPI_ANY_TAG;
    if (request->rank == MPI_PROC_NULL)
        dvm_complete(request, MPI_SUCCESS);
    else if (request->type == DVM_SCHEDULED)
        dvm_restart_schedule(request);
    else if (request->type == DVM_PARTS_OUT || request->type == DVM_PARTS_IN)
        dvm_start_parts(request);
    else if (request->mode == DVM_BUFFERED)
        dvm_start_buffered(request);
    else if (request->type == DVM_SEND)
        dvm_start_send(request);
    else
        dvm_start_receive(request);
}

void dvm_complete(struct dvm_request* request, int error) {
    request->stage = DVM_COMPLETE;
    request->error = error;
    ++engine.moves;
    if (request->type != DVM_SCHEDULED && request->schedule != NULL) {
        dvm_schedule_step_done(request->schedule, error);
        dvm_request_delete(request);
    } else if (request->told != NULL) {
        request->told(request);
        dvm_request_delete(request);
    } else if (request->pool != NULL) {
        dvm_buffered_done(request);
    } else if (request->forgotten) {
        dvm_request_delete(request);
    }
}

void dvm_set_result(struct dvm_request* request, uint32_t peer, uint64_t envelope, uint64_t length) {
    request->source = dvm_group_rank(request->comm->remote, peer);
    request->received_tag = dvm_envelope_tag(envelope);
    request->received = length;
}

/* In a collective operation all ranks say what goes where: who gets less than that is in another one, or was told other
 * numbers. */
static int disagreement(const struct dvm_request* request) {
    return dvm_fail(MPI_ERR_COUNT,
                    "rank %d sent %llu bytes where %llu are due: ranks take part in different operations, or with "
                    "different counts or types",
                    request->source, (unsigned long long)request->received, (unsigned long long)request->bytes);
}

void dvm_complete_receive(struct dvm_request* request) {
    if (request->received <= request->bytes) {
        const bool disagree = request->channel == DVM_COLLECTIVE && request->received < request->bytes;
        dvm_complete(request, disagree ? disagreement(request) : MPI_SUCCESS);
        return;
    }
    const int error = dvm_fail(
        MPI_ERR_TRUNCATE, "the message from rank %d with tag %d has %llu bytes, the buffer takes %llu", request->source,
        request->received_tag, (unsigned long long)request->received, (unsigned long long)request->bytes);
    request->received = request->bytes;
    dvm_complete(request, error);
}

void dvm_status_of(const struct dvm_request* request, MPI_Status* status) {
    dvm_status_set(status, request->source, request->received_tag, (MPI_Count)request->received);
    if (request->cancelled) dvm_status_set_cancelled(status, true);
}

/* ---- numbers ---- */

static bool grow_transfers(void) {
    const uint32_t room = engine.transfer_room == 0 ? 64 : 2 * engine.transfer_room;
    // NOLINTBEGIN(bugprone-sizeof-expression): it is an array of pointers.
    struct dvm_request** const transfers = realloc(engine.transfers, room * sizeof *transfers);
    if (transfers == NULL) return false;
    memset(transfers + engine.transfer_room, 0, (room - engine.transfer_room) * sizeof *transfers);
    // NOLINTEND(bugprone-sizeof-expression)
    engine.transfers = transfers;
    engine.transfer_next = engine.transfer_room;
    engine.transfer_room = room;
    return true;
}

bool dvm_transfer_new(struct dvm_request* request) {
    uint32_t tries = 0;
    for (; tries < engine.transfer_room && engine.transfers[engine.transfer_next] != NULL; ++tries)
        if (++engine.transfer_next == engine.transfer_room) engine.transfer_next = 0;
    if (tries == engine.transfer_room && !grow_transfers()) return false;
    request->transfer = engine.transfer_next;
    engine.transfers[engine.transfer_next] = request;
    return true;
}

struct dvm_request* dvm_transfer_at(uint64_t number, uint32_t peer) {
    if (number >= engine.transfer_room) return NULL;
    struct dvm_request* const request = engine.transfers[number];
    return request != NULL && request->partner == peer ? request : NULL;
}

struct dvm_request* dvm_transfer_find(uint64_t number, uint32_t peer, enum dvm_stage stage) {
    struct dvm_request* const request = dvm_transfer_at(number, peer);
    return request != NULL && request->stage == stage ? request : NULL;
}

void dvm_transfer_end(struct dvm_request* request) {
    if (request->copying != NULL) dvm_end_copying(request);
    engine.transfers[request->transfer] = NULL;
    engine.transfer_next = request->transfer;
    request->transfer = UINT32_MAX;
}

/* ---- in one go ---- */

void dvm_await(struct dvm_request* request) {
    while (request->stage != DVM_COMPLETE)
        if (!dvm_progress() && request->stage != DVM_COMPLETE) dvm_idle_for(request);
}

int dvm_isend(struct dvm_comm* comm, enum dvm_channel channel, int dest, int tag, const void* buffer, MPI_Count count,
              struct dvm_type* type, struct dvm_request** request) {
    *request = dvm_new_send(comm, channel, dest, tag, buffer, count, type);
    if (*request == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a request");
    dvm_start(*request);
    return MPI_SUCCESS;
}

int dvm_irecv(struct dvm_comm* comm, enum dvm_channel channel, int source, int tag, void* buffer, MPI_Count count,
              struct dvm_type* type, struct dvm_request** request) {
    *request = dvm_new_receive(comm, channel, source, tag, buffer, count, type);
    if (*request == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a request");
    dvm_start(*request);
    return MPI_SUCCESS;
}

int dvm_wait(struct dvm_request* request, MPI_Status* status) {
    dvm_await(request);
    const int error = request->error;
    if (status != NULL) dvm_status_of(request, status);
    dvm_request_delete(request);
    return error;
}

int dvm_waitall(int count, struct dvm_request* const* requests) {
    int first = MPI_SUCCESS;
    for (int i = 0; i < count; ++i) {
        const int error = requests[i] == NULL ? MPI_SUCCESS : dvm_wait(requests[i], NULL);
        if (first == MPI_SUCCESS) first = error;
    }
    return first;
}

/* A message of one slot or one piece, where nothing is in its way. Whether it went. */
static bool send_at_once(struct dvm_peer* peer, uint64_t envelope, const void* buffer, uint64_t bytes) {
    struct dvi_link* const link = peer->link;
    if (link == NULL || !dvm_queue_empty(&peer->outgoing) || dvi_gone(link)) return false;
    if (bytes <= DIVISI_SLOT_PAYLOAD_BYTES)
        return dvi_send_small(link, envelope, buffer, (uint32_t)bytes) == DIVISI_RING_OK;
    return divisi_tx_next_piece(&link->tx, bytes) == bytes &&
           dvi_send_piece_of(link, envelope, buffer, bytes) == DIVISI_RING_OK;
}

bool dvm_send_directly(struct dvm_comm* comm, enum dvm_channel channel, int dest, int tag, const void* buffer,
                       MPI_Count count, const struct dvm_type* type) {
    const uint64_t bytes = (uint64_t)(count * type->size);
    return type->contiguous &&
           send_at_once(&engine.peers[dvm_world_rank(comm, dest)], dvm_envelope(comm, channel, tag), buffer, bytes);
}

int dvm_send(struct dvm_comm* comm, enum dvm_channel channel, int dest, int tag, const void* buffer, MPI_Count count,
             struct dvm_type* type) {
    if (dest == MPI_PROC_NULL || dvm_send_directly(comm, channel, dest, tag, buffer, count, type)) return MPI_SUCCESS;
    struct dvm_request* const request = dvm_new_send(comm, channel, dest, tag, buffer, count, type);
    if (request == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a request");
    dvm_start(request);
    return dvm_wait(request, NULL);
}

/* Whether no other receive can want what comes from this peer next, and nothing else waits to be moved. */
static bool undisturbed(const struct dvm_peer* peer) {
    return peer->link != NULL && engine.interests == 0 && dvm_queue_empty(&engine.any) &&
           dvm_queue_empty(&peer->unexpected) && peer->sink.unexpected == NULL && !peer->lost;
}

/* Takes the message of one slot or one piece that comes next, if it is the one that is wanted and fits. */
static bool receive_at_once(struct dvm_peer* peer, uint64_t envelope, uint64_t mask, void* buffer, uint64_t least,
                            uint64_t room, uint64_t* received) {
    struct dvi_link* const link = peer->link;
    const int seen = dvi_peek_for(link, LOOKS);
    if (seen != DIVISI_RING_OK || link->rx.piece != link->rx.length ||
        (link->rx.tag & (mask | DVM_KIND_MASK)) != envelope || link->rx.length > room || link->rx.length < least)
        return false;
    *received = link->rx.length;
    dvi_take(link, buffer);
    return true;
}

/* A message that is there or comes soon, without a request. Whether it did. */
static bool receive_directly(struct dvm_comm* comm, enum dvm_channel channel, int source, int tag, void* buffer,
                             uint64_t room, MPI_Status* status) {
    struct dvm_peer* const peer = &engine.peers[dvm_world_rank(comm, source)];
    const uint64_t mask = dvm_envelope_mask(tag);
    uint64_t received = 0;
    if (!undisturbed(peer) || !receive_at_once(peer, dvm_envelope(comm, channel, tag) & mask, mask, buffer,
                                               channel == DVM_COLLECTIVE ? room : 0, room, &received))
        return false;
    if (status != NULL) dvm_status_set(status, source, dvm_envelope_tag(peer->link->rx.tag), (MPI_Count)received);
    return true;
}

int dvm_recv(struct dvm_comm* comm, enum dvm_channel channel, int source, int tag, void* buffer, MPI_Count count,
             struct dvm_type* type, MPI_Status* status) {
    if (source >= 0 && type->contiguous &&
        receive_directly(comm, channel, source, tag, buffer, (uint64_t)(count * type->size), status))
        return MPI_SUCCESS;
    struct dvm_request* const request = dvm_new_receive(comm, channel, source, tag, buffer, count, type);
    if (request == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a request");
    dvm_start(request);
    return dvm_wait(request, status);
}

int dvm_sendrecv(struct dvm_comm* comm, enum dvm_channel channel, int dest, const void* send_buffer,
                 MPI_Count send_count, struct dvm_type* send_type, int source, void* receive_buffer,
                 MPI_Count receive_count, struct dvm_type* receive_type, int tag) {
    struct dvm_request* receive = NULL;
    int error = dvm_irecv(comm, channel, source, tag, receive_buffer, receive_count, receive_type, &receive);
    if (error != MPI_SUCCESS) return error;
    error = dvm_send(comm, channel, dest, tag, send_buffer, send_count, send_type);
    const int received = dvm_wait(receive, NULL);
    return error == MPI_SUCCESS ? received : error;
}
