/* Large messages that are copied once, from the sender's buffer to the receiver's, by both ends at the same time.
 *
 *   sender                                    receiver
 *   lends the message ──── offer ──────────►  a receive matches: lends the room for it
 *                     ◄─── acceptance ──────
 *   copies parts                              copies parts
 *                     ◄─── copied n parts ──  always
 *   if it did any ──────── copied m parts ─►
 *
 * The parts are taken on by a counter in the sender's ring: an end that comes late finds fewer of them, or none, and
 * nobody waits for an end that does something else. A buffer is lent until both ends have told: then nobody touches it
 * any more. Where the ends share a PU, the receiver copies it all.
 *
 * A message that the receiver sees (view.h) it copies by itself, and needs to ask nobody:
 *
 *   lends the message ──── offer ──────────►  a receive matches: copies all parts
 *                     ◄─── copied n parts ──
 */
#include <stdlib.h>
#include <string.h>

#include "engine.h"

/* Who copies with exits takes on half of the parts at once, or as many as keep it below that: an end that comes late
 * finds something to do. */
#define PART_BYTES 65536u
#define TURN_BYTES 4194304u
#define PARTS_BEGIN_AT 4096u
/* From here on the sender's help is worth its exit to a receiver that needs none. */
#define SHARED_FROM_BYTES 786432u
/* In place of a receiver's counter: it sees the message. */
#define SEES (DIVISI_RING_CLAIMS + 1u)

/* Below this a ring is the better way where the sender writes the buffer anew for each message: its lines are then in
 * that end's caches alone, one who copies gets them no faster than two who use a ring, and with the ring the sender
 * goes on. Who copies knows by the time it takes: measured, 9 to 14 bytes a ns, and 18 to 60 where both ends' caches
 * had them. */
#define RING_BEST_BELOW_BYTES 262144u
#define SLOW_BYTES_A_NS 14u
#define SLOW_COPIES 4u
#define TIMED_EVERY 8u

bool dvm_better_copied(const struct dvm_peer* peer, const struct dvm_request* send) {
    if (send->bytes < DVI_LEAST_LENT_BYTES || !send->datatype->contiguous) return false;
    if (send->bytes < RING_BEST_BELOW_BYTES && dvi_rests(peer->link, send->buffer)) return false;
    return dvi_view_pays(peer->link, send->buffer, send->bytes) != 0 || dvi_lending_pays(peer->link, send->bytes) != 0;
}

static struct dvm_copying* copying_of(uint64_t bytes) {
    struct dvm_copying* const copying = calloc(1, sizeof *copying);
    if (copying == NULL) return NULL;
    copying->own.loan = DVI_NO_LOAN;
    copying->bytes = bytes;
    const uint64_t parts = bytes / PART_BYTES;
    copying->parts = parts < 2u ? 2u : (uint32_t)parts;
    return copying;
}

void dvm_lend_message(struct dvm_request* send, struct dvm_peer* peer) {
    struct dvm_copying* const copying = copying_of(send->bytes);
    if (copying == NULL) return;
    copying->own = dvi_lend(peer->link, send->buffer, send->bytes, DIVISI_LOAN_READ);
    if (copying->own.loan == DVI_NO_LOAN)
        free(copying);
    else
        send->copying = copying;
}

/* SAFETY: the length is the sender's word; it must fit in the buffer, or the message is none for a copy. What of it the
 * sender lets be copied, the copy itself finds out. */
static bool can_copy(const struct dvm_request* receive, const struct dvm_peer* peer, const struct dvi_lent* message) {
    return receive->datatype->contiguous && receive->received <= receive->bytes && receive->received != 0 &&
           receive->received / PART_BYTES < UINT32_MAX / 2u && message->claim < DIVISI_RING_CLAIMS &&
           dvi_can_copy(peer->link, message) != 0;
}

/* The sender lets this buffer rest, then, and the next one that is slow will do. */
static bool better_sent(struct dvm_peer* peer, uint64_t bytes) {
    if (bytes >= RING_BEST_BELOW_BYTES || peer->slow_copies < SLOW_COPIES) return false;
    peer->slow_copies = SLOW_COPIES - 1u;
    return true;
}

bool dvm_take_lent(struct dvm_request* receive, struct dvm_peer* peer, const struct dvi_lent* message) {
    if (!can_copy(receive, peer, message) || better_sent(peer, receive->received)) return false;
    const void* const view = dvi_view(peer->link, message, receive->received);
    if (view == NULL && dvi_lending_pays(peer->link, receive->received) == 0) return false;
    struct dvm_copying* const copying = copying_of(receive->received);
    if (copying == NULL) return false;
    copying->theirs = *message;
    copying->view = view;
    if (view == NULL || receive->received >= SHARED_FROM_BYTES)
        copying->own = dvi_lend(peer->link, receive->buffer, receive->received, DIVISI_LOAN_WRITE);
    const bool both = copying->own.loan != DVI_NO_LOAN;
    if (view == NULL && !both) {
        free(copying);
        return false;
    }
    receive->copying = copying;
    if (both) {
        if (view != NULL) copying->own.claim = SEES;
        return false;
    }
    dvm_interested(peer);
    dvm_copy_soon(receive);
    return true;
}

void dvm_lent_in_vain(struct dvm_request* send) {
    dvi_view_in_vain(engine.peers[send->partner].link, send->buffer);
    dvm_end_copying(send);
}

void dvm_copy_soon(struct dvm_request* request) {
    request->stage = DVM_TO_COPY;
    dvm_queue_add(&engine.copies, &request->item);
}

bool dvm_copy_accepted(struct dvm_request* send, const struct dvm_acceptance* acceptance) {
    struct dvi_link* const link = engine.peers[send->partner].link;
    if (send->copying == NULL) return false;
    send->remote = acceptance->receiver;
    send->copying->theirs = acceptance->lent;
    divisi_tx_count(&link->tx, send->bytes);
    if (dvi_can_copy(link, &acceptance->lent))
        dvm_copy_soon(send);
    else
        send->stage = DVM_SHARED;
    return true;
}

/* ---- copying ---- */

static uint64_t part_begin(const struct dvm_copying* copying, uint32_t part) {
    if (part >= copying->parts) return copying->bytes;
    const uint64_t each = (copying->bytes / copying->parts + PARTS_BEGIN_AT - 1u) / PARTS_BEGIN_AT * PARTS_BEGIN_AT;
    const uint64_t begin = each * part;
    return begin < copying->bytes ? begin : copying->bytes;
}

static bool receives(const struct dvm_request* request) {
    return request->type != DVM_SEND;
}

static bool copy_parts(struct dvi_link* link, const struct dvm_request* request, uint32_t first, uint32_t end) {
    struct dvm_copying* const copying = request->copying;
    const uint64_t begin = part_begin(copying, first);
    const uint64_t bytes = part_begin(copying, end) - begin;
    if (copying->view != NULL) {
        memcpy(request->buffer + begin, copying->view + begin, bytes);
        if (dvi_view_stands()) return true;
        copying->view = NULL;
    }
    return dvi_copy_lent(link, &copying->theirs, receives(request), begin, request->buffer + begin, bytes) == 0;
}

/* How many parts to take on, of those from `next` on; 0: no more. */
static uint32_t parts_at_once(const struct dvi_link* link, const struct dvm_request* request, uint32_t next) {
    const struct dvm_copying* const copying = request->copying;
    if (next >= copying->parts) return 0;
    if (copying->view != NULL) return 1;
    if (!link->other_pu) return copying->parts;
    if (!receives(request) && copying->theirs.claim == SEES) {
        /* The receiver goes on while this end leaves and comes back. */
        const uint32_t left = copying->parts - next;
        const uint32_t meanwhile = (uint32_t)(dvi.lend_from / PART_BYTES) + 1u;
        return left > meanwhile ? (left - meanwhile + 1u) / 2u : 0;
    }
    const uint32_t half = (copying->parts + 1u) / 2u;
    return half < TURN_BYTES / PART_BYTES ? half : TURN_BYTES / PART_BYTES;
}

/* SAFETY: the counter is in memory that the peer writes: what comes from it is a part or not; and no more parts are
 * done than there are. */
static void copy(struct dvi_link* link, struct dvm_request* request) {
    struct dvm_copying* const copying = request->copying;
    if (copying->own.loan == DVI_NO_LOAN) {
        /* The sender was not asked, and takes on nothing. */
        copying->here = copying->parts;
        copying->failed = !copy_parts(link, request, 0, copying->parts);
        return;
    }
    struct divisi_ring* const ring = receives(request) ? link->rx.ring : link->tx.ring;
    const uint32_t claim = receives(request) ? copying->theirs.claim : copying->own.claim;
    while (copying->here < copying->parts) {
        const uint32_t step = parts_at_once(link, request, dvi_claimed(ring, claim));
        if (step == 0) return;
        const uint32_t first = dvi_claim(ring, claim, step);
        if (first >= copying->parts) return;
        const uint32_t end = copying->parts - first < step ? copying->parts : first + step;
        /* After a failure the rest is taken on and left. */
        if (!copying->failed) copying->failed = !copy_parts(link, request, first, end);
        copying->here += end - first;
    }
}

/* The same, with an eye on the clock now and then. */
static void copy_and_judge(struct dvm_peer* peer, struct dvm_request* request) {
    const uint64_t bytes = request->copying->bytes;
    const bool timed =
        receives(request) && bytes < RING_BEST_BELOW_BYTES && peer->link->other_pu && ++peer->copies % TIMED_EVERY == 0;
    const uint64_t begin = timed ? divisi_time_ns() : 0;
    copy(peer->link, request);
    if (!timed) return;
    if (bytes < SLOW_BYTES_A_NS * (divisi_time_ns() - begin))
        ++peer->slow_copies;
    else
        peer->slow_copies = 0;
}

/* What it has come to, for the user. */
static int error_of(const struct dvm_request* request, const struct dvm_copying* copying) {
    const struct dvm_peer* const peer = &engine.peers[request->partner];
    if ((copying->failed || copying->failed_there) && dvi_gone(peer->link)) return dvm_lost_error(peer);
    if (copying->failed)
        return dvm_fail(MPI_ERR_BUFFER, "a buffer of %llu bytes, or that of rank %u of the job, is not all in memory",
                        (unsigned long long)copying->bytes, request->partner);
    if (copying->failed_there)
        return dvm_fail(MPI_ERR_BUFFER, "rank %u of the job could not copy a message of %llu bytes", request->partner,
                        (unsigned long long)copying->bytes);
    return MPI_SUCCESS;
}

/* The receiver always tells; the sender only if it copied something. */
static bool both_done(const struct dvm_request* request) {
    const struct dvm_copying* const copying = request->copying;
    return request->stage == DVM_SHARED && (copying->told || (receives(request) && copying->here == copying->parts));
}

/* false: they do not make up the message. */
static bool finish_if_done(struct dvm_request* request) {
    if (!both_done(request)) return true;
    const struct dvm_copying copying = *request->copying;
    if (copying.here + copying.there != copying.parts) return false;
    dvm_transfer_end(request);
    dvm_uninterested(&engine.peers[request->partner]);
    const int error = error_of(request, &copying);
    if (error != MPI_SUCCESS || !receives(request))
        dvm_complete(request, error);
    else
        dvm_complete_receive(request);
    return true;
}

void dvm_copy_all(void) {
    /* Who sleeps for what has just been sent can work beside us. */
    dvi_wake_held();
    while (!dvm_queue_empty(&engine.copies)) {
        struct dvm_request* const request = DVM_OF_ITEM(engine.copies.first, struct dvm_request);
        struct dvm_peer* const peer = &engine.peers[request->partner];
        dvm_queue_remove(&engine.copies, &request->item);
        copy_and_judge(peer, request);
        request->stage = DVM_SHARED;
        if (receives(request) || request->copying->here != 0)
            dvm_send_word(request, peer, DVM_TELLING);
        else if (!finish_if_done(request))
            dvm_lose(peer);
    }
}

/* ---- telling ---- */

void dvm_describe_copied(const struct dvm_request* request, struct dvm_copied* copied) {
    copied->transfer = request->remote;
    copied->parts = request->copying->here;
    copied->failed = request->copying->failed;
}

void dvm_copied_told(struct dvm_request* request) {
    struct dvm_peer* const peer = &engine.peers[request->partner];
    request->stage = DVM_SHARED;
    if (!finish_if_done(request)) dvm_lose(peer);
}

bool dvm_copied(struct dvm_peer* peer, const struct dvm_copied* copied) {
    struct dvm_request* const request = dvm_transfer_at(copied->transfer, peer->rank);
    if (request == NULL || request->copying == NULL || request->copying->told) return false;
    struct dvm_copying* const copying = request->copying;
    if (copied->parts > copying->parts || copied->failed > 1u) return false;
    if (request->stage == DVM_OFFERED && copied->parts == copying->parts) {
        /* The receiver sees it, and did not have to accept it. */
        divisi_tx_count(&peer->link->tx, request->bytes);
        request->stage = DVM_SHARED;
    } else if (request->stage != DVM_TO_COPY && request->stage != DVM_TELLING && request->stage != DVM_SHARED) {
        return false;
    }
    copying->told = true;
    copying->there = copied->parts;
    copying->failed_there = copied->failed != 0u;
    return finish_if_done(request);
}

void dvm_end_copying(struct dvm_request* request) {
    if (request->copying->own.loan != DVI_NO_LOAN)
        dvi_take_back(engine.peers[request->partner].link, &request->copying->own);
    free(request->copying);
    request->copying = NULL;
}
