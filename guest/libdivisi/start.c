/* Finding the window and making the links, before main. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

struct dvi_state dvi = {.size = 1};
uint64_t dvi_call_address;

/* What the VMM looks for to know that a program speaks libdivisi (shm/abi/node_page.h). */
__asm__(
    ".pushsection .note.divisi, \"a\", @note\n"
    ".balign 4\n"
    ".long 7, 4, 1\n" /* owner's length, descriptor's length, DIVISI_NOTE_TYPE */
    ".asciz \"divisi\"\n"
    ".balign 4\n"
    ".long 3\n" /* DIVISI_ABI_VERSION */
    ".popsection\n");
DIVISI_ABI_ASSERT(DIVISI_NOTE_TYPE == 1u && DIVISI_ABI_VERSION == 3u);

struct piece {
    int fd;
    uint64_t offset;
    size_t size;
    int protection;
};

/* Reads "FD:OFFSET+SIZEr" at `*text` and steps behind it and a comma. 0 at the end or where it is malformed. */
static int next_piece(const char** text, struct piece* piece) {
    char* end = NULL;
    piece->fd = (int)strtol(*text, &end, 10);
    if (*end != ':') return 0;
    piece->offset = strtoull(end + 1, &end, 10);
    if (*end != '+') return 0;
    piece->size = strtoull(end + 1, &end, 10);
    if (*end != 'r' && *end != 'w') return 0;
    piece->protection = *end == 'w' ? PROT_READ | PROT_WRITE : PROT_READ;
    *text = end + 1;
    if (**text == ',') ++*text;
    return 1;
}

static unsigned char* map_native_window(const char* variable) {
    struct piece piece;
    size_t size = 0;
    for (const char* text = variable; next_piece(&text, &piece);) size += piece.size;
    if (size == 0) return NULL;
    unsigned char* const window = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (window == MAP_FAILED) return NULL;
    unsigned char* at = window;
    for (const char* text = variable; next_piece(&text, &piece); at += piece.size)
        if (mmap(at, piece.size, piece.protection, MAP_SHARED | MAP_FIXED, piece.fd, (off_t)piece.offset) == MAP_FAILED)
            return NULL;
    for (const char* text = variable; next_piece(&text, &piece);) close(piece.fd);
    return window;
}

static int page_usable(const struct divisi_node_page* page) {
    return page->magic == DIVISI_NODE_PAGE_MAGIC && page->version == DIVISI_ABI_VERSION &&
           page->ranks <= DIVISI_MAX_NODES && page->rank < page->ranks &&
           page->peer_bytes == sizeof(struct divisi_peer) && divisi_ring_bytes_valid(page->ring_bytes);
}

/* Ticks to spin before sleeping. A PU that other ranks wait for is not ours to burn. */
static uint64_t spin_ticks(const struct divisi_node_page* page) {
    const uint64_t khz = page->tsc_khz == 0 ? 2500000u : page->tsc_khz;
    const uint64_t ticks = page->spin_ns * khz / 1000000u;
    return page->pu_ranks > 1u ? ticks / 64u : ticks;
}

static int make_links(unsigned char* window, const struct divisi_node_page* page) {
    dvi.links = calloc(page->ranks, sizeof *dvi.links);
    dvi.linked = calloc(page->ranks, sizeof *dvi.linked);
    dvi.any = calloc(2 * (size_t)page->ranks, sizeof *dvi.any);
    dvi.waiters = calloc(2 * (size_t)page->ranks + 1, sizeof *dvi.waiters);
    if (dvi.links == NULL || dvi.linked == NULL || dvi.any == NULL || dvi.waiters == NULL) return 0;
    for (uint32_t rank = 0; rank < page->ranks; ++rank) {
        const struct divisi_peer* const peer = &dvi.peers[rank];
        if (divisi_ring_bytes_valid(peer->ring_bytes) == 0) continue;
        struct dvi_link* const link = &dvi.links[rank];
        link->rank = rank;
        link->other_pu = peer->pu != page->pu;
        divisi_tx_init(&link->tx, window + peer->out_offset, peer->ring_bytes);
        divisi_rx_init(&link->rx, window + peer->in_offset, peer->ring_bytes);
        if (page->traffic_offset != 0)
            link->tx.sent = &((struct divisi_traffic*)(void*)(window + page->traffic_offset))[rank].messages;
        if ((page->flags & DIVISI_ABI_FLAG_TIMED) != 0u) {
            divisi_tx_set_timed(&link->tx, dvi_due);
            divisi_rx_set_timed(&link->rx, divisi_time_ns, dvi_longest(peer));
        } else if (link->other_pu && page->pu_ranks < 2u) {
            divisi_tx_set_concurrent(&link->tx);
        }
        dvi.linked[dvi.linked_count++] = rank;
    }
    return 1;
}

static void fail_setup(const char* sentence) {
    dvi.setup = DIVISI_ESETUP;
    dvi.setup_sentence = sentence;
}

/* NULL: there is none, or it cannot be mapped; `dvi.setup` tells. */
static unsigned char* find_window(void) {
    unsigned char* window = (unsigned char*)getauxval(AT_DIVISI);
    const char* const variable = getenv(DIVISI_NATIVE_VARIABLE);
    if (window != NULL || variable == NULL) return window;
    window = map_native_window(variable);
    if (window == NULL) fail_setup("cannot map the window that " DIVISI_NATIVE_VARIABLE " describes");
    /* A program that this one starts is no rank. */
    unsetenv(DIVISI_NATIVE_VARIABLE);
    return window;
}

/* Priority 101: before the constructors of the program, which may already ask for the rank. */
__attribute__((constructor(101))) static void start(void) {
    unsigned char* const window = find_window();
    if (window == NULL) return;
    const struct divisi_node_page* const page = (const struct divisi_node_page*)(void*)window;
    if (!page_usable(page)) {
        fail_setup("the node page has another version than this program");
        return;
    }
    dvi.page = page;
    dvi_call_address = page->call_address;
    dvi.peers = (const struct divisi_peer*)(void*)(window + page->peers_offset);
    dvi.rank = page->rank;
    dvi.size = page->ranks;
    dvi.spin_ticks = spin_ticks(page);
    dvi.most_waiters = page->backend == DIVISI_ABI_BACKEND_NATIVE ? DVI_FUTEX_WAITV_MAX : DIVISI_WAITERS_MAX;
    if (page->wait_offset != 0) dvi.wait = (struct divisi_wait*)(void*)(window + page->wait_offset);
    if (page->loans_offset != 0) dvi.loans = (struct divisi_loan*)(void*)(window + page->loans_offset);
    if (!make_links(window, page)) fail_setup("not enough memory for the links");
}

struct dvi_link* dvi_link_to(int rank, int* result) {
    if (dvi.setup != DIVISI_OK)
        *result = dvi_fail(DIVISI_ESETUP, -1);
    else if (rank < 0 || (uint32_t)rank >= dvi.size)
        *result = dvi_fail(DIVISI_EINVAL, rank);
    else if (dvi.page == NULL || dvi.links[rank].tx.ring == NULL)
        *result = dvi_fail(DIVISI_ENOLINK, rank);
    else
        return &dvi.links[rank];
    return NULL;
}
