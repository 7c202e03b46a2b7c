#include "engine.h"

#include <sched.h>
#include <stdlib.h>

struct dvm_engine engine;

static int allocate(uint32_t size) {
    engine.peers = calloc(size, sizeof *engine.peers);
    engine.busy = calloc(size, sizeof *engine.busy);
    /* Of each link its data and its space. */
    engine.conditions = calloc(2 * (size_t)size, sizeof *engine.conditions);
    engine.staging_bytes = DIVISI_SLOT_PAYLOAD_BYTES;
    if (dvi.page != NULL) engine.staging_bytes = DIVISI_RING_MAX_BYTES;
    engine.staging = malloc(engine.staging_bytes);
    return engine.peers != NULL && engine.busy != NULL && engine.conditions != NULL && engine.staging != NULL;
}

int dvm_engine_start(void) {
    dvi.describe = dvm_describe;
    if (!allocate(dvm.size)) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for %u peers", dvm.size);
    for (uint32_t rank = 0; rank < dvm.size; ++rank) {
        engine.peers[rank].rank = rank;
        if (dvi.page != NULL && rank != dvm.rank && dvi.links[rank].tx.ring != NULL)
            engine.peers[rank].link = &dvi.links[rank];
    }
    return MPI_SUCCESS;
}

void dvm_interested(struct dvm_peer* peer) {
    if (peer->interest++ == 0) ++engine.wants;
    ++engine.interests;
    if (peer->listed || peer->link == NULL) return;
    peer->listed = true;
    engine.busy[engine.busy_count++] = peer->rank;
}

/* ---- progress ---- */

static bool move(struct dvm_peer* peer) {
    bool moved = false;
    if (peer->link == NULL || peer->lost) return false;
    /* ORDER: looked at before the ring: what was sent before the peer went has then arrived. */
    const bool gone = dvi_gone(peer->link);
    if (!dvm_queue_empty(&peer->outgoing)) moved = dvm_push(peer);
    moved = dvm_drain(peer) || moved;
    if (gone && !moved && peer->link->rx.stopped != DIVISI_RX_HELD) {
        dvm_lose(peer);
        return true;
    }
    return moved;
}

static bool move_all(void) {
    bool moved = false;
    for (uint32_t i = 0; i < dvi.linked_count; ++i) moved = move(&engine.peers[dvi.linked[i]]) || moved;
    return moved;
}

static bool move_busy(void) {
    bool moved = false;
    for (uint32_t i = 0; i < engine.busy_count;) {
        struct dvm_peer* const peer = &engine.peers[engine.busy[i]];
        if (peer->interest == 0) {
            peer->listed = false;
            engine.busy[i] = engine.busy[--engine.busy_count];
            continue;
        }
        moved = move(peer) || moved;
        ++i;
    }
    return moved;
}

bool dvm_progress(void) {
    ++engine.looks;
    bool moved = dvm_watches_all() ? move_all() : move_busy();
    if (!dvm_queue_empty(&engine.copies)) {
        dvm_copy_all();
        moved = true;
    }
    moved = dvm_schedules_advance() || moved;
    if (engine.later != NULL) engine.later();
    if (moved) ++engine.moves;
    return moved;
}

/* A look costs a fraction of a microsecond, to let others by a system call and, if they have something to do, their
 * time slice. */
#define POLLS_BEFORE_OTHERS 32

bool dvm_poll(void) {
    static uint32_t in_vain;
    if (dvm_progress()) {
        in_vain = 0;
        return true;
    }
    if (++in_vain < POLLS_BEFORE_OTHERS || dvm.locks || dvi.page == NULL || dvi.page->pu_ranks < 2) return false;
    in_vain = 0;
    sched_yield();
    return dvm_progress();
}

/* ---- waiting ---- */

static void add_condition(uint32_t* count, struct dvi_link* link, enum dvi_wanted wanted, uint32_t slots,
                          uint32_t bulk) {
    const struct dvi_condition condition = {link, wanted, slots, bulk};
    engine.conditions[(*count)++] = condition;
}

static void add_peer(uint32_t* count, struct dvm_peer* peer) {
    if (peer->link == NULL || peer->lost) return;
    add_condition(count, peer->link, DVI_DATA, 0, 0);
    if (!dvm_queue_empty(&peer->outgoing)) add_condition(count, peer->link, DVI_SPACE, 1, dvm_space_wanted(peer));
}

uint32_t dvm_collect_conditions(void) {
    uint32_t count = 0;
    if (dvm_watches_all()) {
        for (uint32_t i = 0; i < dvi.linked_count; ++i) add_peer(&count, &engine.peers[dvi.linked[i]]);
        return count;
    }
    for (uint32_t i = 0; i < engine.busy_count; ++i)
        if (engine.peers[engine.busy[i]].interest != 0) add_peer(&count, &engine.peers[engine.busy[i]]);
    return count;
}

/* Nothing else has to do with this peer than one message of a collective operation, which waits for room. */
static bool waits_for_room(const struct dvm_peer* peer) {
    if (peer->interest != 1 || dvm_queue_empty(&peer->outgoing)) return false;
    const struct dvm_request* const request = DVM_OF_ITEM(peer->outgoing.first, struct dvm_request);
    return request->stage == DVM_EAGER_OUT && request->channel == DVM_COLLECTIVE;
}

static bool all_whole(const struct dvm_peer* peer) {
    return peer->interest == peer->whole;
}

/* Of two, the one whose message is there later, as far as can be guessed: one who shares our PU cannot have run since
 * we last looked. `last`: NULL, or the later of those before. */
static struct dvm_peer* later_of(struct dvm_peer* last, struct dvm_peer* peer) {
    return last == NULL || last->link->other_pu || !peer->link->other_pu ? peer : last;
}

/* The last of them. NULL: there is one of another kind. */
static struct dvm_peer* last_of(bool (*kind)(const struct dvm_peer* peer)) {
    struct dvm_peer* last = NULL;
    for (uint32_t i = 0; i < engine.busy_count; ++i) {
        struct dvm_peer* const peer = &engine.peers[engine.busy[i]];
        if (peer->interest == 0) continue;
        if (peer->lost || !kind(peer)) return NULL;
        last = later_of(last, peer);
    }
    return last;
}

/* To be woken by each message, where all of several are waited for, would be to be switched to as often as there are
 * ranks: the last is enough. That is so where all that is under way is of one collective operation, and is either
 *
 * - messages to come, each of which goes out whole without our help: their senders need nothing of us, nor does anybody
 *   else, as we have nothing to send; or
 * - messages that wait for room, and none to come: who makes room waits for nobody but us. (Whoever is in an operation
 *   that we take part in needs no one who has left it: MPI lets operations wait for all.) */
static bool collect_last(const struct dvm_waited* waited) {
    uint32_t count = 0;
    const bool of_request = waited->request != NULL && waited->request->type == DVM_SCHEDULED && !waited->any;
    const uint32_t messages = of_request ? dvm_schedule_messages(waited->request->schedule) : waited->messages;
    if (messages < 2 || messages != engine.interests || dvm_watches_all()) return false;
    const bool receives = engine.whole[1] == messages;
    const struct dvm_peer* const last = last_of(receives ? all_whole : waits_for_room);
    if (last == NULL) return false;
    if (receives)
        add_condition(&count, last->link, DVI_DATA, 0, 0);
    else
        add_condition(&count, last->link, DVI_SPACE, 1, dvm_space_wanted(last));
    return true;
}

/* The same of receives of the program's own, of which one is waited for, or all, where no collective operation is under
 * way, whose other ranks might wait for us. Their sends might be synchronous, and need us to answer before those send
 * that we wait for; so that is done for a while only, and no more once it was so. The while is longer than the host's
 * ticks are apart: a timer that is not the next to go off costs nothing. */
#define PATIENCE_NS 12000000u

static struct dvm_peer* later_sender(struct dvm_peer* last, const struct dvm_request* request) {
    if (request == NULL || request->stage != DVM_POSTED || engine.peers[request->peer].lost) return last;
    return later_of(last, &engine.peers[request->peer]);
}

static bool collect_last_of_all(const struct dvm_waited* waited) {
    uint32_t count = 0;
    if (engine.needed || engine.whole[0] < 2 || engine.whole[0] != engine.interests || waited->request == NULL ||
        waited->any || dvm_watches_all())
        return false;
    struct dvm_peer* last = waited->count == 0 ? later_sender(NULL, waited->request) : NULL;
    for (int i = 0; i < waited->count; ++i) last = later_sender(last, dvm_request_of(waited->all[i]));
    if (last != NULL) add_condition(&count, last->link, DVI_DATA, 0, 0);
    return last != NULL;
}

/* Whether anything moved. */
static bool idle_patiently(void) {
    const uint64_t helped = engine.helped;
    dvi_wait_within(engine.conditions, PATIENCE_NS);
    if (dvi_peek(engine.conditions[0].link) != DIVISI_RING_WAIT) return true;
    const bool moved = dvm_progress();
    if (engine.helped != helped) engine.needed = true;
    return moved;
}

static void idle_alone(const struct dvm_waited* waited) {
    if (collect_last_of_all(waited) && idle_patiently()) return;
    const uint32_t count = collect_last(waited) ? 1 : dvm_collect_conditions();
    if (count != 0) {
        dvi_wait(engine.conditions, count);
    } else if (engine.generalized != 0 || dvm.thread_level >= MPI_THREAD_SERIALIZED) {
        /* Nothing can come over a link, but another thread may do something. */
        dvi_wake_held();
        sched_yield();
    } else {
        dvm_abort(1,
                  "deadlock: this rank waits for what only itself could send or receive, and it does nothing but wait");
    }
}

void dvm_idle(const struct dvm_waited* waited) {
    if (dvm.locks) {
        dvm_idle_among_threads(waited);
        return;
    }
    engine.waited = waited;
    idle_alone(waited);
    engine.waited = NULL;
}

/* ---- peers that are lost ---- */

int dvm_lost_error(const struct dvm_peer* peer) {
    const bool garbage =
        peer->link != NULL && (peer->link->rx.stopped == DIVISI_RX_BROKEN || peer->link->tx.broken != 0u);
    return dvm_fail(MPI_ERR_PROC_ABORTED, "rank %u of the job (node %d) %s", peer->rank,
                    divisi_node_of((int)peer->rank), garbage ? "wrote garbage into its channel" : "is gone");
}

static void fail_all(struct dvm_queue* queue, struct dvm_peer* peer, bool posted) {
    while (!dvm_queue_empty(queue)) {
        struct dvm_request* const request = DVM_OF_ITEM(queue->first, struct dvm_request);
        if (posted)
            dvm_unpost(request);
        else
            dvm_queue_remove(queue, &request->item);
        if (!posted) dvm_uninterested(peer);
        dvm_complete(request, dvm_lost_error(peer));
    }
}

/* Those that wait for something of the peer, beyond its queues. */
static void fail_transfers(struct dvm_peer* peer) {
    for (uint32_t i = 0; i < engine.transfer_room; ++i) {
        struct dvm_request* const request = engine.transfers[i];
        if (request == NULL || request->partner != peer->rank) continue;
        dvm_transfer_end(request);
        if (request->stage == DVM_TO_COPY) dvm_queue_remove(&engine.copies, &request->item);
        /* What is to be told is in `outgoing`. */
        if (request->stage == DVM_TELLING) dvm_uninterested(peer);
        if (request->stage == DVM_OFFERED || request->stage == DVM_ARRIVING || request->stage == DVM_ASKED ||
            request->stage == DVM_TO_COPY || request->stage == DVM_SHARED) {
            dvm_uninterested(peer);
            dvm_complete(request, dvm_lost_error(peer));
        }
    }
}

/* A receive from any source might have waited for just this peer: whoever waits is told, once. */
static void fail_any(const struct dvm_peer* peer) {
    for (struct dvm_item* item = engine.any.first; item != NULL;) {
        struct dvm_request* const request = DVM_OF_ITEM(item, struct dvm_request);
        item = item->next;
        if (dvm_group_rank(request->comm->remote, peer->rank) == MPI_UNDEFINED) continue;
        dvm_unpost(request);
        dvm_complete(request, dvm_lost_error(peer));
    }
}

void dvm_lose(struct dvm_peer* peer) {
    peer->lost = true;
    if (peer->sink.request != NULL) {
        dvm_uninterested(peer);
        dvm_complete(peer->sink.request, dvm_lost_error(peer));
    }
    if (peer->sink.unexpected != NULL) dvm_drop_arriving(peer);
    peer->sink.request = NULL;
    peer->sink.unexpected = NULL;
    fail_transfers(peer);
    fail_all(&peer->outgoing, peer, false);
    fail_all(&peer->posted, peer, true);
    fail_any(peer);
}
