/* What goes out: sends, eager or offered, and acceptances; in order, a piece at a time as the ring has room. */
#include <string.h>

#include "engine.h"

/* Up to here, and up to twice what the ring holds, a message is sent unasked. To ask costs a round trip in which both
 * ends stand still, or two switches of threads where they share a PU. Not to ask costs nothing as a rule: a message
 * that nobody expects stays in the ring, unless the link is read for the sake of another. */
#define LEAST_EAGER_BYTES 32768u

static uint64_t eager_limit(const struct dvm_peer* peer) {
    const uint64_t rings = 2u * peer->link->tx.bulk_bytes;
    return rings < LEAST_EAGER_BYTES ? LEAST_EAGER_BYTES : rings;
}

static void enqueue(struct dvm_peer* peer, struct dvm_request* request, enum dvm_stage stage) {
    const bool first = dvm_queue_empty(&peer->outgoing);
    request->stage = (uint8_t)stage;
    dvm_queue_add(&peer->outgoing, &request->item);
    dvm_interested(peer);
    if (!first) return;
    dvm_push(peer);
    /* Its room is to be watched, too. */
    if (!dvm_queue_empty(&peer->outgoing)) ++engine.wants;
}

static void dequeue(struct dvm_peer* peer, struct dvm_request* request) {
    dvm_queue_remove(&peer->outgoing, &request->item);
    dvm_uninterested(peer);
}

/* ---- data ---- */

static uint64_t data_tag(const struct dvm_request* request) {
    return request->stage == DVM_EAGER_OUT ? request->envelope | DVM_EAGER : request->remote << 4 | DVM_DATA;
}

/* Where the next `bytes` of the packed message lie. */
static const void* next_bytes(const struct dvm_request* request, uint32_t bytes) {
    if (request->datatype->contiguous) return request->buffer + request->done;
    dvm_pack(request->datatype, request->count, request->buffer, (int64_t)request->done, engine.staging, bytes);
    return engine.staging;
}

/* Of the slot that went last. */
static int note_position(const struct dvi_link* link, struct dvm_request* request, int sent) {
    if (sent == DIVISI_RING_OK) request->position = link->tx.last_slot;
    return sent;
}

static int push_small(struct dvi_link* link, struct dvm_request* request) {
    const uint32_t bytes = (uint32_t)request->bytes;
    return note_position(link, request, dvi_send_small(link, data_tag(request), next_bytes(request, bytes), bytes));
}

static int push_data(struct dvm_peer* peer, struct dvm_request* request) {
    struct dvi_link* const link = peer->link;
    if (request->bytes <= DIVISI_SLOT_PAYLOAD_BYTES) return push_small(link, request);
    while (request->done < request->bytes) {
        const int fits = divisi_tx_piece_fits(&link->tx, request->bytes);
        if (fits != DIVISI_RING_OK) return fits;
        const uint32_t bytes = divisi_tx_next_piece(&link->tx, request->bytes);
        dvi_send_piece(link, data_tag(request), next_bytes(request, bytes), request->bytes);
        if (request->done == 0) note_position(link, request, DIVISI_RING_OK);
        request->done += bytes;
    }
    return DIVISI_RING_OK;
}

/* ---- the protocol ---- */

static struct dvi_lent lent_by(const struct dvm_request* request) {
    const struct dvi_lent nothing = {0, 0, DVI_NO_LOAN, 0};
    return request->copying == NULL ? nothing : request->copying->own;
}

static int push_offer(struct dvi_link* link, struct dvm_request* request) {
    const struct dvm_offer offer = {request->bytes, request->transfer, lent_by(request)};
    return note_position(link, request, dvi_send_small(link, request->envelope | DVM_OFFER, &offer, sizeof offer));
}

static int push_acceptance(struct dvi_link* link, const struct dvm_request* request) {
    const struct dvm_acceptance acceptance = {request->remote, request->transfer, lent_by(request)};
    return dvi_send_small(link, DVM_ACCEPT, &acceptance, sizeof acceptance);
}

static int push_withdrawal(struct dvi_link* link, const struct dvm_request* request) {
    const struct dvm_withdrawal withdrawal = {request->position, request->transfer};
    return dvi_send_small(link, DVM_WITHDRAW, &withdrawal, sizeof withdrawal);
}

static int push_answer(struct dvi_link* link, const struct dvm_request* request) {
    const struct dvm_withdrawal_answer answer = {request->remote, request->received};
    return dvi_send_small(link, DVM_WITHDRAWN, &answer, sizeof answer);
}

static int push_copied(struct dvi_link* link, const struct dvm_request* request) {
    struct dvm_copied copied;
    dvm_describe_copied(request, &copied);
    return dvi_send_small(link, DVM_COPIED, &copied, sizeof copied);
}

static int push_one(struct dvm_peer* peer, struct dvm_request* request) {
    switch (request->stage) {
        case DVM_OFFERING: return push_offer(peer->link, request);
        case DVM_ACCEPTING: return push_acceptance(peer->link, request);
        case DVM_ASKING: return push_withdrawal(peer->link, request);
        case DVM_ANSWERING: return push_answer(peer->link, request);
        case DVM_TELLING: return push_copied(peer->link, request);
        default: return push_data(peer, request);
    }
}

/* It is out: what comes next? */
static void proceed(struct dvm_peer* peer, struct dvm_request* request) {
    dequeue(peer, request);
    switch (request->stage) {
        case DVM_OFFERING:
            request->stage = DVM_OFFERED;
            dvm_interested(peer);
            break;
        case DVM_ACCEPTING:
            request->stage = DVM_ARRIVING;
            dvm_interested(peer);
            if (request->copying != NULL) dvm_copy_soon(request);
            break;
        case DVM_TELLING: dvm_copied_told(request); break;
        case DVM_ASKING:
            request->stage = DVM_ASKED;
            dvm_interested(peer);
            break;
        case DVM_DATA_OUT:
            dvm_transfer_end(request);
            dvm_complete(request, MPI_SUCCESS);
            break;
        default: dvm_complete(request, MPI_SUCCESS); break;
    }
}

bool dvm_push(struct dvm_peer* peer) {
    bool moved = false;
    while (!dvm_queue_empty(&peer->outgoing)) {
        struct dvm_request* const request = DVM_OF_ITEM(peer->outgoing.first, struct dvm_request);
        const uint64_t before = request->done;
        const int pushed = push_one(peer, request);
        if (pushed == DIVISI_RING_WAIT) return moved || request->done != before;
        if (pushed == DIVISI_RING_BROKEN) {
            dvm_lose(peer);
            return true;
        }
        proceed(peer, request);
        moved = true;
    }
    return moved;
}

uint32_t dvm_space_wanted(const struct dvm_peer* peer) {
    const struct dvm_request* const request = DVM_OF_ITEM(peer->outgoing.first, struct dvm_request);
    const bool data = request->stage == DVM_EAGER_OUT || request->stage == DVM_DATA_OUT;
    if (!data || request->bytes <= DIVISI_SLOT_PAYLOAD_BYTES) return 0;
    return divisi_round_to_lines(divisi_tx_next_piece(&peer->link->tx, request->bytes));
}

/* ---- to this rank itself ---- */

static void meet_self(struct dvm_request* send, struct dvm_request* receive) {
    dvm_set_result(receive, dvm.rank, send->envelope, send->bytes);
    dvm_type_copy(send->buffer, send->count, send->datatype, receive->buffer, receive->count, receive->datatype);
    dvm_complete_receive(receive);
    dvm_complete(send, MPI_SUCCESS);
}

static void send_to_self(struct dvm_peer* self, struct dvm_request* request) {
    struct dvm_request* const receive = dvm_match_posted(self, request->envelope);
    if (receive != NULL) {
        meet_self(request, receive);
        return;
    }
    const bool copied = request->mode != DVM_SYNCHRONOUS && request->bytes <= LEAST_EAGER_BYTES;
    struct dvm_unexpected* const unexpected =
        dvm_new_unexpected(self, request->envelope, request->bytes, copied ? request->bytes : 0);
    if (unexpected == NULL) {
        dvm_complete(request, dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a message to itself"));
        return;
    }
    /* There is no channel; any number of its own tells it from others. */
    unexpected->position = request->position = unexpected->serial;
    if (copied) {
        dvm_pack(request->datatype, request->count, request->buffer, 0, unexpected->data, (int64_t)request->bytes);
        unexpected->arrived = request->bytes;
        dvm_complete(request, MPI_SUCCESS);
    } else {
        unexpected->self = request;
        request->stage = DVM_OFFERED;
    }
}

void dvm_receive_from_self(struct dvm_request* receive, struct dvm_request* send) {
    meet_self(send, receive);
}

/* ---- starting ---- */

void dvm_start_send(struct dvm_request* request) {
    struct dvm_peer* const peer = &engine.peers[request->peer];
    request->partner = request->peer;
    request->done = 0;
    if (request->peer == dvm.rank) {
        send_to_self(peer, request);
        return;
    }
    if (dvm_unreachable(peer)) {
        dvm_complete(request, dvm_lost_error(peer));
        return;
    }
    const bool lent = dvm_better_copied(peer, request);
    if (!lent && request->mode != DVM_SYNCHRONOUS && request->bytes <= eager_limit(peer)) {
        enqueue(peer, request, DVM_EAGER_OUT);
    } else if (dvm_transfer_new(request)) {
        if (lent) dvm_lend_message(request, peer);
        enqueue(peer, request, DVM_OFFERING);
    } else {
        dvm_complete(request, dvm_fail(MPI_ERR_NO_MEM, "not enough memory for one more request"));
    }
}

void dvm_accept(struct dvm_request* request, struct dvm_peer* peer, uint64_t sender, const struct dvi_lent* lent) {
    ++engine.helped;
    request->partner = peer->rank;
    request->remote = sender;
    request->done = 0;
    if (dvm_transfer_new(request)) {
        if (dvm_take_lent(request, peer, lent)) return;
        enqueue(peer, request, DVM_ACCEPTING);
    } else {
        dvm_complete(request, dvm_fail(MPI_ERR_NO_MEM, "not enough memory for one more request"));
    }
}

void dvm_send_word(struct dvm_request* request, struct dvm_peer* peer, enum dvm_stage stage) {
    enqueue(peer, request, stage);
}

void dvm_send_accepted(struct dvm_request* request, uint64_t receiver) {
    struct dvm_peer* const peer = &engine.peers[request->partner];
    dvm_uninterested(peer);
    request->remote = receiver;
    enqueue(peer, request, DVM_DATA_OUT);
}
