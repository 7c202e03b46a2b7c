#include "internal.h"
#include "link.h"

/* ---- sending ---- */

/* Waits until `bulk` bytes and a slot are free. */
static int wait_for_space(struct dvi_link* link, uint32_t bulk) {
    const struct dvi_condition condition = {link, DVI_SPACE, 1, bulk};
    dvi_wait(&condition, 1);
    if (link->tx.broken != 0u) return dvi_fail(DIVISI_EPROTO, (int)link->rank);
    if (dvi_gone(link)) return dvi_fail(DIVISI_EPEER, (int)link->rank);
    return DIVISI_OK;
}

static int send_small(struct dvi_link* link, uint64_t tag, const void* data, uint32_t length, int wait) {
    for (;;) {
        const int sent = dvi_send_small(link, tag, data, length);
        if (sent == DIVISI_RING_OK) return DIVISI_OK;
        if (sent == DIVISI_RING_BROKEN) return dvi_fail(DIVISI_EPROTO, (int)link->rank);
        if (!wait) return DIVISI_EAGAIN;
        const int result = wait_for_space(link, 0);
        if (result != DIVISI_OK) return result;
    }
}

/* Waits until the next piece of a message of `length` bytes fits. */
static int wait_for_piece(struct dvi_link* link, size_t length) {
    const int result = wait_for_space(link, divisi_round_to_lines(divisi_tx_next_piece(&link->tx, length)));
    /* A message without its end: nothing can follow it. */
    if (result != DIVISI_OK && link->tx.left != 0u) link->tx.broken = 1;
    return result;
}

static int send_large(struct dvi_link* link, uint64_t tag, const void* data, size_t length) {
    for (;;) {
        const int sent = dvi_send_piece_of(link, tag, data, length);
        if (sent == DIVISI_RING_BROKEN) return dvi_fail(DIVISI_EPROTO, (int)link->rank);
        if (sent == DIVISI_RING_OK) {
            if (link->tx.left == 0u) return DIVISI_OK;
        } else {
            const int result = wait_for_piece(link, length);
            if (result != DIVISI_OK) return result;
        }
    }
}

static struct dvi_link* link_for_sending(int to, const void* data, size_t length, int* result) {
    if (length != 0 && (data == NULL || length > (size_t)INT64_MAX)) {
        *result = dvi_fail(DIVISI_EINVAL, to);
        return NULL;
    }
    struct dvi_link* const link = dvi_link_to(to, result);
    if (link != NULL && dvi_gone(link)) {
        *result = dvi_fail(DIVISI_EPEER, to);
        return NULL;
    }
    return link;
}

int divisi_send(int to, uint64_t tag, const void* data, size_t length) {
    int result = DIVISI_OK;
    struct dvi_link* const link = link_for_sending(to, data, length, &result);
    if (link == NULL) return result;
    dvi.call = __func__;
    if (length <= DIVISI_SLOT_PAYLOAD_BYTES) return send_small(link, tag, data, (uint32_t)length, 1);
    return send_large(link, tag, data, length);
}

int divisi_try_send(int to, uint64_t tag, const void* data, size_t length) {
    int result = DIVISI_OK;
    struct dvi_link* const link = link_for_sending(to, data, length, &result);
    if (link == NULL) return result;
    if (length <= DIVISI_SLOT_PAYLOAD_BYTES) return send_small(link, tag, data, (uint32_t)length, 0);
    if (length > link->tx.bulk_bytes) return dvi_fail(DIVISI_E2BIG, to);
    if (divisi_tx_large_fits(&link->tx, length)) return send_large(link, tag, data, length);
    return link->tx.broken != 0u ? dvi_fail(DIVISI_EPROTO, to) : DIVISI_EAGAIN;
}

size_t divisi_try_send_max(void) {
    size_t least = 0;
    for (uint32_t i = 0; i < dvi.linked_count; ++i) {
        const uint32_t bytes = dvi.links[dvi.linked[i]].tx.bulk_bytes;
        if (i == 0 || bytes < least) least = bytes;
    }
    return least;
}

/* ---- receiving ---- */

/* Before a wait, for what is under way. */
#define LOOKS 500u

/* Waits for the next slot of `link`. */
static int await_slot(struct dvi_link* link) {
    for (;;) {
        const int seen = dvi_peek_for(link, LOOKS);
        if (seen == DIVISI_RING_OK) return DIVISI_OK;
        if (seen == DIVISI_RING_BROKEN) return dvi_fail(DIVISI_EPROTO, (int)link->rank);
        /* What was sent before the peer went is still received: so look again after having seen that it is gone. */
        if (dvi_gone(link) && dvi_peek(link) == DIVISI_RING_WAIT && dvi_hopeless(link))
            return dvi_fail(DIVISI_EPEER, (int)link->rank);
        const struct dvi_condition condition = {link, DVI_DATA, 0, 0};
        dvi_wait(&condition, 1);
    }
}

/* The next link after the one served last that has something (or is broken); NULL if none has. */
static struct dvi_link* find_any(void) {
    for (uint32_t i = 0; i < dvi.linked_count; ++i) {
        uint32_t at = dvi.next_any + i;
        if (at >= dvi.linked_count) at -= dvi.linked_count;
        struct dvi_link* const link = &dvi.links[dvi.linked[at]];
        if (link->rx.stopped != DIVISI_RX_BROKEN && dvi_peek(link) != DIVISI_RING_WAIT) {
            dvi.next_any = at + 1u == dvi.linked_count ? 0u : at + 1u;
            return link;
        }
    }
    return NULL;
}

/* Conditions for every peer that can still send; how many. */
static uint32_t collect_live(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < dvi.linked_count; ++i) {
        struct dvi_link* const link = &dvi.links[dvi.linked[i]];
        if (link->rx.stopped == DIVISI_RX_BROKEN || dvi_hopeless(link)) continue;
        const struct dvi_condition condition = {link, DVI_DATA, 0, 0};
        dvi.any[count++] = condition;
    }
    return count;
}

static struct dvi_link* await_any(int wait, int* result) {
    for (;;) {
        /* Collected before the look: a peer that goes in between is then seen as gone after its last message. */
        const uint32_t live = wait ? collect_live() : 0;
        struct dvi_link* const link = find_any();
        if (link != NULL && link->rx.stopped != DIVISI_RX_BROKEN) return link;
        if (link != NULL) {
            *result = dvi_fail(DIVISI_EPROTO, (int)link->rank);
            return NULL;
        }
        if (!wait) {
            *result = DIVISI_EAGAIN;
            return NULL;
        }
        if (live == 0) {
            *result = dvi_fail(dvi.linked_count == 0 ? DIVISI_ENOLINK : DIVISI_EPEER, -1);
            return NULL;
        }
        dvi_wait(dvi.any, live);
    }
}

/* A link with a message at its head, or NULL with the reason. */
static struct dvi_link* find_message(int from, int wait, int* result) {
    if (from == DIVISI_ANY) {
        if (dvi.setup == DIVISI_OK) return await_any(wait, result);
        *result = dvi_fail(DIVISI_ESETUP, -1);
        return NULL;
    }
    struct dvi_link* const link = dvi_link_to(from, result);
    if (link == NULL) return NULL;
    if (!wait && dvi_peek(link) == DIVISI_RING_WAIT && !dvi_gone(link)) {
        *result = DIVISI_EAGAIN;
        return NULL;
    }
    *result = await_slot(link);
    return *result == DIVISI_OK ? link : NULL;
}

static void tell(const struct dvi_link* link, struct divisi_status* status) {
    if (status == NULL) return;
    status->source = (int)link->rank;
    status->tag = link->rx.tag;
    status->length = link->rx.length;
}

static int take_message(struct dvi_link* link, void* buffer) {
    for (;;) {
        dvi_take(link, buffer == NULL ? NULL : (unsigned char*)buffer + (link->rx.length - link->rx.left));
        if (link->rx.left == 0u) return DIVISI_OK;
        const int result = await_slot(link);
        if (result != DIVISI_OK) {
            link->rx.stopped = DIVISI_RX_BROKEN;
            return result;
        }
    }
}

static int receive(int from, int wait, void* buffer, size_t capacity, struct divisi_status* status) {
    int result = DIVISI_OK;
    if (buffer == NULL && capacity != 0) return dvi_fail(DIVISI_EINVAL, from);
    struct dvi_link* const link = find_message(from, wait, &result);
    if (link == NULL) return result;
    tell(link, status);
    if (link->rx.length > capacity) return dvi_fail(DIVISI_ETRUNC, (int)link->rank);
    return take_message(link, buffer);
}

int divisi_recv(int from, void* buffer, size_t capacity, struct divisi_status* status) {
    dvi.call = __func__;
    return receive(from, 1, buffer, capacity, status);
}

int divisi_try_recv(int from, void* buffer, size_t capacity, struct divisi_status* status) {
    return receive(from, 0, buffer, capacity, status);
}

static int probe(int from, int wait, struct divisi_status* status) {
    int result = DIVISI_OK;
    const struct dvi_link* const link = find_message(from, wait, &result);
    if (link != NULL) tell(link, status);
    return result;
}

int divisi_probe(int from, struct divisi_status* status) {
    dvi.call = __func__;
    return probe(from, 1, status);
}

int divisi_try_probe(int from, struct divisi_status* status) {
    return probe(from, 0, status);
}

int divisi_discard(int from, struct divisi_status* status) {
    int result = DIVISI_OK;
    dvi.call = __func__;
    struct dvi_link* const link = find_message(from, 1, &result);
    if (link == NULL) return result;
    tell(link, status);
    return take_message(link, NULL);
}

/* ---- waiting for either ---- */

/* What has to be free for divisi_try_send of `length` bytes to succeed. */
static struct dvi_condition space_for(struct dvi_link* link, size_t length) {
    struct dvi_condition condition = {link, DVI_SPACE, 1, 0};
    if (length > DIVISI_SLOT_PAYLOAD_BYTES) {
        condition.count = divisi_tx_pieces(&link->tx, length);
        condition.bulk = divisi_round_to_lines((uint32_t)length);
    }
    return condition;
}

int divisi_wait_any(int from, const struct divisi_sending* sendings, size_t count) {
    int result = DIVISI_OK;
    struct dvi_condition* const conditions = dvi.any;
    dvi.call = __func__;
    if (dvi.setup != DIVISI_OK) return dvi_fail(DIVISI_ESETUP, -1);
    if (count > dvi.linked_count) return dvi_fail(DIVISI_EINVAL, -1);
    uint32_t waits = 0;
    if (from == DIVISI_ANY) {
        waits = collect_live();
    } else if (from != DIVISI_NONE) {
        const struct dvi_condition condition = {dvi_link_to(from, &result), DVI_DATA, 0, 0};
        if (condition.link == NULL) return result;
        conditions[waits++] = condition;
    }
    for (size_t i = 0; i < count; ++i) {
        struct dvi_link* const link = dvi_link_to(sendings[i].to, &result);
        if (link == NULL) return result;
        if (sendings[i].length > link->tx.bulk_bytes) return dvi_fail(DIVISI_E2BIG, sendings[i].to);
        conditions[waits++] = space_for(link, sendings[i].length);
    }
    if (waits == 0) return dvi_fail(DIVISI_EPEER, -1);
    dvi_wait(conditions, waits);
    return DIVISI_OK;
}
