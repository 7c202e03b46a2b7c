/* What the two ends of a ring do: freestanding, for guests, the VMM and host processes alike.
 *
 * A `divisi_tx` (producer) and a `divisi_rx` (consumer) are private memory of their end. Nothing here waits, sleeps or
 * calls the system: an operation that cannot go on says DIVISI_RING_WAIT, and whoever called decides how to wait
 * (guest/libdivisi/wait.c). After an operation that gave the other end something, `divisi_tx_must_wake` or
 * `divisi_rx_must_wake` says whether it has to be woken.
 *
 * Threads: one at a time an end.
 * Errors: DIVISI_RING_BROKEN when the other end broke the rules; it stays so. Everything read from the ring is copied
 * once into private memory and checked there: whatever the other end writes, this end stays within the ring and within
 *         the buffer it was given, and every call ends.
 */
#ifndef DIVISI_SHM_ABI_RING_OPS_H
#define DIVISI_SHM_ABI_RING_OPS_H

#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "ring.h"

#define DIVISI_RING_OK 0
#define DIVISI_RING_WAIT 1
#define DIVISI_RING_BROKEN 2

/* How pieces are stored. */
#define DIVISI_STORE_CACHED 0u
#define DIVISI_STORE_PAST_CACHE 1u

/* Why a consumer does not look at its next slot. */
#define DIVISI_RX_BROKEN 1u
#define DIVISI_RX_HELD 2u /* until rx->due */

/* Pieces of a large message: large enough that a piece's price (a slot, a fence) vanishes, small enough that the
 * consumer starts early and that both ends stay in their caches. A quarter of the bulk area where that is less. */
#define DIVISI_PIECE_MAX_BYTES 16384u
/* Where both ends run at the same time, a message of a few of those goes in smaller ones: how long it takes is then the
 * way of the first piece in and of the last one out, and little is saved by fewer slots. */
#define DIVISI_SHORT_MESSAGE_BYTES 32768u
#define DIVISI_SHORT_PIECE_BYTES 4096u

/* Where a lap may end early, and how many slots of it may then still be untaken. Both ends of a quiet ring so stay
 * within lines that their first-level caches keep: to fetch a line from further away costs as much again. */
#define DIVISI_SHORT_LAP_SLOTS 64u
#define DIVISI_SHORT_LAP_LAG 24u
/* One lap in so many is a whole one, so that no slot's sequence is ever too old to be told from a new one. */
#define DIVISI_WHOLE_LAP_EVERY 65536u

/* From here on a piece may be written past the producer's cache. Its lines lie in the consumer's: on some machines to
 * fetch each of them only to overwrite it halves the bandwidth, on others to write past the cache does, and a virtual
 * machine may be moved from the one to the other. So the producer tries both, and keeps to what takes it less time.
 * (Below, the consumer's first look at what is in memory costs more.) */
#define DIVISI_STREAM_MIN_BYTES 8192u
/* Pieces that make a round, and how many rounds are between trials of what was slower. */
#define DIVISI_STORE_TRIAL_PIECES 16u
#define DIVISI_STORE_TRIAL_EVERY 64u

typedef uint64_t __attribute__((may_alias)) divisi_word;

struct divisi_tx {
    struct divisi_ring* ring;
    struct divisi_slot* slots;
    unsigned char* bulk;
    uint32_t slot_count;
    uint32_t bulk_bytes;
    uint32_t piece_bytes;
    uint32_t next;       /* the slot to be written next */
    uint32_t lap;        /* and its sequence */
    uint32_t free_slots; /* as last known */
    uint32_t bulk_at;    /* where the next piece goes */
    uint32_t free_bulk;  /* as last known */
    uint64_t sent_slots; /* and those left out where laps ended early */
    uint64_t last_slot;  /* what sent_slots was when the last one was sent: its name, to both ends */
    uint64_t sent_bulk;
    uint64_t left; /* bytes of a begun large message that are still to be pushed */
    uint32_t broken;
    uint32_t concurrent; /* both ends run at the same time */
    uint32_t store;      /* DIVISI_STORE_*, of this round */
    uint32_t stored;     /* pieces of it */
    uint32_t rounds;
    uint64_t least;       /* ticks that a KiB of it took */
    uint64_t least_of[2]; /* of the last round of either; 0: there was none yet */
    /* Timed rings only. `free_slots` is 0 whenever no slot has been given its time, so that every slot comes by
     * divisi_tx_make_room; `room` is what is free. */
    uint32_t room;
    uint64_t (*due)(struct divisi_tx* tx, uint32_t bytes); /* when `bytes` sent now arrive, in ns; NULL: not timed */
    /* Messages and bytes begun: two words, of this end's own until they are put elsewhere. */
    uint64_t* sent;
    uint64_t own_sent[2];
};

struct divisi_rx {
    struct divisi_ring* ring;
    struct divisi_slot* slots;
    unsigned char* bulk;
    uint32_t slot_count;
    uint32_t bulk_bytes;
    uint32_t publish_every; /* slots */
    uint32_t wake_every;    /* slots: who sleeps for space is worth waking for more than a few */
    uint32_t next;
    uint32_t lap;
    uint32_t bulk_at;
    uint64_t taken_slots; /* and those left out: the next one's name */
    uint64_t taken_bulk;
    uint32_t ends_lap; /* the slot at the head is the last of its lap */
    uint32_t unpublished;
    uint32_t unwoken; /* slots given back since the producer was last looked after */
    uint32_t stopped; /* DIVISI_RX_*, or 0 */
    /* The message at the head, once it was seen: checked copies. */
    uint32_t kind;  /* 0: none yet */
    uint32_t piece; /* bytes of it that lie ready in its present slot or in the bulk area; 0: its next slot is due */
    uint64_t tag;
    uint64_t length; /* of the whole message */
    uint64_t left;   /* bytes that are still to be taken */
    /* Timed rings only. */
    uint64_t (*now)(void); /* in ns; NULL: not timed */
    uint64_t longest;      /* that a slot can be under way, in ns */
    uint64_t due;          /* of the slot behind the last DIVISI_SLOT_DUE */
    uint32_t has_due;      /* that slot has not come yet */
};

/* `base` is the ring's first byte, `ring_bytes` a valid size. The ring is fresh (zeros, or a producer that began). The
 * end stays where it is: it may point to itself. */
static inline void divisi_tx_init(struct divisi_tx* tx, void* base, uint32_t ring_bytes) {
    __builtin_memset(tx, 0, sizeof *tx);
    tx->ring = (struct divisi_ring*)base;
    tx->slots = (struct divisi_slot*)((unsigned char*)base + DIVISI_RING_SLOTS_OFFSET);
    tx->bulk = (unsigned char*)base + divisi_ring_bulk_offset(ring_bytes);
    tx->slot_count = divisi_ring_slots(ring_bytes);
    tx->bulk_bytes = divisi_ring_bulk_bytes(ring_bytes);
    tx->piece_bytes = tx->bulk_bytes / 4u / DIVISI_LINE_BYTES * DIVISI_LINE_BYTES;
    if (tx->piece_bytes > DIVISI_PIECE_MAX_BYTES) tx->piece_bytes = DIVISI_PIECE_MAX_BYTES;
    tx->lap = 1;
    tx->free_slots = tx->slot_count;
    tx->free_bulk = tx->bulk_bytes;
    tx->sent = tx->own_sent;
    tx->store = DIVISI_STORE_CACHED;
    tx->least = UINT64_MAX;
}

/* For ends that run at the same time, on PUs of their own; not in a timed ring. Laps may then end early: a burst that
 * begins just then finds room for no more than a short lap until the consumer has passed its end, where others find
 * that of the whole ring. */
static inline void divisi_tx_set_concurrent(struct divisi_tx* tx) {
    tx->concurrent = 1;
}

/* Makes a fresh end one of a timed ring; both ends or none. */
static inline void divisi_tx_set_timed(struct divisi_tx* tx, uint64_t (*due)(struct divisi_tx*, uint32_t)) {
    tx->due = due;
    tx->room = tx->free_slots;
    tx->free_slots = 0;
}
static inline void divisi_rx_set_timed(struct divisi_rx* rx, uint64_t (*now)(void), uint64_t longest) {
    rx->now = now;
    rx->longest = longest;
}

static inline void divisi_rx_init(struct divisi_rx* rx, void* base, uint32_t ring_bytes) {
    __builtin_memset(rx, 0, sizeof *rx);
    rx->ring = (struct divisi_ring*)base;
    rx->slots = (struct divisi_slot*)((unsigned char*)base + DIVISI_RING_SLOTS_OFFSET);
    rx->bulk = (unsigned char*)base + divisi_ring_bulk_offset(ring_bytes);
    rx->slot_count = divisi_ring_slots(ring_bytes);
    rx->bulk_bytes = divisi_ring_bulk_bytes(ring_bytes);
    rx->wake_every = rx->slot_count / 4u;
    rx->publish_every = rx->wake_every < DIVISI_SHORT_LAP_SLOTS / 4u ? rx->wake_every : DIVISI_SHORT_LAP_SLOTS / 4u;
    rx->lap = 1;
}

/* Stores before are visible to the other end before loads after are done: the one order x86 does not keep by itself. */
static inline void divisi_full_fence(void) {
    __asm__ __volatile__("lock orl $0, (%%rsp)" ::: "memory", "cc");
}

static inline uint32_t divisi_round_to_lines(uint32_t bytes) {
    return (bytes + DIVISI_LINE_BYTES - 1u) / DIVISI_LINE_BYTES * DIVISI_LINE_BYTES;
}

/* Copies 0 … 48 bytes without a call: overlapping words from both ends. */
static inline void divisi_copy_small(unsigned char* to, const unsigned char* from, uint32_t bytes) {
    if (bytes >= 16u) {
        unsigned char first[16], last[16], middle[16];
        __builtin_memcpy(first, from, 16);
        __builtin_memcpy(last, from + bytes - 16u, 16);
        if (bytes > 32u) {
            __builtin_memcpy(middle, from + 16, 16);
            __builtin_memcpy(to + 16, middle, 16);
        }
        __builtin_memcpy(to, first, 16);
        __builtin_memcpy(to + bytes - 16u, last, 16);
    } else if (bytes >= 8u) {
        uint64_t first, last;
        __builtin_memcpy(&first, from, 8);
        __builtin_memcpy(&last, from + bytes - 8u, 8);
        __builtin_memcpy(to, &first, 8);
        __builtin_memcpy(to + bytes - 8u, &last, 8);
    } else if (bytes >= 4u) {
        uint32_t first, last;
        __builtin_memcpy(&first, from, 4);
        __builtin_memcpy(&last, from + bytes - 4u, 4);
        __builtin_memcpy(to, &first, 4);
        __builtin_memcpy(to + bytes - 4u, &last, 4);
    } else {
        for (uint32_t i = 0; i < bytes; ++i) to[i] = from[i];
    }
}

/* `to` begins a line. */
static inline void divisi_copy_past_cache(unsigned char* to, const unsigned char* from, uint32_t bytes) {
    const uint32_t lines = bytes / DIVISI_LINE_BYTES * DIVISI_LINE_BYTES;
    for (uint32_t at = 0; at < lines; at += 16u)
        _mm_stream_si128((__m128i*)(void*)(to + at), _mm_loadu_si128((const __m128i*)(const void*)(from + at)));
    __builtin_memcpy(to + lines, from + lines, bytes - lines);
    /* ORDER: these stores keep no order by themselves; the slot that announces the piece comes after them. */
    _mm_sfence();
}

static inline void divisi_copy_into_bulk(unsigned char* to, const unsigned char* from, uint32_t bytes, uint32_t store) {
    if (store == DIVISI_STORE_PAST_CACHE && bytes >= DIVISI_STREAM_MIN_BYTES)
        divisi_copy_past_cache(to, from, bytes);
    else
        __builtin_memcpy(to, from, bytes);
}

/* ---- producer ---- */

/* Slots known to be free, and how many of them `count` slots take. */
static inline uint32_t divisi_tx_room(const struct divisi_tx* tx) {
    return tx->due == NULL ? tx->free_slots : tx->room;
}
static inline uint32_t divisi_tx_room_for(const struct divisi_tx* tx, uint32_t count) {
    return tx->due == NULL ? count : 2u * count;
}

/* Looks again how far the consumer is.
 * SAFETY: the counters are the consumer's to forge. They are taken only where they move forward and not past what was
 * sent, so the room and free_bulk never exceed the ring. */
static inline int divisi_tx_refresh(struct divisi_tx* tx) {
    if (tx->broken != 0) return DIVISI_RING_BROKEN;
    /* ORDER: acquire: the consumer's reads of what it gave back happened before our writing over it. */
    const uint64_t slots = __atomic_load_n(&tx->ring->consumed_slots, __ATOMIC_ACQUIRE);
    const uint64_t bulk = __atomic_load_n(&tx->ring->consumed_bulk, __ATOMIC_ACQUIRE);
    const uint64_t slots_out = tx->sent_slots - slots;
    const uint64_t bulk_out = tx->sent_bulk - bulk;
    if (slots_out > tx->slot_count - divisi_tx_room(tx) || bulk_out > tx->bulk_bytes - tx->free_bulk ||
        bulk % DIVISI_LINE_BYTES != 0) {
        tx->broken = 1;
        return DIVISI_RING_BROKEN;
    }
    if (tx->due == NULL)
        tx->free_slots = tx->slot_count - (uint32_t)slots_out;
    else
        tx->room = tx->slot_count - (uint32_t)slots_out;
    tx->free_bulk = tx->bulk_bytes - (uint32_t)bulk_out;
    return DIVISI_RING_OK;
}

static inline void divisi_tx_count(struct divisi_tx* tx, uint64_t bytes) {
    ++tx->sent[0];
    tx->sent[1] += bytes;
}

/* Whether the lap is to end with the slot that is written now, where it may.
 * The slots behind it are taken for sent, and by the consumer for taken: so all counting stays as it is. As hardly any
 * of the slots before it are untaken, the first ones are free. */
static inline int divisi_tx_can_end_lap(struct divisi_tx* tx) {
    if (tx->concurrent == 0u || tx->lap % DIVISI_WHOLE_LAP_EVERY == 0u || tx->next + 1u == tx->slot_count) return 0;
    if (divisi_tx_refresh(tx) != DIVISI_RING_OK) return 0;
    return tx->slot_count - tx->free_slots <= DIVISI_SHORT_LAP_LAG;
}

/* A line that we write next lies in the consumer's cache from the lap before: it is asked for while we do something
 * else. (All of x86-64 has this instruction or skips it.) */
static inline void divisi_ask_for(const void* line) {
    __asm__ __volatile__("prefetchw %0" : : "m"(*(const unsigned char*)line));
}

static inline void divisi_tx_publish(struct divisi_tx* tx, uint32_t kind, uint32_t used, uint32_t flags) {
    struct divisi_slot* const slot = tx->slots + tx->next;
    uint64_t head = (uint64_t)tx->lap | (uint64_t)kind << 32 | (uint64_t)flags << 40 | (uint64_t)used << 48;
    uint32_t steps = 1;
    if (tx->next % DIVISI_SHORT_LAP_SLOTS == DIVISI_SHORT_LAP_SLOTS - 1u && divisi_tx_can_end_lap(tx)) {
        head |= (uint64_t)DIVISI_SLOT_ENDS_LAP << 40;
        steps = tx->slot_count - tx->next;
    }
    /* ORDER: release: tag, payload and bulk are there before the sequence says so. */
    __atomic_store_n((divisi_word*)(void*)slot, head, __ATOMIC_RELEASE);
    tx->last_slot = tx->sent_slots;
    tx->free_slots -= steps;
    tx->sent_slots += steps;
    tx->next += steps;
    if (tx->next == tx->slot_count) {
        tx->next = 0;
        ++tx->lap;
    }
    divisi_ask_for(&tx->slots[tx->next]);
}

/* Finds a free slot, and `bulk` bytes, for `bytes` of a message; in a timed ring a slot before it says when they
 * arrive.
 */
static inline int divisi_tx_make_room(struct divisi_tx* tx, uint32_t bulk, uint32_t bytes) {
    if (divisi_tx_refresh(tx) != DIVISI_RING_OK) return DIVISI_RING_BROKEN;
    if (tx->free_bulk < bulk) return DIVISI_RING_WAIT;
    if (tx->free_slots == 0u && divisi_tx_room(tx) < divisi_tx_room_for(tx, 1)) return DIVISI_RING_WAIT;
    if (tx->due == NULL || tx->free_slots != 0u) return DIVISI_RING_OK;
    const uint64_t due = tx->due(tx, bytes);
    tx->room -= 2u;
    tx->free_slots = 2;
    __builtin_memcpy(tx->slots[tx->next].payload, &due, sizeof due);
    divisi_tx_publish(tx, DIVISI_SLOT_DUE, sizeof due, 0);
    return DIVISI_RING_OK;
}

/* Sends at most 48 bytes, whole or (DIVISI_RING_WAIT) not at all. No large message may be under way. */
static inline int divisi_tx_small(struct divisi_tx* tx, uint64_t tag, const void* data, uint32_t bytes) {
    if (tx->free_slots == 0u) {
        const int room = divisi_tx_make_room(tx, 0, bytes);
        if (room != DIVISI_RING_OK) return room;
    }
    struct divisi_slot* const slot = tx->slots + tx->next;
    slot->tag = tag;
    divisi_copy_small(slot->payload, (const unsigned char*)data, bytes);
    divisi_tx_publish(tx, DIVISI_SLOT_SMALL, bytes, 0);
    divisi_tx_count(tx, bytes);
    return DIVISI_RING_OK;
}

/* A piece took so many ticks a KiB. The least of a round counts: whatever disturbs only adds. */
static inline void divisi_tx_judge_store(struct divisi_tx* tx, uint64_t ticks) {
    if (ticks < tx->least) tx->least = ticks;
    if (++tx->stored < DIVISI_STORE_TRIAL_PIECES) return;
    tx->least_of[tx->store] = tx->least;
    tx->least = UINT64_MAX;
    tx->stored = 0;
    tx->store = tx->least_of[DIVISI_STORE_CACHED] <= tx->least_of[DIVISI_STORE_PAST_CACHE] ? DIVISI_STORE_CACHED
                                                                                           : DIVISI_STORE_PAST_CACHE;
    if (++tx->rounds % DIVISI_STORE_TRIAL_EVERY == 0u) tx->store ^= 1u;
}

static inline void divisi_tx_fill_bulk(struct divisi_tx* tx, const unsigned char* data, uint32_t bytes) {
    const uint32_t room = tx->bulk_bytes - tx->bulk_at;
    const uint32_t first = bytes < room ? bytes : room;
    const uint32_t taken = divisi_round_to_lines(bytes);
    const int judged = bytes >= DIVISI_STREAM_MIN_BYTES;
    const uint64_t begin = judged ? __builtin_ia32_rdtsc() : 0u;
    divisi_copy_into_bulk(tx->bulk + tx->bulk_at, data, first, tx->store);
    if (bytes > first) divisi_copy_into_bulk(tx->bulk, data + first, bytes - first, tx->store);
    if (judged) divisi_tx_judge_store(tx, (__builtin_ia32_rdtsc() - begin) * 1024u / bytes);
    tx->bulk_at += taken;
    if (tx->bulk_at >= tx->bulk_bytes) tx->bulk_at -= tx->bulk_bytes;
    tx->free_bulk -= taken;
    tx->sent_bulk += taken;
}

/* The next message is like the last one as a rule, and its lines, if they are few, are asked for before it comes; not
 * where the consumer may be reading them. */
static inline void divisi_tx_ask_for_bulk(const struct divisi_tx* tx, uint32_t bytes) {
    if (tx->concurrent == 0u || bytes > DIVISI_SHORT_PIECE_BYTES || bytes > tx->free_bulk) return;
    const uint32_t room = tx->bulk_bytes - tx->bulk_at;
    const uint32_t end = tx->bulk_at + (bytes < room ? bytes : room);
    for (uint32_t at = tx->bulk_at; at < end; at += DIVISI_LINE_BYTES) divisi_ask_for(tx->bulk + at);
}

/* How many bytes each piece of a large message of `length` bytes has, but for the last one. */
static inline uint32_t divisi_tx_piece_bytes(const struct divisi_tx* tx, uint64_t length) {
    const int is_short = tx->concurrent != 0u && length <= DIVISI_SHORT_MESSAGE_BYTES;
    return is_short && tx->piece_bytes > DIVISI_SHORT_PIECE_BYTES ? DIVISI_SHORT_PIECE_BYTES : tx->piece_bytes;
}

/* How many pieces that makes; `length` is at most that of the bulk area. */
static inline uint32_t divisi_tx_pieces(const struct divisi_tx* tx, uint64_t length) {
    const uint32_t piece = divisi_tx_piece_bytes(tx, length);
    return ((uint32_t)length + piece - 1u) / piece;
}

/* How many bytes the next piece of a large message of `length` bytes (more than none) has. */
static inline uint32_t divisi_tx_next_piece(const struct divisi_tx* tx, uint64_t length) {
    const uint64_t left = tx->left == 0u ? length : tx->left;
    const uint32_t piece = divisi_tx_piece_bytes(tx, length);
    return left < piece ? (uint32_t)left : piece;
}

/* Whether there is room for it; DIVISI_RING_WAIT: not now. */
static inline int divisi_tx_piece_fits(struct divisi_tx* tx, uint64_t length) {
    const uint32_t bytes = divisi_round_to_lines(divisi_tx_next_piece(tx, length));
    if (tx->free_slots != 0u && tx->free_bulk >= bytes) return DIVISI_RING_OK;
    return divisi_tx_make_room(tx, bytes, divisi_tx_next_piece(tx, length));
}

/* Goes back to the beginning of the bulk area for a new message, where all before it was taken: a quiet ring of ranks
 * that share PUs so stays within a few pages, which both ends have touched before. (Ends that run at the same time
 * would have to fetch the consumer's count.) Nothing lies in the area then, so that counts and room stay what they are.
 * Yields the slot's flags. */
static inline uint32_t divisi_tx_go_to_start(struct divisi_tx* tx) {
    if (tx->concurrent != 0u || tx->due != NULL || tx->left != 0u || tx->bulk_at == 0u) return 0;
    if (divisi_tx_refresh(tx) != DIVISI_RING_OK || tx->free_bulk != tx->bulk_bytes) return 0;
    tx->bulk_at = 0;
    return DIVISI_SLOT_FROM_START;
}

/* Pushes it, after divisi_tx_piece_fits; `piece` is its first byte. The first piece begins the message (tx->left is 0
 * then); it is over when tx->left is 0 again. */
static inline void divisi_tx_push_piece(struct divisi_tx* tx, uint64_t tag, const void* piece, uint64_t length) {
    const uint64_t left = tx->left == 0u ? length : tx->left;
    const uint32_t bytes = divisi_tx_next_piece(tx, length);
    struct divisi_slot* const slot = tx->slots + tx->next;
    const uint64_t fields[2] = {left, bytes};
    const uint32_t flags = divisi_tx_go_to_start(tx);
    /* The slot at last: the consumer looks at it, and takes its line away from who has only begun to write it. */
    divisi_tx_fill_bulk(tx, (const unsigned char*)piece, bytes);
    slot->tag = tag;
    __builtin_memcpy(slot->payload, fields, sizeof fields);
    divisi_tx_publish(tx, tx->left == 0u ? DIVISI_SLOT_LARGE : DIVISI_SLOT_MORE, sizeof fields, flags);
    divisi_tx_ask_for_bulk(tx, bytes);
    if (tx->left == 0u) divisi_tx_count(tx, length);
    tx->left = left - bytes;
}

/* Both, where the whole message lies at `data`. */
static inline int divisi_tx_large(struct divisi_tx* tx, uint64_t tag, const void* data, uint64_t length) {
    const int fits = divisi_tx_piece_fits(tx, length);
    if (fits != DIVISI_RING_OK) return fits;
    const uint64_t begun = tx->left == 0u ? 0u : length - tx->left;
    divisi_tx_push_piece(tx, tag, (const unsigned char*)data + begun, length);
    return DIVISI_RING_OK;
}

/* Whether a large message of `length` bytes would go without waiting. */
static inline int divisi_tx_large_fits(struct divisi_tx* tx, uint64_t length) {
    if (tx->left != 0u || length > tx->bulk_bytes) return 0;
    const uint32_t slots = divisi_tx_room_for(tx, divisi_tx_pieces(tx, length));
    const uint32_t bytes = divisi_round_to_lines((uint32_t)length);
    if (divisi_tx_room(tx) >= slots && tx->free_bulk >= bytes) return 1;
    if (divisi_tx_refresh(tx) != DIVISI_RING_OK) return 0;
    return divisi_tx_room(tx) >= slots && tx->free_bulk >= bytes;
}

/* Tells the consumer that this end reached its `count`th barrier. */
static inline void divisi_tx_signal(struct divisi_tx* tx, uint32_t count) {
    if (tx->due != NULL) __atomic_store_n(&tx->ring->signal_due, tx->due(tx, 0), __ATOMIC_RELAXED);
    __atomic_store_n(&tx->ring->signal, count, __ATOMIC_RELEASE);
}

/* To be asked after what was sent: 1 when the consumer sleeps. The caller then clears data_sleep and wakes its futex.
 * ORDER: the fence puts the slot before this look at data_sleep; the consumer sets data_sleep, fences, and then looks
 * at the slot once more before it sleeps. One of the two sees the other (docs/models/channel.pml). */
static inline int divisi_tx_must_wake(const struct divisi_tx* tx) {
    divisi_full_fence();
    return __atomic_load_n(&tx->ring->data_sleep, __ATOMIC_RELAXED) != 0u;
}

/* ---- consumer ---- */

/* Steps behind the present slot. */
static inline void divisi_rx_step(struct divisi_rx* rx) {
    const uint32_t steps = rx->ends_lap != 0u ? rx->slot_count - rx->next : 1u;
    rx->taken_slots += steps;
    rx->next += steps;
    rx->unpublished += steps;
    rx->unwoken += steps;
    if (rx->next == rx->slot_count) {
        rx->next = 0;
        ++rx->lap;
    }
}

/* Takes a DIVISI_SLOT_DUE. The producer learns of its space with that of the slot behind it.
 * SAFETY: there must be a slot between two of them, so that a producer cannot keep us here; a time that is later than
 * can be is cut. */
static inline int divisi_rx_hold(struct divisi_rx* rx, uint32_t used, const struct divisi_slot* slot) {
    if (rx->now == NULL || rx->has_due != 0u || used != sizeof rx->due) return DIVISI_RING_BROKEN;
    uint64_t due;
    __builtin_memcpy(&due, slot->payload, sizeof due);
    const uint64_t latest = rx->now() + rx->longest;
    rx->due = due < latest ? due : latest;
    rx->has_due = 1;
    rx->stopped = DIVISI_RX_HELD;
    divisi_rx_step(rx);
    return DIVISI_RING_WAIT;
}

/* Checks the slot that came and takes over what it says.
 * SAFETY: every field was read once, into registers; lengths are bounded by the slot, the bulk area and the message,
 * and the kind must be the one that can stand here. */
static inline int divisi_rx_accept(struct divisi_rx* rx, uint64_t head, const struct divisi_slot* slot) {
    const uint32_t kind = (uint32_t)(head >> 32) & 0xffu;
    const uint32_t flags = (uint32_t)(head >> 40) & 0xffu;
    const uint32_t used = (uint32_t)(head >> 48);
    uint64_t fields[2] = {0, 0};
    if (flags > (DIVISI_SLOT_ENDS_LAP | DIVISI_SLOT_FROM_START)) return DIVISI_RING_BROKEN;
    rx->ends_lap = flags & DIVISI_SLOT_ENDS_LAP;
    if ((flags & DIVISI_SLOT_FROM_START) != 0u && (kind != DIVISI_SLOT_LARGE || rx->bulk_at == 0u))
        return DIVISI_RING_BROKEN;
    if (kind == DIVISI_SLOT_DUE) return divisi_rx_hold(rx, used, slot);
    if (kind == DIVISI_SLOT_SMALL && rx->kind == 0u && used <= DIVISI_SLOT_PAYLOAD_BYTES) {
        rx->length = rx->left = rx->piece = used;
    } else if ((kind == DIVISI_SLOT_LARGE && rx->kind == 0u) || (kind == DIVISI_SLOT_MORE && rx->kind != 0u)) {
        __builtin_memcpy(fields, slot->payload, sizeof fields);
        __asm__ __volatile__("" : "+m"(fields)); /* the copies are what is checked and used from here on */
        if (used != sizeof fields || fields[1] == 0u || fields[1] > fields[0] || fields[1] > rx->bulk_bytes ||
            fields[0] > (uint64_t)INT64_MAX)
            return DIVISI_RING_BROKEN;
        if (kind == DIVISI_SLOT_LARGE) rx->length = rx->left = fields[0];
        if ((flags & DIVISI_SLOT_FROM_START) != 0u) rx->bulk_at = 0;
        if (fields[0] != rx->left) return DIVISI_RING_BROKEN;
        rx->piece = (uint32_t)fields[1];
    } else {
        return DIVISI_RING_BROKEN;
    }
    if (kind != DIVISI_SLOT_MORE) {
        rx->kind = kind;
        rx->tag = *(const volatile uint64_t*)&slot->tag;
    }
    rx->has_due = 0;
    return DIVISI_RING_OK;
}

/* Whether the next slot may be looked at after all. */
static inline int divisi_rx_resume(struct divisi_rx* rx) {
    if (rx->stopped == DIVISI_RX_BROKEN) return DIVISI_RING_BROKEN;
    if (rx->now() < rx->due) return DIVISI_RING_WAIT;
    rx->stopped = 0;
    return DIVISI_RING_OK;
}

/* Looks for a message, or for the next piece of the one under way. DIVISI_RING_OK: rx->tag, length and left tell. */
static inline int divisi_rx_peek(struct divisi_rx* rx) {
    if (rx->kind == DIVISI_SLOT_SMALL || rx->piece != 0u) return DIVISI_RING_OK;
    for (;;) {
        if (rx->stopped != 0u) {
            const int resumed = divisi_rx_resume(rx);
            if (resumed != DIVISI_RING_OK) return resumed;
        }
        const struct divisi_slot* const slot = rx->slots + rx->next;
        /* ORDER: acquire: what the sequence announces is there when we read it. */
        const uint64_t head = __atomic_load_n((const divisi_word*)(const void*)slot, __ATOMIC_ACQUIRE);
        if ((int32_t)((uint32_t)head - rx->lap) < 0) return DIVISI_RING_WAIT;
        const int accepted = (uint32_t)head == rx->lap ? divisi_rx_accept(rx, head, slot) : DIVISI_RING_BROKEN;
        if (accepted == DIVISI_RING_OK) return DIVISI_RING_OK;
        if (accepted == DIVISI_RING_BROKEN) {
            rx->stopped = DIVISI_RX_BROKEN;
            return DIVISI_RING_BROKEN;
        }
        /* A time: once more, for the slot behind it. */
    }
}

/* Gives the present slot back; tells the producer now and then, and at once when `now`. */
static inline void divisi_rx_release(struct divisi_rx* rx, int now) {
    divisi_rx_step(rx);
    if (now || rx->unpublished >= rx->publish_every) {
        /* ORDER: release: we are done reading before the producer learns that it may write there. */
        __atomic_store_n(&rx->ring->consumed_bulk, rx->taken_bulk, __ATOMIC_RELEASE);
        __atomic_store_n(&rx->ring->consumed_slots, rx->taken_slots, __ATOMIC_RELEASE);
        rx->unpublished = 0;
    }
}

static inline void divisi_rx_drain_bulk(struct divisi_rx* rx, unsigned char* to, uint32_t bytes) {
    const uint32_t room = rx->bulk_bytes - rx->bulk_at;
    const uint32_t first = bytes < room ? bytes : room;
    const uint32_t taken = divisi_round_to_lines(bytes);
    if (to != NULL) {
        __builtin_memcpy(to, rx->bulk + rx->bulk_at, first);
        if (bytes > first) __builtin_memcpy(to + first, rx->bulk, bytes - first);
    }
    rx->bulk_at = (rx->bulk_at + taken) % rx->bulk_bytes;
    rx->taken_bulk += taken;
}

/* Takes what the last successful peek found (the whole small message, or one piece of a large one): rx->piece bytes, to
 * `to`, or nowhere (NULL). The message is over when rx->left is 0.
 * Yields 1 when it is time to look whether the producer sleeps (divisi_rx_must_wake), else 0: before the last of a full
 * ring is taken, it was. */
static inline int divisi_rx_take_piece(struct divisi_rx* rx, void* to) {
    const int large = rx->kind != DIVISI_SLOT_SMALL;
    if (large)
        divisi_rx_drain_bulk(rx, (unsigned char*)to, rx->piece);
    else if (to != NULL)
        divisi_copy_small((unsigned char*)to, rx->slots[rx->next].payload, rx->piece);
    rx->left -= rx->piece;
    rx->piece = 0;
    if (rx->left == 0u) rx->kind = 0;
    divisi_rx_release(rx, large);
    if (rx->unpublished != 0u || (!large && rx->unwoken < rx->wake_every)) return 0;
    rx->unwoken = 0;
    return 1;
}

/* The same, where `buffer` holds rx->length bytes and gets them at their place in the message; NULL discards. */
static inline int divisi_rx_take(struct divisi_rx* rx, void* buffer) {
    return divisi_rx_take_piece(rx, buffer == NULL ? NULL : (unsigned char*)buffer + (rx->length - rx->left));
}

/* ORDER: the mirror of divisi_tx_must_wake: space was announced before this look at space_sleep. */
static inline int divisi_rx_must_wake(const struct divisi_rx* rx) {
    divisi_full_fence();
    return __atomic_load_n(&rx->ring->space_sleep, __ATOMIC_RELAXED) != 0u;
}

#endif
