/* What comes in: into the receive that waits for it, or aside. */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* Pieces from one peer before the others get their turn. */
#define PIECES_A_TURN 64

enum outcome { TAKEN, LEFT, NONSENSE };

/* ---- data ---- */

/* Puts `bytes` of the packed message, which lie at `from`, where the receive wants them; what has no room is dropped.
 */
static void put(struct dvm_request* request, const unsigned char* from, uint64_t bytes) {
    const uint64_t room = request->done < request->bytes ? request->bytes - request->done : 0;
    const uint64_t fitting = bytes < room ? bytes : room;
    if (fitting != 0 && request->datatype->contiguous)
        memcpy(request->buffer + request->done, from, fitting);
    else if (fitting != 0)
        dvm_unpack(request->datatype, request->count, request->buffer, (int64_t)request->done, from, (int64_t)fitting);
    request->done += bytes;
}

/* SAFETY: a piece is at most the bulk area, which staging is not smaller than; into the user's buffer goes what was
 * seen to fit. */
static void take_into_request(struct dvi_link* link, struct dvm_request* request) {
    const uint64_t bytes = link->rx.piece;
    if (request->datatype->contiguous && request->done + bytes <= request->bytes) {
        dvi_take(link, request->buffer + request->done);
        request->done += bytes;
    } else {
        dvi_take(link, engine.staging);
        put(request, engine.staging, bytes);
    }
}

static void finish_request(struct dvm_peer* peer, struct dvm_request* request) {
    peer->sink.request = NULL;
    dvm_uninterested(peer);
    if (request->stage == DVM_ARRIVING) dvm_transfer_end(request);
    dvm_complete_receive(request);
}

static void finish_unexpected(struct dvm_peer* peer, struct dvm_unexpected* unexpected) {
    peer->sink.unexpected = NULL;
    struct dvm_request* const claimed = unexpected->claimed;
    if (claimed == NULL) return;
    dvm_uninterested(peer);
    dvm_deliver(claimed, unexpected);
}

/* The next piece of the message under way. */
static enum outcome take_piece(struct dvm_peer* peer) {
    struct dvi_link* const link = peer->link;
    struct dvm_unexpected* const unexpected = peer->sink.unexpected;
    if (unexpected != NULL) {
        /* SAFETY: the ring lets the pieces of a message sum up to its length and no more, which is the room. */
        unsigned char* const to = unexpected->data + unexpected->arrived;
        unexpected->arrived += link->rx.piece;
        dvi_take(link, to);
        if (link->rx.left == 0u) finish_unexpected(peer, unexpected);
    } else {
        take_into_request(link, peer->sink.request);
        if (link->rx.left == 0u) finish_request(peer, peer->sink.request);
    }
    return TAKEN;
}

/* ---- beginnings ---- */

static enum outcome begin_eager(struct dvm_peer* peer) {
    const uint64_t envelope = peer->link->rx.tag;
    const uint64_t length = peer->link->rx.length;
    struct dvm_request* const request = dvm_match_posted(peer, envelope);
    if (request != NULL) {
        dvm_set_result(request, peer->rank, envelope, length);
        request->done = 0;
        request->stage = DVM_MATCHED;
        dvm_interested(peer);
        peer->sink.request = request;
        return take_piece(peer);
    }
    /* No memory: it stays in the ring, as all that comes behind it. */
    peer->sink.unexpected = dvm_new_unexpected(peer, envelope, length, length);
    return peer->sink.unexpected == NULL ? LEFT : take_piece(peer);
}

/* Small messages of the protocol: copied before they are looked at. */
static bool take_exactly(struct dvi_link* link, void* to, size_t bytes) {
    if (link->rx.kind != DIVISI_SLOT_SMALL || link->rx.length != bytes) return false;
    dvi_take(link, to);
    return true;
}

static enum outcome begin_offer(struct dvm_peer* peer) {
    const uint64_t envelope = peer->link->rx.tag & ~DVM_KIND_MASK;
    const uint64_t position = peer->link->rx.taken_slots;
    struct dvm_offer offer;
    if (!take_exactly(peer->link, &offer, sizeof offer)) return NONSENSE;
    struct dvm_request* const request = dvm_match_posted(peer, envelope);
    if (request != NULL) {
        dvm_set_result(request, peer->rank, envelope, offer.length);
        dvm_accept(request, peer, offer.sender, &offer.lent);
        return TAKEN;
    }
    struct dvm_unexpected* const unexpected = dvm_new_unexpected(peer, envelope, offer.length, 0);
    if (unexpected == NULL) return NONSENSE;
    unexpected->offered = true;
    unexpected->position = position;
    unexpected->sender = offer.sender;
    unexpected->lent = offer.lent;
    return TAKEN;
}

static enum outcome take_acceptance(struct dvm_peer* peer) {
    struct dvm_acceptance acceptance;
    if (!take_exactly(peer->link, &acceptance, sizeof acceptance)) return NONSENSE;
    struct dvm_request* const request = dvm_transfer_find(acceptance.sender, peer->rank, DVM_OFFERED);
    if (request == NULL || acceptance.receiver > UINT32_MAX) return NONSENSE;
    if (acceptance.lent.loan != DVI_NO_LOAN) return dvm_copy_accepted(request, &acceptance) ? TAKEN : NONSENSE;
    if (request->copying != NULL) dvm_lent_in_vain(request);
    dvm_send_accepted(request, acceptance.receiver);
    return TAKEN;
}

static enum outcome take_copied(struct dvm_peer* peer) {
    struct dvm_copied copied;
    return take_exactly(peer->link, &copied, sizeof copied) && dvm_copied(peer, &copied) ? TAKEN : NONSENSE;
}

static enum outcome begin_data(struct dvm_peer* peer) {
    struct dvm_request* const request = dvm_transfer_find(peer->link->rx.tag >> 4, peer->rank, DVM_ARRIVING);
    if (request == NULL) return NONSENSE;
    request->received = peer->link->rx.length;
    peer->sink.request = request;
    return take_piece(peer);
}

static enum outcome take_withdrawal(struct dvm_peer* peer) {
    struct dvm_withdrawal withdrawal;
    return take_exactly(peer->link, &withdrawal, sizeof withdrawal) && dvm_withdraw(peer, &withdrawal) ? TAKEN
                                                                                                       : NONSENSE;
}

static enum outcome take_withdrawal_answer(struct dvm_peer* peer) {
    struct dvm_withdrawal_answer answer;
    return take_exactly(peer->link, &answer, sizeof answer) && dvm_withdrawal_answered(peer, &answer) ? TAKEN
                                                                                                      : NONSENSE;
}

static enum outcome take_next(struct dvm_peer* peer) {
    if (peer->sink.request != NULL || peer->sink.unexpected != NULL) return take_piece(peer);
    switch (peer->link->rx.tag & DVM_KIND_MASK) {
        case DVM_EAGER: return begin_eager(peer);
        case DVM_OFFER: return begin_offer(peer);
        case DVM_ACCEPT: return take_acceptance(peer);
        case DVM_DATA: return begin_data(peer);
        case DVM_WITHDRAW: return take_withdrawal(peer);
        case DVM_WITHDRAWN: return take_withdrawal_answer(peer);
        case DVM_COPIED: return take_copied(peer);
        default: return NONSENSE;
    }
}

bool dvm_drain(struct dvm_peer* peer) {
    bool moved = false;
    for (int pieces = 0; pieces < PIECES_A_TURN; ++pieces) {
        /* What comes next is left where it is until somebody wants it: to put it aside would be to copy it twice. */
        if (moved && peer->interest == 0 && !dvm_watches_all()) return true;
        const int seen = dvi_peek(peer->link);
        if (seen == DIVISI_RING_WAIT) return moved;
        const enum outcome outcome = seen == DIVISI_RING_BROKEN ? NONSENSE : take_next(peer);
        if (outcome == LEFT) return moved;
        if (outcome == NONSENSE) {
            peer->link->rx.stopped = DIVISI_RX_BROKEN;
            dvm_lose(peer);
            return true;
        }
        moved = true;
    }
    return moved;
}

void dvm_drop_arriving(struct dvm_peer* peer) {
    struct dvm_unexpected* const unexpected = peer->sink.unexpected;
    unexpected->lost = true;
    if (unexpected->claimed != NULL) {
        dvm_uninterested(peer);
        dvm_complete(unexpected->claimed, dvm_lost_error(peer));
        free(unexpected);
    } else if (unexpected->queued) {
        dvm_take_unexpected(unexpected);
        free(unexpected);
    }
}

/* ---- receives ---- */

void dvm_deliver(struct dvm_request* request, struct dvm_unexpected* unexpected) {
    struct dvm_peer* const peer = &engine.peers[unexpected->peer];
    dvm_set_result(request, unexpected->peer, unexpected->envelope, unexpected->length);
    request->done = 0;
    if (unexpected->lost) {
        dvm_complete(request, dvm_lost_error(peer));
    } else if (unexpected->self != NULL) {
        dvm_receive_from_self(request, unexpected->self);
    } else if (unexpected->offered) {
        dvm_accept(request, peer, unexpected->sender, &unexpected->lent);
    } else if (unexpected->arrived < unexpected->length) {
        unexpected->claimed = request;
        request->stage = DVM_MATCHED;
        dvm_interested(peer);
        return;
    } else {
        put(request, unexpected->data, unexpected->length);
        dvm_complete_receive(request);
    }
    free(unexpected);
}

void dvm_start_receive(struct dvm_request* request) {
    struct dvm_unexpected* const unexpected = dvm_find_unexpected(request->peer, request->envelope, request->mask);
    if (unexpected != NULL) {
        dvm_take_unexpected(unexpected);
        dvm_deliver(request, unexpected);
    } else if (request->peer != DVM_ANY_PEER && request->peer != dvm.rank &&
               (engine.peers[request->peer].link == NULL || engine.peers[request->peer].lost)) {
        dvm_complete(request, dvm_lost_error(&engine.peers[request->peer]));
    } else {
        dvm_post(request);
    }
}
