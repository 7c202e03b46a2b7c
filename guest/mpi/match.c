/* Matching: receives that wait for messages, and messages that wait for receives.
 *
 * MPI's order: messages of one peer match in the order in which they were sent, receives in the order in which they
 * were posted, whether they name a source or not. So each queue is searched from its front, and between a receive that
 * names the peer and one that takes any, the older wins. */
#include <stdlib.h>

#include "engine.h"

static struct dvm_request* find_posted(const struct dvm_queue* queue, uint64_t envelope) {
    for (struct dvm_item* item = queue->first; item != NULL; item = item->next) {
        struct dvm_request* const request = DVM_OF_ITEM(item, struct dvm_request);
        if ((envelope & request->mask) == request->envelope) return request;
    }
    return NULL;
}

struct dvm_request* dvm_match_posted(struct dvm_peer* peer, uint64_t envelope) {
    struct dvm_request* named = find_posted(&peer->posted, envelope);
    struct dvm_request* const any = find_posted(&engine.any, envelope);
    if (named == NULL || (any != NULL && any->serial < named->serial)) named = any;
    if (named != NULL) dvm_unpost(named);
    return named;
}

static struct dvm_unexpected* find_of_peer(uint32_t peer, uint64_t envelope, uint64_t mask) {
    for (struct dvm_item* item = engine.peers[peer].unexpected.first; item != NULL; item = item->next) {
        struct dvm_unexpected* const unexpected = DVM_OF_ITEM(item, struct dvm_unexpected);
        if ((unexpected->envelope & mask) == envelope) return unexpected;
    }
    return NULL;
}

struct dvm_unexpected* dvm_find_unexpected(uint32_t peer, uint64_t envelope, uint64_t mask) {
    struct dvm_unexpected* oldest = NULL;
    if (engine.unexpected_count == 0) return NULL;
    if (peer != DVM_ANY_PEER) return find_of_peer(peer, envelope, mask);
    for (uint32_t rank = 0; rank < dvm.size; ++rank) {
        struct dvm_unexpected* const found = find_of_peer(rank, envelope, mask);
        if (found != NULL && (oldest == NULL || found->serial < oldest->serial)) oldest = found;
    }
    return oldest;
}

struct dvm_unexpected* dvm_new_unexpected(struct dvm_peer* peer, uint64_t envelope, uint64_t length, uint64_t room) {
    struct dvm_unexpected* const unexpected = malloc(sizeof *unexpected + room);
    if (unexpected == NULL) return NULL;
    unexpected->envelope = envelope;
    unexpected->length = length;
    unexpected->arrived = 0;
    unexpected->serial = engine.serial++;
    unexpected->position = peer->link == NULL ? DVM_NOWHERE : peer->link->rx.taken_slots;
    unexpected->peer = peer->rank;
    unexpected->offered = false;
    unexpected->sender = 0;
    unexpected->lent.loan = DVI_NO_LOAN;
    unexpected->queued = true;
    unexpected->lost = false;
    unexpected->self = NULL;
    unexpected->claimed = NULL;
    dvm_queue_add(&peer->unexpected, &unexpected->item);
    ++engine.unexpected_count;
    ++engine.moves;
    return unexpected;
}

void dvm_take_unexpected(struct dvm_unexpected* unexpected) {
    struct dvm_peer* const peer = &engine.peers[unexpected->peer];
    dvm_queue_remove(&peer->unexpected, &unexpected->item);
    unexpected->queued = false;
    --engine.unexpected_count;
}

void dvm_post(struct dvm_request* request) {
    request->stage = DVM_POSTED;
    request->serial = engine.serial++;
    if (request->peer == DVM_ANY_PEER) {
        ++engine.wants;
        dvm_queue_add(&engine.any, &request->item);
        return;
    }
    struct dvm_peer* const peer = &engine.peers[request->peer];
    dvm_queue_add(&peer->posted, &request->item);
    dvm_interested(peer);
    if (!dvm_goes_whole(peer, request)) return;
    ++peer->whole;
    ++engine.whole[request->channel == DVM_COLLECTIVE];
}

void dvm_unpost(struct dvm_request* request) {
    if (request->peer == DVM_ANY_PEER) {
        dvm_queue_remove(&engine.any, &request->item);
        return;
    }
    struct dvm_peer* const peer = &engine.peers[request->peer];
    dvm_queue_remove(&peer->posted, &request->item);
    dvm_uninterested(peer);
    if (!dvm_goes_whole(peer, request)) return;
    --peer->whole;
    --engine.whole[request->channel == DVM_COLLECTIVE];
}
