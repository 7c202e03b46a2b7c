/* The node page: what a program in a node is told about itself, read-only, at the start of its window.
 *
 * Finding it: in a node, the auxiliary vector has an entry of type AT_DIVISI whose value is the address of the node
 * page; natively, the environment variable DIVISI_NATIVE lists the pieces of the window to be mapped one after another:
 * "FD:OFFSET+SIZE" followed by "r" or "w", separated by commas, decimal numbers. The rest of the window follows the
 * node page; every offset is in bytes from the first byte of the node page, so that a window can be mapped anywhere.
 *
 *   offset  size  content
 *   0x00     8    magic: "DIVISInp"
 *   0x08     4    version: DIVISI_ABI_VERSION
 *   0x0c     4    page_bytes: size of the node page (whole pages, the table of peers included)
 *   0x10     8    window_bytes: size of the whole window
 *   0x18     4    node: the first (or only) node of this rank
 *   0x1c     4    nodes: nodes of the topology
 *   0x20     4    rank of this program in its job
 *   0x24     4    ranks of the job
 *   0x28     4    own_nodes: nodes this rank has for its threads (1 in message-passing mode)
 *   0x2c     4    mode: DIVISI_ABI_MODE_*
 *   0x30     4    backend: DIVISI_ABI_BACKEND_*
 *   0x34     4    flags: DIVISI_ABI_FLAG_*
 *   0x38     4    pu: the PU of this rank, as the kernel numbers it
 *   0x3c     4    pu_ranks: ranks of this job on that PU, this one included
 *   0x40     4    ring_bytes: size of the rings of a link
 *   0x44     4    spin_ns: how long to look for a peer on another PU before sleeping
 *   0x48     8    shared_offset of the shared region; 0: there is none
 *   0x50     8    shared_bytes
 *   0x58     8    tsc_khz: ticks of RDTSC a millisecond; 0: unknown
 *   0x60     4    peers_offset: where the table of peers begins
 *   0x64     4    peer_bytes: size of an entry
 *   0x68    64    name of the topology, ended by zero
 *   0xa8     8    traffic_offset: divisi_traffic[ranks], in which this rank counts what it sends (read-write, its own)
 *   0xb0     8    routes_offset: the wire that leads on, uint32_t[node where][node whither]; DIVISI_NO_WIRE: none.
 *                 0 where links have no bandwidth
 *   0xb8     8    wires_offset: divisi_wire[wires]; 0 where links have no bandwidth
 *   0xc0     8    busy_offset: until when each wire is taken, uint64_t[wires] in ns (read-write, shared by all ranks:
 *                 it decides when messages arrive, never what is in them); 0 where links have no bandwidth
 *   0xc8     8    queue_ns: the longest time for which a wire can be taken already; 0 where links have no bandwidth
 *   0xd0     4    wires: directions of links; wire 2 k leads from the lower end of link k to the higher, 2 k + 1 back
 *   0xd4     4    zero
 *   0xd8     8    wait_offset: divisi_wait, in which this rank says what it waits for before it sleeps (read-write, its
 *                 own); 0: nobody asks
 *   0xe0     8    loans_offset: divisi_loan[DIVISI_LOANS], in which this rank says what it lends (read-write, its own);
 *                 0: it can neither lend nor borrow, as host processes beside nodes
 *   0xe8     8    call_address: where a system call can be made by a jump, with what SYSCALL leaves in registers: RCX
 *                 where to go on, the two bytes before which are a SYSCALL, and R11 the flags. 0: nowhere
 *   0xf0    16    zero
 *   0x100         peers[ranks]
 *
 * An entry of the table, indexed by rank:
 *
 *   0x00     8    out_offset: the ring this rank writes and the peer reads; 0: no channel
 *   0x08     8    in_offset: the ring the peer writes and this rank reads; 0: no channel
 *   0x10     4    node: the peer's (first) node
 *   0x14     4    pu: the peer's PU
 *   0x18     4    parent: the rank above the peer in a breadth-first tree over the job's links from rank 0, the same
 *                 tree for all; DIVISI_NO_RANK for rank 0 and for ranks that no path leads to
 *   0x1c     4    gone: 1 when the peer has ended; the one word that changes while the job runs, by the host's hand
 *   0x20     4    ring_bytes: size of either ring of the channel; 0: no channel
 *   0x24     4    hops: links between this rank and the peer; 0: no way leads there, or it is this rank
 *   0x28     8    latency_ns: what the links on the way add to a message
 */
#ifndef DIVISI_SHM_ABI_NODE_PAGE_H
#define DIVISI_SHM_ABI_NODE_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "ring.h"

#define AT_DIVISI 0x44495649ul
/* System calls of ours that nodes have; natively they are not there (ENOSYS).
 *
 * DIVISI_SYS_END_JOB(code): ends the whole job, with an exit code.
 *
 * DIVISI_SYS_WAKE_AND_WAIT(words, count, waiters, waiter_count, deadline): wakes all that sleep on each of `count`
 * words, whose addresses are at `words` (uint64_t), and then waits as futex_waitv(waiters, waiter_count, 0, deadline,
 * CLOCK_MONOTONIC) does, with its results; without waiters it only wakes (0). `count` is at most
 * DIVISI_WAKE_AND_WAIT_MAX. One exit, where each word would cost one. EINVAL and EFAULT: nobody was woken.
 *
 * Both, and futex_waitv itself, take up to DIVISI_WAITERS_MAX waiters in a node.
 *
 * DIVISI_SYS_COPY_LENT(rank, loan, offset, address, bytes): copies between the caller's memory at `address` and what
 * `rank` has lent to it in its loan number `loan`, from `offset` on: to the caller where that may be read, from the
 * caller where it may be written. At most DIVISI_COPY_MAX_BYTES. EINVAL: no such rank, loan or range; EACCES: it is not
 * lent to the caller; EFAULT: the caller's memory is not there; ENXIO: the other's is not; EOPNOTSUPP: the other is a
 * host process. Of what failed, a part may have been copied. */
#define DIVISI_SYS_COPY_LENT 509
/* DIVISI_SYS_VIEW_LENT(rank, loan, offset, bytes, at): shows the caller that part of what `rank` has lent to it for
 * reading, and the rest of its pages, from byte `at` (whole pages) of the caller's views on, which have
 * DIVISI_VIEW_BYTES, in place of what was to be seen there. Returns the address of the part's first byte; that minus
 * `at`, rounded down to a page, is where the views begin. They can be read, and show what the owner writes there, also
 * when the loan is over; but when its memory is mapped otherwise, they show zeros, and before that the uint32_t counts
 * up which is a page before the views. EINVAL: no such rank, loan or range; EACCES: it is not lent to the caller for
 * reading; ENXIO: it is not there; EOPNOTSUPP: the other is a host process, or it is the mapping of a shared file, or
 * there are too many ranks; ENOMEM: the host has no room for more views. */
#define DIVISI_SYS_VIEW_LENT 508
#define DIVISI_VIEW_BYTES 33554432u
#define DIVISI_COPY_MAX_BYTES 16777216u
#define DIVISI_LOANS 32u
#define DIVISI_SYS_WAKE_AND_WAIT 510
#define DIVISI_WAKE_AND_WAIT_MAX 128u
#define DIVISI_WAITERS_MAX 2048u
#define DIVISI_SYS_END_JOB 511
#define DIVISI_NATIVE_VARIABLE "DIVISI_NATIVE"
#define DIVISI_NODE_PAGE_MAGIC 0x706e495349564944ull /* "DIVISInp", little-endian */
#define DIVISI_ABI_VERSION 3u
#define DIVISI_MAX_NODES 1024u
#define DIVISI_NO_RANK 0xffffffffu
#define DIVISI_NO_WIRE 0xffffffffu
#define DIVISI_NAME_BYTES 64u
#define DIVISI_PAGE_BYTES 4096u

#define DIVISI_ABI_MODE_SHARED_MEMORY 1u
#define DIVISI_ABI_MODE_MESSAGE_PASSING 2u

#define DIVISI_ABI_BACKEND_NATIVE 0u
#define DIVISI_ABI_BACKEND_KVM 1u
#define DIVISI_ABI_BACKEND_DIRECT 2u

#define DIVISI_ABI_FLAG_FULL 1u      /* every two ranks of the job share a link */
#define DIVISI_ABI_FLAG_CONNECTED 2u /* a path of links leads from every rank to every other */
#define DIVISI_ABI_FLAG_OWN_PUS 4u   /* no two ranks of the job share a PU */
#define DIVISI_ABI_FLAG_ALL 8u       /* every two ranks of the job have a channel, over a link or over a route */
#define DIVISI_ABI_FLAG_TIMED 16u    /* links have a latency or a bandwidth */

/* The ELF notes that our libraries leave in a program: section .note.divisi, owner "divisi", a type, and a descriptor
 * of four bytes, DIVISI_ABI_VERSION. The first says that it speaks libdivisi; the second that it is an MPI program,
 * which starts as one rank a node in either mode. */
#define DIVISI_NOTE_SECTION ".note.divisi"
#define DIVISI_NOTE_OWNER "divisi"
#define DIVISI_NOTE_TYPE 1u
#define DIVISI_NOTE_TYPE_MPI 2u

struct divisi_peer {
    uint64_t out_offset;
    uint64_t in_offset;
    uint32_t node;
    uint32_t pu;
    uint32_t parent;
    uint32_t gone;
    uint32_t ring_bytes;
    uint32_t hops;
    uint64_t latency_ns;
};

/* What a rank has sent to a peer. Only the rank itself suffers when it writes nonsense here. */
struct divisi_traffic {
    uint64_t messages;
    uint64_t bytes;
};

/* What a rank waits for, in its own words, from before it sleeps; for people who look, or are told that nobody can go
 * on. Nothing depends on it.
 *
 *   0x00     4    kind: DIVISI_WAIT_*
 *   0x04     4    peer: the rank that is waited for, as the call counts ranks; DIVISI_NO_RANK: any
 *   0x08     4    job_peer: the same, as the job counts them; DIVISI_NO_RANK: any, or not known
 *   0x0c     4    tag; DIVISI_WAIT_ANY_TAG, DIVISI_WAIT_NO_TAG
 *   0x10     4    others: for how many more messages the same call waits
 *   0x14     4    zero
 *   0x18    40    call: the function's name, ended by zero
 *   0x40    64    communicator: its name, ended by zero; "": there is none
 */
#define DIVISI_WAIT_NOTHING 0u
#define DIVISI_WAIT_MESSAGE 1u  /* a message from the peer */
#define DIVISI_WAIT_RECEIVER 2u /* that the peer receives */
#define DIVISI_WAIT_ALL 3u      /* an operation that all take part in; the peer's part is missing */
#define DIVISI_WAIT_ANY_TAG (-1)
#define DIVISI_WAIT_NO_TAG (-2)

struct divisi_wait {
    uint32_t kind;
    uint32_t peer;
    uint32_t job_peer;
    int32_t tag;
    uint32_t others;
    uint32_t zero;
    char call[40];
    char communicator[64];
};

/* A part of a rank's memory that a peer may copy from or to, by DIVISI_SYS_COPY_LENT, without another step of the
 * owner's: for messages that are so large that to copy them once is worth an exit. What is not lent, no other rank
 * reaches. `rights` is written last, and cleared when the loan is over; `users` counts the copies that are being made,
 * by the VMM's hand: once it is zero after that, there will be none any more.
 *
 *   0x00     8    address
 *   0x08     8    bytes
 *   0x10     4    borrower: a rank
 *   0x14     4    rights: DIVISI_LOAN_*
 *   0x18     4    users
 *   0x1c    36    zero
 */
#define DIVISI_LOAN_NONE 0u
#define DIVISI_LOAN_READ 1u  /* the borrower copies from it */
#define DIVISI_LOAN_WRITE 2u /* the borrower copies to it */

struct divisi_loan {
    uint64_t address;
    uint64_t bytes;
    uint32_t borrower;
    uint32_t rights;
    uint32_t users;
    uint32_t zero[9];
};

/* A direction of a link, as the model of the interconnect has it. */
struct divisi_wire {
    uint32_t to; /* the node it leads to */
    uint32_t zero;
    uint64_t latency_ns;
    uint64_t ps_per_byte; /* 0: no limit */
};

struct divisi_node_page {
    uint64_t magic;
    uint32_t version;
    uint32_t page_bytes;
    uint64_t window_bytes;
    uint32_t node;
    uint32_t nodes;
    uint32_t rank;
    uint32_t ranks;
    uint32_t own_nodes;
    uint32_t mode;
    uint32_t backend;
    uint32_t flags;
    uint32_t pu;
    uint32_t pu_ranks;
    uint32_t ring_bytes;
    uint32_t spin_ns;
    uint64_t shared_offset;
    uint64_t shared_bytes;
    uint64_t tsc_khz;
    uint32_t peers_offset;
    uint32_t peer_bytes;
    char name[64];
    uint64_t traffic_offset;
    uint64_t routes_offset;
    uint64_t wires_offset;
    uint64_t busy_offset;
    uint64_t queue_ns;
    uint32_t wires;
    uint32_t zero;
    uint64_t wait_offset;
    uint64_t loans_offset;
    uint64_t call_address;
    unsigned char rest[16];
};

DIVISI_ABI_ASSERT(sizeof(struct divisi_traffic) == 0x10);
DIVISI_ABI_ASSERT(sizeof(struct divisi_wire) == 0x18);
DIVISI_ABI_ASSERT(sizeof(struct divisi_wait) == 0x80);
DIVISI_ABI_ASSERT(sizeof(struct divisi_loan) == 0x40);
DIVISI_ABI_ASSERT(offsetof(struct divisi_loan, rights) == 0x14);
DIVISI_ABI_ASSERT(offsetof(struct divisi_loan, users) == 0x18);
DIVISI_ABI_ASSERT(offsetof(struct divisi_wait, tag) == 0x0c);
DIVISI_ABI_ASSERT(offsetof(struct divisi_wait, call) == 0x18);
DIVISI_ABI_ASSERT(offsetof(struct divisi_wait, communicator) == 0x40);
DIVISI_ABI_ASSERT(sizeof(struct divisi_peer) == 0x30);
DIVISI_ABI_ASSERT(offsetof(struct divisi_peer, ring_bytes) == 0x20);
DIVISI_ABI_ASSERT(offsetof(struct divisi_peer, latency_ns) == 0x28);
DIVISI_ABI_ASSERT(offsetof(struct divisi_peer, in_offset) == 0x08);
DIVISI_ABI_ASSERT(offsetof(struct divisi_peer, node) == 0x10);
DIVISI_ABI_ASSERT(offsetof(struct divisi_peer, parent) == 0x18);
DIVISI_ABI_ASSERT(offsetof(struct divisi_peer, gone) == 0x1c);
DIVISI_ABI_ASSERT(sizeof(struct divisi_node_page) == 0x100);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, window_bytes) == 0x10);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, rank) == 0x20);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, mode) == 0x2c);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, pu) == 0x38);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, ring_bytes) == 0x40);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, shared_offset) == 0x48);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, tsc_khz) == 0x58);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, peers_offset) == 0x60);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, name) == 0x68);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, traffic_offset) == 0xa8);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, queue_ns) == 0xc8);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, wires) == 0xd0);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, wait_offset) == 0xd8);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, loans_offset) == 0xe0);
DIVISI_ABI_ASSERT(offsetof(struct divisi_node_page, call_address) == 0xe8);

/* The size of a node page that can name `ranks` ranks: whole pages. */
static inline uint32_t divisi_node_page_bytes(uint32_t ranks) {
    const uint32_t bytes = (uint32_t)sizeof(struct divisi_node_page) + ranks * (uint32_t)sizeof(struct divisi_peer);
    return (bytes + DIVISI_PAGE_BYTES - 1u) / DIVISI_PAGE_BYTES * DIVISI_PAGE_BYTES;
}

#endif
