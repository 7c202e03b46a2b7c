#include "view.h"

/* From how many messages out of the same buffer on: to be shown a page costs about as much as to copy ten. */
#define OFTEN 4
#define BUFFERS 64
/* After so many more sends it is tried again. */
#define REST (-500)

/* A view costs an exit, and a fault for some of its pages; a peer that maps its buffers anew all the time would cost
 * one for each message. So views are bought with messages that were taken by them. */
#define FIRST_CREDIT 256
#define MOST_CREDIT 1024
#define PRICE 8

#define VIEWS 32
#define PAGE_MASK ((uint64_t)DIVISI_PAGE_BYTES - 1u)

enum dvi_direction { DVI_OUT, DVI_IN };

/* A buffer of which messages came, by a hash of where it lies. */
struct buffer {
    uint64_t address;
    uint32_t rank;
    uint32_t direction;
    int32_t count; /* of messages; stops at OFTEN */
};

struct view {
    uint64_t begin, end; /* pages of the peer's; end 0: none */
    uint64_t at;         /* where in our views */
    uint32_t rank;
};

static struct {
    struct buffer buffers[BUFFERS];
    struct view views[VIEWS];
    unsigned next_view;
    uint64_t next_at;
    const unsigned char* base; /* of our views */
    const uint32_t* changes;   /* NULL: not known yet */
    uint32_t seen;             /* its value when the views were known to stand */
    int32_t credit;
} known = {.credit = FIRST_CREDIT};

/* ---- what can be seen, and comes again and again ---- */

/* Who shares a PU with its peer would wait for it to ask, and to be told. */
static int can_be_seen(uint64_t bytes) {
    return bytes >= DVI_LEAST_LENT_BYTES && bytes <= DIVISI_VIEW_BYTES / 4u && dvi.page != NULL &&
           (dvi.page->flags & DIVISI_ABI_FLAG_OWN_PUS) != 0u && dvi.page->backend != DIVISI_ABI_BACKEND_NATIVE;
}

static struct buffer* buffer_at(const struct dvi_link* link, uint64_t address, enum dvi_direction direction) {
    const uint64_t key = address >> 6 ^ (uint64_t)link->rank << 20 ^ (uint64_t)direction << 50;
    struct buffer* const buffer = &known.buffers[(key * 0x9e3779b97f4a7c15ull >> 48) % BUFFERS];
    if (buffer->address != address || buffer->rank != link->rank || buffer->direction != direction)
        *buffer = (struct buffer){address, link->rank, direction, 0};
    return buffer;
}

static int comes_often(const struct dvi_link* link, uint64_t address, enum dvi_direction direction) {
    struct buffer* const buffer = buffer_at(link, address, direction);
    if (buffer->count < OFTEN) ++buffer->count;
    return buffer->count == OFTEN;
}

/* ---- sending ---- */

int dvi_view_pays(const struct dvi_link* link, const void* address, uint64_t bytes) {
    return can_be_seen(bytes) && dvi_lends_over(link) && comes_often(link, (uint64_t)(uintptr_t)address, DVI_OUT);
}

void dvi_view_in_vain(const struct dvi_link* link, const void* address) {
    buffer_at(link, (uint64_t)(uintptr_t)address, DVI_OUT)->count = REST;
}

int dvi_rests(const struct dvi_link* link, const void* address) {
    struct buffer* const buffer = buffer_at(link, (uint64_t)(uintptr_t)address, DVI_OUT);
    if (buffer->count >= 0) return 0;
    ++buffer->count;
    return 1;
}

/* ---- receiving ---- */

static uint32_t changes(void) {
    return __atomic_load_n(known.changes, __ATOMIC_ACQUIRE);
}

/* After a change any view may be the one that shows nothing any more. */
static void drop_if_changed(void) {
    if (known.changes == NULL) return;
    const uint32_t now = changes();
    if (now == known.seen) return;
    for (unsigned i = 0; i < VIEWS; ++i) known.views[i].end = 0;
    known.seen = now;
}

static const struct view* find(uint32_t rank, uint64_t begin, uint64_t end) {
    for (unsigned i = 0; i < VIEWS; ++i) {
        const struct view* const view = &known.views[i];
        if (view->end >= end && view->begin <= begin && view->rank == rank) return view;
    }
    return NULL;
}

static uint64_t room_for(uint64_t bytes) {
    const uint64_t at = known.next_at + bytes <= DIVISI_VIEW_BYTES ? known.next_at : 0;
    known.next_at = at + bytes;
    for (unsigned i = 0; i < VIEWS; ++i) {
        struct view* const view = &known.views[i];
        if (view->at < at + bytes && at < view->at + (view->end - view->begin)) view->end = 0;
    }
    return at;
}

/* One that begins and ends with the lent range's pages. NULL: it cannot be had. */
static const struct view* show(const struct dvi_link* link, const struct dvi_lent* lent, uint64_t bytes) {
    struct view* const view = &known.views[known.next_view++ % VIEWS];
    view->end = 0;
    const uint64_t begin = lent->address & ~PAGE_MASK;
    const uint64_t end = (lent->address + bytes + PAGE_MASK) & ~PAGE_MASK;
    const uint64_t at = room_for(end - begin);
    for (;;) {
        const long shown = dvi_syscall(DIVISI_SYS_VIEW_LENT, link->rank, lent->loan, 0, (long)bytes, (long)at);
        if (shown < 0) return NULL;
        /* Another buffer than it said: it is the peer's loss. */
        if (((uint64_t)shown & PAGE_MASK) != (lent->address & PAGE_MASK)) return NULL;
        if (known.changes != NULL) break;
        /* Once more, with a count that was read before. */
        known.base = (const unsigned char*)(uintptr_t)(((uint64_t)shown & ~PAGE_MASK) - at);
        known.changes = (const uint32_t*)(const void*)(known.base - DIVISI_PAGE_BYTES);
        known.seen = changes();
    }
    *view = (struct view){begin, end, at, link->rank};
    return view;
}

/* SAFETY: the address is the peer's word, and only a name here: what is shown is what the VMM finds lent. */
const void* dvi_view(const struct dvi_link* link, const struct dvi_lent* lent, uint64_t bytes) {
    if (!can_be_seen(bytes) || lent->loan >= DIVISI_LOANS || lent->address > UINT64_MAX / 2u) return NULL;
    drop_if_changed();
    const struct view* view = find(link->rank, lent->address, lent->address + bytes);
    if (view != NULL) {
        if (known.credit < MOST_CREDIT) ++known.credit;
    } else {
        /* What only a view makes worth lending is lent because it comes often. */
        if (dvi_lending_pays(link, bytes) && !comes_often(link, lent->address, DVI_IN)) return NULL;
        if (known.credit < PRICE) return NULL;
        known.credit -= PRICE;
        view = show(link, lent, bytes);
        if (view == NULL) return NULL;
    }
    return known.base + view->at + (lent->address - view->begin);
}

int dvi_view_stands(void) {
    /* ORDER: what was read from the view was read before the count is. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return changes() == known.seen;
}
