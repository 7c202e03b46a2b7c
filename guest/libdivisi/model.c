/* How long messages are on their way, where the policy gives links a latency or a bandwidth.
 *
 * A message goes over the wires of its route one after another, cut through: its first byte leaves a node while the
 * rest is still arriving there. On each wire it waits for those before it, for whomever they are, and then takes the
 * wire for bytes / bandwidth. So what is sent at t over wires w of latency L(w) arrives when the last byte has passed
 * the wire that was slowest about it: max over w of (when w was free for it + bytes / bandwidth(w) + latencies from w
 * on).
 *
 * Until when a wire is taken stands in a table that all ranks write. Whoever scribbles there delays others, by queue_ns
 * a wire at most, and changes nothing of what they receive. */
#include "internal.h"

#define SLACK_NS 1000000000u

static struct dvi_link* link_of(struct divisi_tx* tx) {
    return (struct dvi_link*)(void*)((unsigned char*)tx - offsetof(struct dvi_link, tx));
}

static const void* in_window(uint64_t offset) {
    return (const unsigned char*)(const void*)dvi.page + offset;
}

/* Takes a wire for `length_ns`, from `ready` on at the earliest; when that begins. */
static uint64_t take_wire(uint64_t* busy, uint64_t ready, uint64_t length_ns) {
    uint64_t until = __atomic_load_n(busy, __ATOMIC_RELAXED);
    uint64_t begin;
    do {
        /* SAFETY: anybody may have written it: what cannot be is not believed. */
        begin = until > ready && until - ready <= dvi.page->queue_ns ? until : ready;
    } while (!__atomic_compare_exchange_n(busy, &until, begin + length_ns, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return begin;
}

static uint64_t arrival_over_wires(uint64_t now, uint32_t to, uint32_t bytes) {
    const uint32_t* const routes = in_window(dvi.page->routes_offset);
    const struct divisi_wire* const wires = in_window(dvi.page->wires_offset);
    uint64_t* const busy = (uint64_t*)(uintptr_t)in_window(dvi.page->busy_offset);
    uint64_t first = now; /* when the first byte is here */
    uint64_t last = now;  /* and the last one */
    for (uint32_t at = dvi.page->node; at != to;) {
        const uint32_t next = routes[(size_t)at * dvi.page->nodes + to];
        if (next >= dvi.page->wires) break;
        const struct divisi_wire* const wire = &wires[next];
        const uint64_t length_ns = bytes * wire->ps_per_byte / 1000u;
        if (wire->ps_per_byte != 0) first = take_wire(&busy[next], first, length_ns);
        if (first + length_ns > last) last = first + length_ns;
        first += wire->latency_ns;
        last += wire->latency_ns;
        at = wire->to;
    }
    return last;
}

uint64_t dvi_due(struct divisi_tx* tx, uint32_t bytes) {
    const struct divisi_peer* const peer = &dvi.peers[link_of(tx)->rank];
    const uint64_t now = divisi_time_ns();
    if (dvi.page->routes_offset == 0) return now + peer->latency_ns;
    return arrival_over_wires(now, peer->node, bytes);
}

uint64_t dvi_longest(const struct divisi_peer* peer) {
    return peer->latency_ns + (uint64_t)peer->hops * 2u * dvi.page->queue_ns + SLACK_NS;
}
