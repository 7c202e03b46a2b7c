/* The one-way ring: half of a channel, as it lies in memory shared by exactly two ends that do not trust each other.
 *
 * A ring occupies `ring_bytes` (a power of two, DIVISI_RING_MIN_BYTES … DIVISI_RING_MAX_BYTES), page-aligned. All zeros
 * is a fresh ring. The slot area is the first max(4096, ring_bytes / 8) bytes, the rest is the bulk area; from
 * DIVISI_RING_SHIFTED_BYTES on, without half a page before it and half a page behind it.
 *
 *   offset  size  written by  content
 *   0x000    8    consumer    consumed_slots: slots taken so far
 *   0x008    8    consumer    consumed_bulk: bytes of the bulk area given back so far (a multiple of 64)
 *   0x040    4    both        data_sleep: 1 while the consumer sleeps for a slot or a signal; its futex word
 *   0x080    4    both        space_sleep: 1 while the producer sleeps for space; its futex word
 *   0x0c0    4    producer    signal: barriers this end has reached (a counter of its own, outside the slots)
 *   0x0c8    8    producer    signal_due: when the signal arrives, in ns; only where links take time
 *   0x0d0   32    both        claims[8]: of messages that are copied (divisi_loan), how many parts are taken on
 *   0x100    -    producer    slots of 64 bytes, up to the end of the slot area
 *   area     -    producer    bulk: payloads that do not fit in a slot; a ring of bytes, pieces aligned to 64
 *
 * A slot is one cache line, so a small message is one transfer:
 *
 *   0x00  4  sequence: the lap number (from 1) in which this slot was written; stored last, with release
 *   0x04  1  kind: DIVISI_SLOT_*
 *   0x05  1  flags: DIVISI_SLOT_ENDS_LAP and DIVISI_SLOT_FROM_START, or 0
 *   0x06  2  payload bytes used (DIVISI_SLOT_SMALL: 0 … 48; DIVISI_SLOT_DUE: 8; the others: 16)
 *   0x08  8  tag: the sender's, passed on untouched
 *   0x10 48  payload: the bytes of a small message; or
 *            0x10 8 bytes of the message that follow from here on, this piece included
 *            0x18 8 bytes of this piece, which lie next in the bulk area
 *
 * A message that is larger than a slot is one DIVISI_SLOT_LARGE and as many DIVISI_SLOT_MORE as it takes; nothing else
 * stands between them. Where links take time (the model of the interconnect), a DIVISI_SLOT_DUE goes before each of all
 * these slots; its payload is the time in ns before which the consumer must not see the slot behind it. Where a piece
 * lies in the bulk area is not said: both ends count. Each end keeps its positions in private memory and takes from the
 * ring only what it can check: docs/channels.md argues why garbage cannot hurt.
 */
#ifndef DIVISI_SHM_ABI_RING_H
#define DIVISI_SHM_ABI_RING_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#define DIVISI_ABI_ASSERT(condition) static_assert(condition, #condition)
#else
#define DIVISI_ABI_ASSERT(condition) _Static_assert(condition, #condition)
#endif

#define DIVISI_LINE_BYTES 64u
#define DIVISI_RING_MIN_BYTES 8192u
#define DIVISI_RING_MAX_BYTES 4194304u
#define DIVISI_RING_SLOTS_OFFSET 0x100u
#define DIVISI_SLOT_PAYLOAD_BYTES 48u
#define DIVISI_RING_CLAIMS 8u

/* Kinds of slot. Zero is not one: a slot that was never written cannot be taken for a message. */
#define DIVISI_SLOT_SMALL 1u
#define DIVISI_SLOT_LARGE 2u
#define DIVISI_SLOT_MORE 3u
#define DIVISI_SLOT_DUE 4u

/* The next slot is the first one again, though this is not the last. */
#define DIVISI_SLOT_ENDS_LAP 1u
/* The piece lies at the beginning of the bulk area, though what was before it, all of which was taken, did not end with
 * that area. */
#define DIVISI_SLOT_FROM_START 2u

struct divisi_slot {
    uint32_t sequence;
    uint8_t kind;
    uint8_t flags;
    uint16_t used;
    uint64_t tag;
    unsigned char payload[48];
};

DIVISI_ABI_ASSERT(sizeof(struct divisi_slot) == 64);
DIVISI_ABI_ASSERT(offsetof(struct divisi_slot, kind) == 0x04);
DIVISI_ABI_ASSERT(offsetof(struct divisi_slot, used) == 0x06);
DIVISI_ABI_ASSERT(offsetof(struct divisi_slot, tag) == 0x08);
DIVISI_ABI_ASSERT(offsetof(struct divisi_slot, payload) == 0x10);

/* The lines before the slots: apart by who writes them when, so that a line moves between the ends only when it has
 * something to say. The producer looks at the second one with every message; it changes only when the consumer sleeps.
 */
struct divisi_ring {
    uint64_t consumed_slots;
    uint64_t consumed_bulk;
    unsigned char pad0[48];
    uint32_t data_sleep;
    unsigned char pad1[60];
    uint32_t space_sleep;
    unsigned char pad2[60];
    uint32_t signal;
    uint32_t zero;
    uint64_t signal_due;
    uint32_t claims[DIVISI_RING_CLAIMS];
    unsigned char pad3[16];
};

DIVISI_ABI_ASSERT(sizeof(struct divisi_ring) == DIVISI_RING_SLOTS_OFFSET);
DIVISI_ABI_ASSERT(offsetof(struct divisi_ring, consumed_bulk) == 0x008);
DIVISI_ABI_ASSERT(offsetof(struct divisi_ring, data_sleep) == 0x040);
DIVISI_ABI_ASSERT(offsetof(struct divisi_ring, space_sleep) == 0x080);
DIVISI_ABI_ASSERT(offsetof(struct divisi_ring, signal) == 0x0c0);
DIVISI_ABI_ASSERT(offsetof(struct divisi_ring, signal_due) == 0x0c8);
DIVISI_ABI_ASSERT(offsetof(struct divisi_ring, claims) == 0x0d0);

static inline uint32_t divisi_ring_slot_area(uint32_t ring_bytes) {
    return ring_bytes / 8u < 4096u ? 4096u : ring_bytes / 8u;
}
static inline uint32_t divisi_ring_slots(uint32_t ring_bytes) {
    return (divisi_ring_slot_area(ring_bytes) - DIVISI_RING_SLOTS_OFFSET) / DIVISI_LINE_BYTES;
}
/* Half a page between what lies where pages begin in a large buffer and in the bulk area: where `rep movsb` is what
 * copies fastest, it is slow as long as the target lies a few bytes further in its page than the source, and buffers
 * that malloc maps begin 16 bytes behind the page's first. */
#define DIVISI_RING_SHIFTED_BYTES 65536u
#define DIVISI_BULK_SHIFT_BYTES 2048u
static inline uint32_t divisi_ring_bulk_shift(uint32_t ring_bytes) {
    return ring_bytes < DIVISI_RING_SHIFTED_BYTES ? 0u : DIVISI_BULK_SHIFT_BYTES;
}
static inline uint32_t divisi_ring_bulk_offset(uint32_t ring_bytes) {
    return divisi_ring_slot_area(ring_bytes) + divisi_ring_bulk_shift(ring_bytes);
}
static inline uint32_t divisi_ring_bulk_bytes(uint32_t ring_bytes) {
    return ring_bytes - divisi_ring_slot_area(ring_bytes) - 2u * divisi_ring_bulk_shift(ring_bytes);
}
static inline int divisi_ring_bytes_valid(uint64_t ring_bytes) {
    return ring_bytes >= DIVISI_RING_MIN_BYTES && ring_bytes <= DIVISI_RING_MAX_BYTES &&
           (ring_bytes & (ring_bytes - 1u)) == 0;
}

#ifdef __cplusplus
}
#endif

#endif
