/* What goes over a link, one slot or piece at a time, and wakes whoever sleeps for it. Nothing here waits.
 *
 * Everything that libdivisi and the MPI library send and receive passes through these few functions.
 * Errors: DIVISI_RING_WAIT: not now; DIVISI_RING_BROKEN: the peer broke the rules, and the link is of no use any more.
 */
#ifndef DIVISI_GUEST_LINK_H
#define DIVISI_GUEST_LINK_H

#include "internal.h"

/* A message of at most 48 bytes. No large one may be under way. */
static inline int dvi_send_small(struct dvi_link* link, uint64_t tag, const void* data, uint32_t bytes) {
    const int sent = divisi_tx_small(&link->tx, tag, data, bytes);
    if (sent == DIVISI_RING_OK && divisi_tx_must_wake(&link->tx)) dvi_wake(link, &link->tx.ring->data_sleep);
    return sent;
}

/* The next piece of a large message of `length` bytes, which lies at `piece`, after divisi_tx_piece_fits. The message
 * is over when link->tx.left is 0. */
static inline void dvi_send_piece(struct dvi_link* link, uint64_t tag, const void* piece, uint64_t length) {
    divisi_tx_push_piece(&link->tx, tag, piece, length);
    if (divisi_tx_must_wake(&link->tx)) dvi_wake(link, &link->tx.ring->data_sleep);
}

/* The same, of the message that lies at `data`. */
static inline int dvi_send_piece_of(struct dvi_link* link, uint64_t tag, const void* data, uint64_t length) {
    const int fits = divisi_tx_piece_fits(&link->tx, length);
    if (fits != DIVISI_RING_OK) return fits;
    const uint64_t begun = link->tx.left == 0u ? 0u : length - link->tx.left;
    dvi_send_piece(link, tag, (const unsigned char*)data + begun, length);
    return DIVISI_RING_OK;
}

/* Whether a message, or the next piece of the one under way, is there: link->rx tells which. */
static inline int dvi_peek(struct dvi_link* link) {
    return divisi_rx_peek(&link->rx);
}

/* The same, up to `looks` times more where the peer can be writing just now. */
static inline int dvi_peek_for(struct dvi_link* link, uint32_t looks) {
    for (uint32_t look = 0;; ++look) {
        const int seen = dvi_peek(link);
        if (seen != DIVISI_RING_WAIT || !link->other_pu || look == looks) return seen;
        /* Looks without a pause between them take the line away from who is about to write it. */
        __builtin_ia32_pause();
    }
}

/* Takes what dvi_peek found: link->rx.piece bytes, to `to` or nowhere (NULL). The message is over when link->rx.left is
 * 0. */
static inline void dvi_take(struct dvi_link* link, void* to) {
    if (divisi_rx_take_piece(&link->rx, to) && divisi_rx_must_wake(&link->rx))
        dvi_wake(link, &link->rx.ring->space_sleep);
}

#endif
