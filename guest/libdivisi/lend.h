/* Large messages that are copied once, from the sender's memory to the receiver's: each end lends the other its buffer
 * (struct divisi_loan), and both copy parts of the message, whoever is free the next one. In nodes the VMM copies,
 * which takes an exit; natively process_vm_readv(2) and its twin do.
 *
 * Threads: one at a time, as all of libdivisi.
 */
#ifndef DIVISI_GUEST_LEND_H
#define DIVISI_GUEST_LEND_H

#include "internal.h"

#define DVI_NO_LOAN 0xffffu

/* What a peer has to know about a loan. Of what a peer sent, every value is possible. */
struct dvi_lent {
    uint64_t address;
    uint32_t process; /* of a host process; 0: it is a node's */
    uint16_t loan;    /* DVI_NO_LOAN: nothing is lent */
    uint16_t claim;   /* of a sender's: which counter of its ring says how many parts are taken on */
};

/* Below that, nothing is worth to be lent. */
#define DVI_LEAST_LENT_BYTES 65536u

/* Whether anything can be lent to the peer of `link`, or by it. */
int dvi_lends_over(const struct dvi_link* link);
/* Whether a message of so many bytes over `link` is faster so than through its ring. */
int dvi_lending_pays(const struct dvi_link* link, uint64_t bytes);
/* Lends the range to the peer of `link`, with DIVISI_LOAN_READ, which takes a counter of parts as well, or
 * DIVISI_LOAN_WRITE. Where too much is lent already, nothing is. */
struct dvi_lent dvi_lend(struct dvi_link* link, const void* address, uint64_t bytes, uint32_t rights);
/* Ends it: when this returns, nobody copies there any more. */
void dvi_take_back(struct dvi_link* link, const struct dvi_lent* lent);
/* Whether this rank can copy what the peer of `link` says that it has lent. */
int dvi_can_copy(struct dvi_link* link, const struct dvi_lent* lent);

/* Takes on the next `count` parts of the message whose sender uses `claim` of this ring: the number of the first. */
static inline uint32_t dvi_claim(struct divisi_ring* ring, uint32_t claim, uint32_t count) {
    return __atomic_fetch_add(&ring->claims[claim], count, __ATOMIC_ACQ_REL);
}

/* How many are taken on so far. */
static inline uint32_t dvi_claimed(const struct divisi_ring* ring, uint32_t claim) {
    return __atomic_load_n(&ring->claims[claim], __ATOMIC_RELAXED);
}

/* One copy; `reads`: from the peer. Returns 0, or a negative errno: -EFAULT where it is this rank's own memory that is
 * not there. */
long dvi_copy_lent(const struct dvi_link* link, const struct dvi_lent* lent, int reads, uint64_t offset, void* own,
                   uint64_t bytes);

#endif
