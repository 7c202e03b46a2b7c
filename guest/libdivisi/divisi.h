/* libdivisi: what a program in a divisi node knows about its machine, and how it talks to the other ranks.
 *
 * A program linked with it (divisi-cc prog.c) runs unchanged in the nodes of a topology, natively as processes over the
 * same channels, and alone as any program, being then rank 0 of 1. Nothing has to be initialized: it is done before
 * main.
 *
 * Errors: functions that can fail yield a negative DIVISI_E… number; divisi_error() then has the sentence for people.
 * Threads: the getters may be called from any thread. Messages and barriers belong to one thread at a time.
 *
 * See libdivisi(3).
 */
#ifndef DIVISI_H
#define DIVISI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DIVISI_VERSION "0.1.0"

/* In place of a rank: whichever has something for us. */
#define DIVISI_ANY (-1)
#define DIVISI_NONE (-2)

enum divisi_result {
    DIVISI_OK = 0,
    DIVISI_EAGAIN = -1,  /* a try_ function would have had to wait */
    DIVISI_EINVAL = -2,  /* an argument that cannot be meant */
    DIVISI_ENOLINK = -3, /* no way leads from the one rank to the other */
    DIVISI_EPEER = -4,   /* the peer is gone */
    DIVISI_EPROTO = -5,  /* the peer wrote garbage into the channel; it is of no use any more */
    DIVISI_ETRUNC = -6,  /* the message is larger than the buffer; it waits where it is */
    DIVISI_E2BIG = -7,   /* the message is larger than a channel holds; only divisi_send can send it */
    DIVISI_ESETUP = -8   /* the node page is missing a part or has another version */
};

enum divisi_mode {
    DIVISI_ALONE = 0,           /* an ordinary process, without divisi */
    DIVISI_SHARED_MEMORY = 1,   /* a rank's threads run on its nodes; ranks share the shared region */
    DIVISI_MESSAGE_PASSING = 2, /* every rank has a node and a memory of its own */
};

enum divisi_backend { DIVISI_NATIVE = 0, DIVISI_KVM = 1, DIVISI_DIRECT = 2 };

/* ---- who and where ---- */

/* Whether the node was set up; DIVISI_OK or DIVISI_ESETUP. All else fails the same way then, so asking is optional. */
int divisi_init(void);

/* This program's number in its job, and how many there are. */
int divisi_rank(void);
int divisi_size(void);
/* The node the calling thread runs on, and how many nodes the topology has. */
int divisi_node(void);
int divisi_nodes(void);
/* Nodes this rank has for its threads: 1 in message-passing mode. */
int divisi_own_nodes(void);
enum divisi_mode divisi_mode(void);
enum divisi_backend divisi_backend(void);
const char* divisi_mode_name(void);
const char* divisi_backend_name(void);
/* The topology's name; "" when alone. Valid for ever. */
const char* divisi_topology(void);

/* Of any rank: its (first) node, its PU as the kernel numbers it, whether a link leads there, and over how many links a
 * message goes. -1 / 0 outside 0 … size-1; 0 hops to this rank itself. Ranks without a link reach each other over a
 * route; what lies between has no part in it. */
int divisi_node_of(int rank);
int divisi_pu_of(int rank);
int divisi_linked(int rank);
int divisi_hops(int rank);
/* Whether every two ranks of the job share a link; the same answer for all ranks. */
int divisi_all_linked(void);

/* ---- messages ---- */

struct divisi_status {
    int source;
    uint64_t tag;
    size_t length;
};

/* Sends `length` bytes with a tag of the user's. Messages to one rank arrive in the order in which they were sent.
 * `divisi_send` returns when `data` may be used again; the message may still be under way. It waits while the channel
 * is full: two ranks that both send much before they receive wait for each other. */
int divisi_send(int to, uint64_t tag, const void* data, size_t length);
/* DIVISI_EAGAIN instead of waiting; nothing was sent then. */
int divisi_try_send(int to, uint64_t tag, const void* data, size_t length);
/* Bytes that fit into an empty channel, whichever rank it leads to: up to here try_send can succeed. */
size_t divisi_try_send_max(void);

/* Receives the next message from a rank, or from any. `status` may be NULL. DIVISI_ETRUNC: `status` tells the length,
 * and the message can be received with a larger buffer. */
int divisi_recv(int from, void* buffer, size_t capacity, struct divisi_status* status);
/* DIVISI_EAGAIN when no message has begun to arrive. The rest of a large one is waited for. */
int divisi_try_recv(int from, void* buffer, size_t capacity, struct divisi_status* status);
/* Waits for a message and tells its source, tag and length, without receiving it. From any: the next divisi_recv from
 * `status->source` gets it. */
int divisi_probe(int from, struct divisi_status* status);
int divisi_try_probe(int from, struct divisi_status* status);
/* Receives a message and forgets it. */
int divisi_discard(int from, struct divisi_status* status);

/* A message that divisi_try_send could not send yet. */
struct divisi_sending {
    int to;
    size_t length;
};

/* Waits until a message from `from` can be received (DIVISI_ANY; DIVISI_NONE: not waiting for any), or one of the
 * `count` sendings may succeed, or a peer among them is gone: for programs that send much in both directions, and would
 * wait for each other in divisi_send. One sending a rank. */
int divisi_wait_any(int from, const struct divisi_sending* sendings, size_t count);

/* Returns when all ranks have called it. Works on every connected interconnect. Messages are not affected. */
int divisi_barrier(void);

/* ---- memory and time ---- */

/* The region that all ranks see, zero when the job starts; NULL and 0 in message-passing mode and when alone. */
void* divisi_shared(void);
size_t divisi_shared_size(void);

/* Time since an arbitrary moment, the same for all ranks of a job on one machine; no system call where the node page
 * knows the rate of the time stamp counter. */
uint64_t divisi_time_ns(void);
double divisi_time(void);

/* ---- errors ---- */

/* The sentence for the last error of this thread, the peer's rank in it; "" when there was none. Valid until the next.
 */
const char* divisi_error(void);
const char* divisi_strerror(int result);

#ifdef __cplusplus
}
#endif

#endif
