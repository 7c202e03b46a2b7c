/* Cancelling a send: before it went out, it simply stays here; after that it is withdrawn, if the receiver still has
 * it, unmatched. In either case it either is received or is cancelled, and never both: the receiver alone decides, in
 * the order in which messages come, and an acceptance that it sent before its answer arrives before it. */
#include <stdlib.h>

#include "engine.h"

/* The message that came, or is offered, at this place and is not matched; NULL: there is none. */
static struct dvm_unexpected* find_at(const struct dvm_peer* peer, uint64_t position) {
    for (struct dvm_item* item = peer->unexpected.first; item != NULL; item = item->next) {
        struct dvm_unexpected* const unexpected = DVM_OF_ITEM(item, struct dvm_unexpected);
        if (unexpected->position == position) return unexpected;
    }
    return NULL;
}

/* ---- the sender's side ---- */

/* What of the send is under way: of a buffered one, its copy. */
static struct dvm_request* moving(struct dvm_request* send) {
    return send->copy != NULL ? send->copy : send;
}

static void end_cancelled(struct dvm_request* send) {
    struct dvm_request* const under_way = moving(send);
    send->cancelled = true;
    if (under_way->stage != DVM_COMPLETE) dvm_complete(under_way, MPI_SUCCESS);
}

static void cancel_own(struct dvm_request* send) {
    struct dvm_unexpected* const own = find_at(&engine.peers[dvm.rank], moving(send)->position);
    if (own == NULL) return;
    dvm_take_unexpected(own);
    free(own);
    end_cancelled(send);
}

static void ask(struct dvm_request* send, struct dvm_peer* peer) {
    struct dvm_request* const withdrawal = dvm_request_new(DVM_WITHDRAWAL);
    if (withdrawal == NULL) return;
    if (!dvm_transfer_new(withdrawal)) {
        dvm_request_delete(withdrawal);
        return;
    }
    withdrawal->peer = withdrawal->partner = peer->rank;
    withdrawal->position = moving(send)->position;
    withdrawal->target = send;
    send->companion = withdrawal;
    dvm_send_word(withdrawal, peer, DVM_ASKING);
}

void dvm_cancel_send(struct dvm_request* send) {
    struct dvm_request* const under_way = moving(send);
    struct dvm_peer* const peer = under_way->peer == DVM_ANY_PEER ? NULL : &engine.peers[under_way->peer];
    if (send->stage == DVM_IDLE || send->companion != NULL || send->cancelled || peer == NULL) return;
    if (peer->rank == dvm.rank) {
        cancel_own(send);
    } else if ((under_way->stage == DVM_EAGER_OUT || under_way->stage == DVM_OFFERING) && under_way->done == 0) {
        dvm_queue_remove(&peer->outgoing, &under_way->item);
        dvm_uninterested(peer);
        if (under_way->stage == DVM_OFFERING) dvm_transfer_end(under_way);
        end_cancelled(send);
    } else if (under_way->stage != DVM_DATA_OUT && under_way->position != DVM_NOWHERE && !dvm_unreachable(peer)) {
        /* Of one that has gone in part, the rest goes before the question. */
        ask(send, peer);
    }
}

/* SAFETY: a number that is not of a withdrawal is nonsense; so is an answer that takes back what was accepted. */
bool dvm_withdrawal_answered(struct dvm_peer* peer, const struct dvm_withdrawal_answer* answer) {
    struct dvm_request* const withdrawal = dvm_transfer_find(answer->sender, peer->rank, DVM_ASKED);
    if (withdrawal == NULL || answer->withdrawn > 1) return false;
    struct dvm_request* const send = withdrawal->target;
    dvm_transfer_end(withdrawal);
    dvm_uninterested(peer);
    if (answer->withdrawn == 1 && send != NULL) {
        struct dvm_request* const under_way = moving(send);
        const bool offered = under_way->stage == DVM_OFFERED;
        if (!offered && under_way->stage != DVM_COMPLETE) {
            dvm_complete(withdrawal, MPI_SUCCESS);
            return false;
        }
        if (offered) dvm_transfer_end(under_way);
        if (offered) dvm_uninterested(peer);
        end_cancelled(send);
    }
    dvm_complete(withdrawal, MPI_SUCCESS);
    return true;
}

void dvm_forget_send(struct dvm_request* send) {
    struct dvm_request* const withdrawal = send->companion;
    if (send->copy != NULL) send->copy->target = NULL;
    if (send->target != NULL) send->target->copy = NULL;
    send->copy = send->target = NULL;
    if (withdrawal == NULL || withdrawal->type != DVM_WITHDRAWAL) return;
    send->companion = NULL;
    withdrawal->target = NULL;
    if (withdrawal->stage == DVM_COMPLETE)
        dvm_request_delete(withdrawal);
    else
        withdrawal->forgotten = true;
}

/* ---- the receiver's side ---- */

bool dvm_withdraw(struct dvm_peer* peer, const struct dvm_withdrawal* withdrawal) {
    struct dvm_unexpected* const unexpected = find_at(peer, withdrawal->position);
    ++engine.helped;
    struct dvm_request* const answer = dvm_request_new(DVM_WITHDRAWAL);
    if (answer == NULL) return false;
    answer->peer = answer->partner = peer->rank;
    answer->remote = withdrawal->sender;
    answer->received = unexpected != NULL;
    answer->forgotten = true;
    if (unexpected != NULL) {
        dvm_take_unexpected(unexpected);
        free(unexpected);
    }
    dvm_send_word(answer, peer, DVM_ANSWERING);
    return true;
}
