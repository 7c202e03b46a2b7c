#include "lend.h"

#define NATIVE(page) ((page)->backend == DIVISI_ABI_BACKEND_NATIVE)

/* ---- whether it pays ---- */

/* An exit buys a copy less, and two who copy. Measured: a ring moves 9 to 15 bytes a ns, two who copy 40 to 70. */
#define BYTES_A_NS 12u
#define TRIES 4

/* What the shortest way to the VMM and back takes. */
static uint64_t exit_ns(void) {
    uint64_t least = UINT64_MAX;
    for (int i = 0; i < TRIES; ++i) {
        const uint64_t begin = divisi_time_ns();
        dvi_syscall(DVI_SYS_GETPPID, 0, 0, 0, 0, 0);
        const uint64_t took = divisi_time_ns() - begin;
        if (took < least) least = took;
    }
    return least;
}

static uint64_t find_lend_from(void) {
    if (NATIVE(dvi.page)) {
        /* Where only parents may look into processes (Yama), let the ranks. Elsewhere this is an error and no harm. */
        dvi_syscall(DVI_SYS_PRCTL, DVI_PR_SET_PTRACER, -1, 0, 0, 0);
        return DVI_LEAST_LENT_BYTES;
    }
    const uint64_t bytes = exit_ns() * BYTES_A_NS;
    return bytes < DVI_LEAST_LENT_BYTES ? DVI_LEAST_LENT_BYTES : bytes;
}

int dvi_lends_over(const struct dvi_link* link) {
    /* Where links take time, it is the ring that keeps to it. */
    return dvi.loans != NULL && link->tx.due == NULL;
}

/* Where ranks share PUs, each time that the ring is full costs a switch to the receiver and one back, which is more
 * than the exits of a copy. */
static int ring_is_small_for(const struct dvi_link* link, uint64_t bytes) {
    return link->tx.concurrent == 0u && bytes > 2u * (uint64_t)link->tx.bulk_bytes;
}

int dvi_lending_pays(const struct dvi_link* link, uint64_t bytes) {
    if (bytes < DVI_LEAST_LENT_BYTES || !dvi_lends_over(link)) return 0;
    if (ring_is_small_for(link, bytes)) return 1;
    if (dvi.lend_from == 0) dvi.lend_from = find_lend_from();
    return bytes >= dvi.lend_from;
}

/* ---- lending ---- */

static uint16_t take_claim(struct dvi_link* link) {
    for (uint16_t claim = 0; claim < DIVISI_RING_CLAIMS; ++claim) {
        if ((link->claims >> claim & 1u) != 0u) continue;
        link->claims |= 1u << claim;
        __atomic_store_n(&link->tx.ring->claims[claim], 0u, __ATOMIC_RELAXED);
        return claim;
    }
    return DIVISI_RING_CLAIMS;
}

struct dvi_lent dvi_lend(struct dvi_link* link, const void* address, uint64_t bytes, uint32_t rights) {
    struct dvi_lent lent = {(uint64_t)(uintptr_t)address, 0, DVI_NO_LOAN, DIVISI_RING_CLAIMS};
    uint16_t at = 0;
    while (at < DIVISI_LOANS && dvi.loans[at].rights != DIVISI_LOAN_NONE) ++at;
    if (at == DIVISI_LOANS) return lent;
    if (rights == DIVISI_LOAN_READ) {
        lent.claim = take_claim(link);
        if (lent.claim == DIVISI_RING_CLAIMS) return lent;
    }
    struct divisi_loan* const loan = &dvi.loans[at];
    loan->address = lent.address;
    loan->bytes = bytes;
    loan->borrower = link->rank;
    /* ORDER: release: whoever sees the rights sees what they are for. */
    __atomic_store_n(&loan->rights, rights, __ATOMIC_RELEASE);
    if (NATIVE(dvi.page)) lent.process = (uint32_t)dvi_syscall(DVI_SYS_GETPID, 0, 0, 0, 0, 0);
    lent.loan = at;
    return lent;
}

void dvi_take_back(struct dvi_link* link, const struct dvi_lent* lent) {
    struct divisi_loan* const loan = &dvi.loans[lent->loan];
    /* ORDER: seq_cst: the mirror of the VMM's, which counts itself in and then looks at the rights (shm/loans.cpp). */
    __atomic_store_n(&loan->rights, DIVISI_LOAN_NONE, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&loan->users, __ATOMIC_SEQ_CST) != 0u) __builtin_ia32_pause();
    if (lent->claim < DIVISI_RING_CLAIMS) link->claims &= ~(1u << lent->claim);
}

/* ---- borrowing ---- */

struct vector {
    uint64_t address;
    uint64_t bytes;
};

static long copy_natively(const struct dvi_lent* lent, int reads, uint64_t offset, void* own, uint64_t bytes) {
    while (bytes != 0) {
        const struct vector here = {(uint64_t)(uintptr_t)own, bytes};
        const struct vector there = {lent->address + offset, bytes};
        const long moved = dvi_syscall6(reads ? DVI_SYS_PROCESS_VM_READV : DVI_SYS_PROCESS_VM_WRITEV, lent->process,
                                        (long)&here, 1, (long)&there, 1, 0);
        if (moved <= 0) return moved == 0 ? -1 : moved;
        offset += (uint64_t)moved;
        own = (unsigned char*)own + moved;
        bytes -= (uint64_t)moved;
    }
    return 0;
}

enum { DVI_REACH_UNKNOWN, DVI_REACH_YES, DVI_REACH_NO };

/* The rules for looking into another process are many: a look shows. */
static int can_reach(struct dvi_link* link, const struct dvi_lent* lent) {
    unsigned char byte;
    if (link->reach == DVI_REACH_UNKNOWN)
        link->reach = copy_natively(lent, 1, 0, &byte, 1) == 0 ? DVI_REACH_YES : DVI_REACH_NO;
    return link->reach == DVI_REACH_YES;
}

int dvi_can_copy(struct dvi_link* link, const struct dvi_lent* lent) {
    if (dvi.loans == NULL || lent->loan >= DIVISI_LOANS || NATIVE(dvi.page) != (lent->process != 0u)) return 0;
    return lent->process == 0u || can_reach(link, lent);
}

long dvi_copy_lent(const struct dvi_link* link, const struct dvi_lent* lent, int reads, uint64_t offset, void* own,
                   uint64_t bytes) {
    if (lent->process != 0u) return copy_natively(lent, reads, offset, own, bytes);
    while (bytes != 0) {
        const uint64_t step = bytes < DIVISI_COPY_MAX_BYTES ? bytes : DIVISI_COPY_MAX_BYTES;
        const long result =
            dvi_syscall(DIVISI_SYS_COPY_LENT, link->rank, lent->loan, (long)offset, (long)own, (long)step);
        if (result != 0) return result;
        offset += step;
        own = (unsigned char*)own + step;
        bytes -= step;
    }
    return 0;
}
