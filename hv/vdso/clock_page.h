/* The page by which programs tell time without leaving their node: written by the VMM, read by the vDSO's code in the
   node (C, freestanding) and by the VMM itself, so that both always tell the same time.

   Shape (bytes): 0 sequence; 8 coarse_ns; 64 record 0; 256 record 1. The record of number `sequence & 1` is the current
   one; the other is being prepared. A record says, for each clock, how time goes on from a tick of the time stamp
   counter: by one line before `switch_tsc`, by another from there on. The second line starts where the first one ends,
   so time never goes backwards; it is published ahead of `switch_tsc`, so no two readers see it differently.

   A reader whose counter is not within `span` of `start_tsc` (the VMM was stopped, or the node's counter is not the
   host's) must ask by a system call. `span` 0: nobody can tell time here. */
#ifndef DIVISI_HV_VDSO_CLOCK_PAGE_H
#define DIVISI_HV_VDSO_CLOCK_PAGE_H

#include <stdint.h>

/* ns + (tsc - start) * rate / 2^32 */
struct divisi_clock_line {
    uint64_t start_tsc;
    uint64_t ns;
    uint64_t rate;
};

#define DIVISI_CLOCK_MONOTONIC 0
#define DIVISI_CLOCK_RAW 1
#define DIVISI_CLOCK_LINES 2

struct divisi_clock_record {
    uint64_t start_tsc;
    uint64_t span;
    uint64_t switch_tsc;
    int64_t realtime_ns; /* CLOCK_REALTIME and CLOCK_BOOTTIME, less CLOCK_MONOTONIC */
    int64_t boottime_ns;
    struct divisi_clock_line lines[DIVISI_CLOCK_LINES][2];
    uint64_t reserved[7];
};

struct divisi_clock_page {
    uint64_t sequence;
    uint64_t coarse_ns; /* the resolution of the coarse clocks */
    uint64_t reserved[6];
    struct divisi_clock_record records[2];
};

#ifdef __cplusplus
static_assert(sizeof(divisi_clock_record) == 192 && sizeof(divisi_clock_page) == 448, "the byte table above");
#else
_Static_assert(sizeof(struct divisi_clock_record) == 192, "the byte table above");
_Static_assert(sizeof(struct divisi_clock_page) == 448, "the byte table above");
#endif

__extension__ typedef unsigned __int128 divisi_uint128;

static inline uint64_t divisi_clock_on_line(const struct divisi_clock_line* line, uint64_t tsc) {
    return line->ns + (uint64_t)(((divisi_uint128)(tsc - line->start_tsc) * line->rate) >> 32U);
}

static inline uint64_t divisi_clock_tsc(void) {
    uint32_t low;
    uint32_t high;
    /* ORDER: not before the loads of the sequence that precede it. */
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32U | low;
}

#define DIVISI_CLOCK_PLAIN 0
#define DIVISI_CLOCK_REAL 1
#define DIVISI_CLOCK_BOOT 2

/* ORDER: the fields of a record are read before the sequence is looked at again. (Acquiring loads rather than a fence
   after plain ones: they cost the same here, and the thread sanitizer knows them.) */
static inline uint64_t divisi_clock_field(const uint64_t* field) {
    return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

/* The time of a line in nanoseconds, with an offset. 0: it cannot be told. */
static inline uint64_t divisi_clock_read(const struct divisi_clock_page* page, int which, int offset) {
    for (;;) {
        const uint64_t sequence = __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE);
        /* SAFETY: the VMM writes the other record, and this one only after a later sequence number: checked below. */
        const struct divisi_clock_record* record = &page->records[sequence & 1U];
        const uint64_t tsc = divisi_clock_tsc();
        const uint64_t start = divisi_clock_field(&record->start_tsc);
        const uint64_t span = divisi_clock_field(&record->span);
        const struct divisi_clock_line* source = &record->lines[which][tsc >= divisi_clock_field(&record->switch_tsc)];
        const struct divisi_clock_line line = {divisi_clock_field(&source->start_tsc), divisi_clock_field(&source->ns),
                                               divisi_clock_field(&source->rate)};
        const int64_t plus = offset == DIVISI_CLOCK_REAL   ? __atomic_load_n(&record->realtime_ns, __ATOMIC_ACQUIRE)
                             : offset == DIVISI_CLOCK_BOOT ? __atomic_load_n(&record->boottime_ns, __ATOMIC_ACQUIRE)
                                                           : 0;
        if (__atomic_load_n(&page->sequence, __ATOMIC_RELAXED) != sequence) continue;
        if (tsc - start >= span) return 0;
        return divisi_clock_on_line(&line, tsc) + (uint64_t)plus;
    }
}

#endif
