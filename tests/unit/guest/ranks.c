/* What the tests run on every rank: `ranks SCENARIO`. Exit code 0: all was as it should be. */
#include <divisi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "guest/libdivisi/internal.h"

#define CHECK(condition)                                                                                \
    do {                                                                                                \
        if (!(condition)) {                                                                             \
            fprintf(stderr, "rank %d: line %d: not so: %s (%s)\n", divisi_rank(), __LINE__, #condition, \
                    divisi_error());                                                                    \
            _exit(1);                                                                                   \
        }                                                                                               \
    } while (0)

static uint32_t mixed(uint32_t value) {
    value ^= value >> 16;
    value *= 0x7feb352du;
    value ^= value >> 15;
    value *= 0x846ca68bu;
    return value ^ value >> 16;
}

/* Bytes that only this message can have. */
static void fill(unsigned char* bytes, size_t length, uint32_t seed) {
    for (size_t i = 0; i < length; ++i) bytes[i] = (unsigned char)(mixed(seed) + i * 31u + (i >> 8));
}

static int is_filled(const unsigned char* bytes, size_t length, uint32_t seed) {
    for (size_t i = 0; i < length; ++i)
        if (bytes[i] != (unsigned char)(mixed(seed) + i * 31u + (i >> 8))) return 0;
    return 1;
}

static void identity(void) {
    CHECK(divisi_init() == DIVISI_OK);
    CHECK(divisi_mode() == DIVISI_MESSAGE_PASSING);
    CHECK(divisi_backend() == DIVISI_NATIVE);
    CHECK(strcmp(divisi_topology(), "test") == 0);
    CHECK(divisi_node() == divisi_rank());
    CHECK(divisi_nodes() == divisi_size());
    CHECK(divisi_node_of(divisi_size() - 1) == divisi_size() - 1);
    CHECK(divisi_node_of(divisi_size()) == -1 && divisi_node_of(-1) == -1);
    CHECK(!divisi_linked(divisi_rank()));
    CHECK(divisi_shared() == NULL && divisi_shared_size() == 0);
    const uint64_t before = divisi_time_ns();
    usleep(2000);
    const uint64_t passed = divisi_time_ns() - before;
    CHECK(passed >= 1500000);
    /* Everybody shows itself to the first, so that no two are the same. */
    if (divisi_rank() != 0) {
        CHECK(divisi_send(0, (uint64_t)divisi_rank(), NULL, 0) == DIVISI_OK);
        return;
    }
    for (int i = 1; i < divisi_size(); ++i) {
        struct divisi_status status;
        CHECK(divisi_recv(i, NULL, 0, &status) == DIVISI_OK);
        CHECK(status.tag == (uint64_t)i && status.source == i && status.length == 0);
    }
}

static void alone(void) {
    CHECK(divisi_init() == DIVISI_OK);
    CHECK(divisi_mode() == DIVISI_ALONE);
    CHECK(divisi_rank() == 0 && divisi_size() == 1 && divisi_node() == 0 && divisi_nodes() == 1);
    CHECK(divisi_barrier() == DIVISI_OK);
    CHECK(divisi_send(0, 0, "x", 1) == DIVISI_ENOLINK);
    CHECK(divisi_send(1, 0, "x", 1) == DIVISI_EINVAL);
    CHECK(divisi_recv(DIVISI_ANY, NULL, 0, NULL) == DIVISI_ENOLINK);
    CHECK(divisi_try_recv(DIVISI_ANY, NULL, 0, NULL) == DIVISI_EAGAIN);
    CHECK(divisi_time_ns() != 0);
}

static void bad_setup(void) {
    char byte;
    CHECK(divisi_init() == DIVISI_ESETUP);
    CHECK(strlen(divisi_error()) > 10);
    CHECK(divisi_send(0, 0, "x", 1) == DIVISI_ESETUP);
    CHECK(divisi_recv(DIVISI_ANY, &byte, 1, NULL) == DIVISI_ESETUP);
    CHECK(divisi_barrier() == DIVISI_ESETUP);
    CHECK(divisi_wait_any(DIVISI_ANY, NULL, 0) == DIVISI_ESETUP);
}

/* ---- messages ---- */

static void ping_pong(void) {
    unsigned char bytes[4096];
    const int peer = divisi_rank() ^ 1;
    for (uint32_t i = 0; i < 5000; ++i) {
        const size_t length = i % 7 == 0 ? i % sizeof bytes : i % 49;
        if (divisi_rank() < peer) {
            fill(bytes, length, i);
            CHECK(divisi_send(peer, i, bytes, length) == DIVISI_OK);
        }
        struct divisi_status status;
        memset(bytes, 0, sizeof bytes);
        CHECK(divisi_recv(peer, bytes, sizeof bytes, &status) == DIVISI_OK);
        CHECK(status.tag == i && status.length == length && is_filled(bytes, length, i));
        if (divisi_rank() > peer) CHECK(divisi_send(peer, i, bytes, length) == DIVISI_OK);
    }
}

static void stream_to(int peer, int count) {
    static unsigned char bytes[300000];
    for (uint32_t i = 0; i < (uint32_t)count; ++i) {
        const size_t length = mixed(i) % (i % 5 == 0 ? sizeof bytes : 3000);
        fill(bytes, length, i);
        CHECK(divisi_send(peer, i, bytes, length) == DIVISI_OK);
    }
}

static void stream_from(int peer, int count) {
    static unsigned char bytes[300000];
    for (uint32_t i = 0; i < (uint32_t)count; ++i) {
        struct divisi_status status;
        CHECK(divisi_recv(peer, bytes, sizeof bytes, &status) == DIVISI_OK);
        CHECK(status.tag == i && status.length == mixed(i) % (i % 5 == 0 ? sizeof bytes : 3000));
        CHECK(is_filled(bytes, status.length, i));
    }
}

static void stream(void) {
    if (divisi_rank() == 0) stream_to(1, 300);
    if (divisi_rank() == 1) stream_from(0, 300);
}

enum { kEach = 40 };

static size_t length_of(int from, int to, int index) {
    const uint32_t value = mixed((uint32_t)(from * 4096 + to * 64 + index));
    return value % 3 == 0 ? value % 48 : value % 6000;
}

static uint32_t seed_of(int from, int to, int index) {
    return (uint32_t)(from * 1000003 + to * 1009 + index);
}

static int over_routes;

static int exchanges_with(int rank) {
    return over_routes ? divisi_hops(rank) > 0 : divisi_linked(rank);
}

/* Sends what can be sent; how many messages are still to go. */
static size_t send_some(int* sent, struct divisi_sending* blocked) {
    static unsigned char bytes[6000];
    const int me = divisi_rank();
    size_t pending = 0;
    for (int to = 0; to < divisi_size(); ++to) {
        int result = DIVISI_OK;
        while (exchanges_with(to) && sent[to] < kEach && result == DIVISI_OK) {
            const size_t length = length_of(me, to, sent[to]);
            fill(bytes, length, seed_of(me, to, sent[to]));
            result = divisi_try_send(to, (uint64_t)sent[to], bytes, length);
            CHECK(result == DIVISI_OK || result == DIVISI_EAGAIN);
            if (result == DIVISI_OK) ++sent[to];
        }
        if (result == DIVISI_EAGAIN) {
            blocked[pending].to = to;
            blocked[pending++].length = length_of(me, to, sent[to]);
        }
    }
    return pending;
}

static int receive_some(int* received) {
    static unsigned char bytes[6000];
    struct divisi_status status;
    int count = 0;
    for (;;) {
        const int result = divisi_try_recv(DIVISI_ANY, bytes, sizeof bytes, &status);
        if (result == DIVISI_EAGAIN) return count;
        CHECK(result == DIVISI_OK);
        const int index = received[status.source]++;
        CHECK(status.tag == (uint64_t)index);
        CHECK(status.length == length_of(status.source, divisi_rank(), index));
        CHECK(is_filled(bytes, status.length, seed_of(status.source, divisi_rank(), index)));
        ++count;
    }
}

static void exchange_with_all(void) {
    static int sent[DIVISI_MAX_NODES];
    static int received[DIVISI_MAX_NODES];
    static struct divisi_sending blocked[DIVISI_MAX_NODES];
    int missing = 0;
    for (int rank = 0; rank < divisi_size(); ++rank) missing += exchanges_with(rank) ? kEach : 0;
    for (;;) {
        const size_t pending = send_some(sent, blocked);
        missing -= receive_some(received);
        if (missing == 0 && pending == 0) break;
        CHECK(divisi_wait_any(missing != 0 ? DIVISI_ANY : DIVISI_NONE, blocked, pending) == DIVISI_OK);
    }
    CHECK(divisi_barrier() == DIVISI_OK);
}

static void all_to_all(void) {
    exchange_with_all();
}

static void routed(void) {
    over_routes = 1;
    int partners = 0;
    for (int rank = 0; rank < divisi_size(); ++rank) partners += exchanges_with(rank);
    CHECK(partners == divisi_size() - 1);
    exchange_with_all();
}

/* From one end of a chain to the other and back: as many latencies as there are hops, at least. */
static void latency(void) {
    const int last = divisi_size() - 1;
    const uint64_t hop_ns =
        dvi.peers[divisi_rank() == 0 ? 1 : 0].latency_ns / (divisi_rank() == 0 ? 1u : (unsigned)divisi_rank());
    for (uint64_t i = 0; i < 20; ++i) {
        uint64_t sent_at = divisi_time_ns();
        if (divisi_rank() == 0) CHECK(divisi_send(last, i, &sent_at, sizeof sent_at) == DIVISI_OK);
        if (divisi_rank() != last) continue;
        CHECK(divisi_hops(0) == last);
        CHECK(divisi_recv(0, &sent_at, sizeof sent_at, NULL) == DIVISI_OK);
        CHECK(divisi_time_ns() - sent_at >= hop_ns * (uint64_t)last);
    }
    CHECK(divisi_barrier() == DIVISI_OK);
}

/* Ranks 0 and 1 both send over the link between 1 and 2: what arrives there does so at the link's rate. */
static void bandwidth(void) {
    enum { kMessages = 20, kBytes = 10000 };
    static unsigned char bytes[kBytes];
    const uint64_t ps_per_byte = 8000;
    const uint64_t entered = divisi_time_ns();
    CHECK(divisi_barrier() == DIVISI_OK);
    const uint64_t begin = divisi_time_ns();
    for (uint32_t i = 0; i < kMessages; ++i) {
        fill(bytes, kBytes, i);
        if (divisi_rank() < 2) CHECK(divisi_send(divisi_rank() + 2, begin, bytes, kBytes) == DIVISI_OK);
        if (divisi_rank() < 2) continue;
        struct divisi_status status;
        memset(bytes, 0, kBytes);
        CHECK(divisi_recv(divisi_rank() - 2, bytes, kBytes, &status) == DIVISI_OK);
        CHECK(is_filled(bytes, kBytes, i));
        CHECK(divisi_time_ns() - status.tag >= (i + 1u) * kBytes * ps_per_byte / 1000u);
    }
    CHECK(divisi_barrier() == DIVISI_OK);
    /* Both flows: the last message of the two has had to wait for all others. */
    CHECK(divisi_time_ns() - entered >= 2u * kMessages * kBytes * ps_per_byte / 1000u);
}

/* Everyone sends to the first, which takes them as they come. */
static void gather(void) {
    enum { kMessages = 20 };
    int from[DIVISI_MAX_NODES] = {0};
    if (divisi_rank() != 0) {
        for (uint64_t i = 0; i < kMessages; ++i) CHECK(divisi_send(0, i, &i, sizeof i) == DIVISI_OK);
        return;
    }
    for (int i = 0; i < kMessages * (divisi_size() - 1); ++i) {
        struct divisi_status probed;
        struct divisi_status status;
        uint64_t value = 0;
        CHECK(divisi_probe(DIVISI_ANY, &probed) == DIVISI_OK);
        CHECK(divisi_recv(probed.source, &value, sizeof value, &status) == DIVISI_OK);
        CHECK(status.source == probed.source && status.tag == probed.tag && value == status.tag);
        CHECK(from[status.source]++ == (int)value);
    }
    char byte;
    CHECK(divisi_try_recv(DIVISI_ANY, &byte, 1, NULL) == DIVISI_EAGAIN);
}

static void refusals_of_the_first(void) {
    static unsigned char bytes[100000];
    const size_t most = divisi_try_send_max();
    CHECK(divisi_send(divisi_size(), 0, bytes, 1) == DIVISI_EINVAL);
    CHECK(divisi_send(-1, 0, bytes, 1) == DIVISI_EINVAL);
    CHECK(divisi_send(1, 0, NULL, 1) == DIVISI_EINVAL);
    CHECK(divisi_send(0, 0, bytes, 1) == DIVISI_ENOLINK);
    CHECK(strstr(divisi_error(), "rank 0 (node 0)") != NULL);
    CHECK(divisi_recv(0, bytes, 1, NULL) == DIVISI_ENOLINK);
    CHECK(divisi_recv(1, NULL, 1, NULL) == DIVISI_EINVAL);
    CHECK(divisi_try_recv(1, bytes, 1, NULL) == DIVISI_EAGAIN);
    CHECK(divisi_try_probe(1, NULL) == DIVISI_EAGAIN);
    CHECK(most < sizeof bytes && divisi_try_send(1, 0, bytes, most + 1) == DIVISI_E2BIG);
    /* Nobody receives before the barrier, so the channel fills. */
    fill(bytes, most, 1);
    CHECK(divisi_try_send(1, 1, bytes, most) == DIVISI_OK);
    CHECK(divisi_try_send(1, 2, bytes, 100) == DIVISI_EAGAIN);
    CHECK(divisi_try_send(1, 3, bytes, 48) == DIVISI_OK);
    uint64_t more = 0;
    while (divisi_try_send(1, 4, &more, sizeof more) == DIVISI_OK) ++more;
    CHECK(more > 10);
    CHECK(divisi_barrier() == DIVISI_OK);
    CHECK(divisi_send(1, 5, &more, sizeof more) == DIVISI_OK);
}

static void refusals_of_the_second(void) {
    static unsigned char bytes[100000];
    const size_t most = divisi_try_send_max();
    struct divisi_status status;
    CHECK(divisi_barrier() == DIVISI_OK);
    CHECK(divisi_recv(0, bytes, 10, &status) == DIVISI_ETRUNC);
    CHECK(status.length == most && status.tag == 1);
    CHECK(divisi_recv(0, bytes, sizeof bytes, &status) == DIVISI_OK);
    CHECK(is_filled(bytes, most, 1));
    CHECK(divisi_recv(0, bytes, 47, &status) == DIVISI_ETRUNC);
    CHECK(divisi_discard(0, &status) == DIVISI_OK && status.tag == 3 && status.length == 48);
    uint64_t value = 0;
    for (uint64_t due = 0;; ++due) {
        CHECK(divisi_recv(DIVISI_ANY, &value, sizeof value, &status) == DIVISI_OK);
        if (status.tag == 5) break;
        CHECK(status.tag == 4 && value == due);
    }
}

static void refusals(void) {
    if (divisi_rank() == 0)
        refusals_of_the_first();
    else if (divisi_rank() == 1)
        refusals_of_the_second();
    else
        CHECK(divisi_barrier() == DIVISI_OK);
}

/* ---- barriers ---- */

static void barrier(void) {
    enum { kRounds = 200 };
    uint32_t* const counters = divisi_shared();
    CHECK(counters != NULL && divisi_mode() == DIVISI_SHARED_MEMORY);
    for (uint32_t round = 1; round <= kRounds; ++round) {
        __atomic_store_n(&counters[divisi_rank() * 16], round, __ATOMIC_RELEASE);
        CHECK(divisi_barrier() == DIVISI_OK);
        for (int rank = 0; rank < divisi_size(); ++rank) {
            const uint32_t reached = __atomic_load_n(&counters[rank * 16], __ATOMIC_ACQUIRE);
            CHECK(reached == round || reached == round + 1);
        }
    }
}

static void barrier_without_path(void) {
    CHECK(divisi_barrier() == DIVISI_ENOLINK);
}

/* ---- peers that misbehave ---- */

static void dies_while_sending(void) {
    static unsigned char bytes[4 << 20];
    for (uint64_t i = 0; i < 10; ++i) CHECK(divisi_send(0, i, &i, sizeof i) == DIVISI_OK);
    const struct itimerval soon = {{0, 0}, {0, 50000}};
    setitimer(ITIMER_REAL, &soon, NULL);
    divisi_send(0, 10, bytes, sizeof bytes);
    CHECK(!"the rest fits nowhere");
}

/* What was sent before the death arrives; then everything with that peer fails, and names it. */
static void survives_the_death(void) {
    static unsigned char bytes[4 << 20];
    uint64_t value = 0;
    while (!dvi_gone(&dvi.links[1])) usleep(1000);
    for (uint64_t i = 0; i < 10; ++i) {
        CHECK(divisi_recv(DIVISI_ANY, &value, sizeof value, NULL) == DIVISI_OK);
        CHECK(value == i);
    }
    CHECK(divisi_recv(1, bytes, sizeof bytes, NULL) == DIVISI_EPEER);
    CHECK(strstr(divisi_error(), "rank 1 (node 1): the peer is gone") != NULL);
    CHECK(divisi_recv(1, bytes, sizeof bytes, NULL) < 0);
    CHECK(divisi_send(1, 0, "x", 1) == DIVISI_EPEER);
    CHECK(divisi_barrier() == DIVISI_EPEER);
    /* The others are still there. */
    CHECK(divisi_send(2, 1, "hello", 6) == DIVISI_OK);
    CHECK(divisi_recv(DIVISI_ANY, bytes, sizeof bytes, NULL) == DIVISI_OK);
}

static void helps_afterwards(void) {
    char bytes[8];
    CHECK(divisi_recv(0, bytes, sizeof bytes, NULL) == DIVISI_OK);
    CHECK(divisi_send(0, 1, "too", 4) == DIVISI_OK);
}

static void death(void) {
    void (*const parts[])(void) = {survives_the_death, dies_while_sending, helps_afterwards};
    parts[divisi_rank()]();
}

/* Rank 0 sleeps in a receive, rank 1 in a send, when the one between them ends. */
static void death_of_the_awaited(void) {
    static unsigned char bytes[4 << 20];
    if (divisi_rank() == 2) {
        usleep(50000);
        raise(SIGKILL);
    }
    if (divisi_rank() == 0) CHECK(divisi_recv(2, bytes, sizeof bytes, NULL) == DIVISI_EPEER);
    if (divisi_rank() == 1) CHECK(divisi_send(2, 0, bytes, sizeof bytes) == DIVISI_EPEER);
    if (divisi_rank() == 3) CHECK(divisi_recv(DIVISI_ANY, bytes, sizeof bytes, NULL) == DIVISI_OK);
    if (divisi_rank() == 0) CHECK(divisi_send(3, 0, "x", 1) == DIVISI_OK);
}

/* A word of the window that this rank may write: mostly where it hurts, in the head of a ring and its first slots. */
static uint32_t* victim(uint32_t dice) {
    unsigned char* const window = (unsigned char*)(uintptr_t)dvi.page;
    const uint64_t begin = dvi.page->busy_offset != 0 ? dvi.page->busy_offset : dvi.page->traffic_offset;
    const struct divisi_peer* const peer = &dvi.peers[mixed(dice + 1) % dvi.size];
    uint64_t at = begin + mixed(dice) % (dvi.page->window_bytes - begin);
    if (dice % 4 != 0 && peer->ring_bytes != 0)
        at = (dice % 2 == 0 ? peer->out_offset : peer->in_offset) + mixed(dice + 2) % 800u;
    return (uint32_t*)(void*)(window + at / sizeof(uint32_t) * sizeof(uint32_t));
}

static void scribble(double seconds) {
    const uint64_t end = divisi_time_ns() + (uint64_t)(seconds * 1e9);
    for (uint32_t i = 1; divisi_time_ns() < end; ++i) {
        const uint32_t a = mixed(i);
        __atomic_store_n(victim(a), a % 3 == 0 ? mixed(a + 1) : mixed(a + 1) % 4, __ATOMIC_RELAXED);
    }
}

/* All but the last rank exchange with each other, pair by pair, until rank 0 has seen enough. */
static void exchange_in_pairs(double seconds) {
    static unsigned char bytes[3000];
    const uint64_t end = divisi_time_ns() + (uint64_t)(seconds * 1e9);
    const int me = divisi_rank();
    uint64_t last_round = 0;
    for (uint32_t round = 0; !last_round; ++round) {
        const uint64_t enough = me == 0 && divisi_time_ns() > end;
        last_round = enough;
        for (int step = 1; step < 32; ++step) {
            const int partner = me ^ step;
            if (partner >= divisi_size() - 1) continue;
            struct divisi_status status;
            const size_t length = mixed(round * 32u + (uint32_t)step) % sizeof bytes;
            fill(bytes, length, round + (uint32_t)me);
            CHECK(divisi_send(partner, round * 2u + enough, bytes, length) == DIVISI_OK);
            CHECK(divisi_recv(partner, bytes, sizeof bytes, &status) == DIVISI_OK);
            CHECK(status.tag / 2u == round && status.length == length);
            CHECK(is_filled(bytes, length, round + (uint32_t)partner));
            last_round |= status.tag % 2u;
        }
    }
}

static void crowd(void) {
    const char* const seconds = getenv("DIVISI_TEST_HOSTILE_SECONDS");
    const double duration = seconds == NULL ? 1.0 : atof(seconds);
    if (divisi_rank() == divisi_size() - 1)
        scribble(duration + 0.5);
    else
        exchange_in_pairs(duration);
}

/* Takes part with a hostile peer until that breaks; the error names it. */
static void bear_hostility(int hostile) {
    static unsigned char bytes[1 << 20];
    int result = DIVISI_OK;
    const uint64_t end = divisi_time_ns() + 500000000u;
    while (divisi_time_ns() < end && result != DIVISI_EPROTO) {
        const int sent = divisi_try_send(hostile, 1, bytes, 100);
        CHECK(sent == DIVISI_OK || sent == DIVISI_EAGAIN || sent == DIVISI_EPROTO || sent == DIVISI_EPEER);
        result = divisi_try_probe(hostile, NULL);
        if (result == DIVISI_OK) divisi_rx_take(&dvi.links[hostile].rx, NULL);
    }
    if (result == DIVISI_EPROTO) CHECK(strstr(divisi_error(), "rank 3 (node 3): the peer wrote garbage") != NULL);
}

/* The last rank scribbles over all that it can write; the others do a verified exchange all the while. */
static void exchange_beside(void) {
    unsigned char bytes[3000];
    const int me = divisi_rank();
    bear_hostility(3);
    for (uint32_t i = 0; i < 3000; ++i) {
        const size_t length = mixed(i) % sizeof bytes;
        struct divisi_status status;
        fill(bytes, length, i + (uint32_t)me);
        if (me != 2) CHECK(divisi_send(me == 0 ? 1 : 2, i, bytes, length) == DIVISI_OK);
        if (me == 0) continue;
        CHECK(divisi_recv(me == 1 ? 0 : 1, bytes, sizeof bytes, &status) == DIVISI_OK);
        CHECK(status.tag == i && status.length == length && is_filled(bytes, length, i + (uint32_t)me - 1u));
    }
}

static void hostility(void) {
    if (divisi_rank() == 3)
        scribble(1.0);
    else
        exchange_beside();
}

static const struct {
    const char* name;
    void (*run)(void);
} scenarios[] = {
    {"identity", identity},   {"alone", alone},
    {"bad-setup", bad_setup}, {"ping-pong", ping_pong},
    {"stream", stream},       {"all-to-all", all_to_all},
    {"gather", gather},       {"refusals", refusals},
    {"barrier", barrier},     {"barrier-without-path", barrier_without_path},
    {"death", death},         {"death-of-the-awaited", death_of_the_awaited},
    {"hostility", hostility}, {"routed", routed},
    {"latency", latency},     {"bandwidth", bandwidth},
    {"crowd", crowd},
};

int main(int argc, char** argv) {
    for (size_t i = 0; argc == 2 && i < sizeof scenarios / sizeof *scenarios; ++i)
        if (strcmp(argv[1], scenarios[i].name) == 0) {
            scenarios[i].run();
            return 0;
        }
    fprintf(stderr, "no such scenario\n");
    return 2;
}
