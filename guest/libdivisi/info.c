#define _GNU_SOURCE
#include <sched.h>
#include <time.h>

#include "internal.h"

int divisi_init(void) {
    return dvi.setup == DIVISI_OK ? DIVISI_OK : dvi_fail(dvi.setup, -1);
}

int divisi_rank(void) {
    return (int)dvi.rank;
}

int divisi_size(void) {
    return (int)dvi.size;
}

int divisi_node(void) {
    if (dvi.page == NULL) return 0;
    /* A rank's CPUs are its nodes, counted from its first one; where there is one, no system call has to say which. */
    if (dvi.page->own_nodes > 1u && dvi.page->backend != DIVISI_ABI_BACKEND_NATIVE)
        return (int)dvi.page->node + sched_getcpu();
    return (int)dvi.page->node;
}

int divisi_nodes(void) {
    return dvi.page == NULL ? 1 : (int)dvi.page->nodes;
}

int divisi_own_nodes(void) {
    return dvi.page == NULL ? 1 : (int)dvi.page->own_nodes;
}

enum divisi_mode divisi_mode(void) {
    return dvi.page == NULL ? DIVISI_ALONE : (enum divisi_mode)dvi.page->mode;
}

enum divisi_backend divisi_backend(void) {
    return dvi.page == NULL ? DIVISI_NATIVE : (enum divisi_backend)dvi.page->backend;
}

const char* divisi_mode_name(void) {
    switch (divisi_mode()) {
        case DIVISI_SHARED_MEMORY: return "shared-memory";
        case DIVISI_MESSAGE_PASSING: return "message-passing";
        default: return "alone";
    }
}

const char* divisi_backend_name(void) {
    switch (divisi_backend()) {
        case DIVISI_KVM: return "kvm";
        case DIVISI_DIRECT: return "direct";
        default: return "native";
    }
}

const char* divisi_topology(void) {
    return dvi.page == NULL ? "" : dvi.page->name;
}

static const struct divisi_peer* peer_of(int rank) {
    return dvi.page == NULL || rank < 0 || (uint32_t)rank >= dvi.size ? NULL : &dvi.peers[rank];
}

int divisi_node_of(int rank) {
    const struct divisi_peer* const peer = peer_of(rank);
    if (peer != NULL) return (int)peer->node;
    return dvi.page == NULL && rank == 0 ? 0 : -1;
}

int divisi_pu_of(int rank) {
    const struct divisi_peer* const peer = peer_of(rank);
    if (peer != NULL) return (int)peer->pu;
    return dvi.page == NULL && rank == 0 ? sched_getcpu() : -1;
}

int divisi_linked(int rank) {
    const struct divisi_peer* const peer = peer_of(rank);
    return peer != NULL && peer->hops == 1u;
}

int divisi_hops(int rank) {
    const struct divisi_peer* const peer = peer_of(rank);
    return peer == NULL ? 0 : (int)peer->hops;
}

int divisi_all_linked(void) {
    return dvi.page == NULL || (dvi.page->flags & DIVISI_ABI_FLAG_FULL) != 0u;
}

void* divisi_shared(void) {
    return divisi_shared_size() == 0 ? NULL : (unsigned char*)dvi.page + dvi.page->shared_offset;
}

size_t divisi_shared_size(void) {
    return dvi.page == NULL ? 0 : dvi.page->shared_bytes;
}

uint64_t divisi_time_ns(void) {
    if (dvi.page != NULL && dvi.page->tsc_khz != 0) {
        __extension__ const unsigned __int128 ticks = __builtin_ia32_rdtsc();
        return (uint64_t)(ticks * 1000000u / dvi.page->tsc_khz);
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

double divisi_time(void) {
    return (double)divisi_time_ns() * 1e-9;
}
