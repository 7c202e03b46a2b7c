/* The progress engine: what is under way with each peer, and the functions by which its parts call each other.
 *
 * The tag of a channel's message is an *envelope*: what kind of message it is, the user's tag, and the context of the
 * communicator:
 *
 *   bits 63 … 32   context (two of them: enum dvm_channel)
 *   bits 31 …  4   tag, 0 … DVM_TAG_MAX
 *   bits  3 …  0   kind
 *
 * Small messages go *eagerly*: the data follows the envelope, and what nobody has asked for yet is put aside by the
 * receiver. Larger and synchronous ones *offer* themselves; the receiver *accepts* when a receive matches, and the data
 * goes straight into the user's buffer. Offers and acceptances name requests by numbers of `engine.transfers`. What is
 * large is *copied* by both ends, where they can lend each other their buffers, or by the receiver alone, where it sees
 * the message (copying.c); each tells when it is done.
 *
 * A send that is cancelled after it went out is *withdrawn* by a message that names its slot; the answer says whether
 * the receiver still had it, unmatched. That takes a receiver which looks at the link.
 *
 * A link is read while something is expected over it; what is not expected stays in the ring, which holds the sender
 * back: a rank that floods another fills its ring, not the other's memory.
 *
 * What arrives is the peer's word: every number in it is checked, and nonsense makes the link one that is lost.
 */
#ifndef DVM_ENGINE_H
#define DVM_ENGINE_H

#include "datatype.h"
#include "guest/libdivisi/lend.h"
#include "guest/libdivisi/link.h"
#include "guest/libdivisi/view.h"
#include "internal.h"
#include "queue.h"

#define DVM_TAG_BITS 28
#define DVM_TAG_MAX ((1 << DVM_TAG_BITS) - 1)
#define DVM_KIND_MASK 0xfull
#define DVM_CONTEXT_MASK 0xffffffff00000000ull
#define DVM_TAG_MASK 0xfffffff0ull

enum dvm_message_kind {
    DVM_EAGER = 0,     /* data */
    DVM_OFFER = 1,     /* struct dvm_offer */
    DVM_ACCEPT = 2,    /* struct dvm_acceptance */
    DVM_DATA = 3,      /* data; the rest of the envelope is the receiver's transfer */
    DVM_WITHDRAW = 4,  /* struct dvm_withdrawal */
    DVM_WITHDRAWN = 5, /* struct dvm_withdrawal_answer */
    DVM_COPIED = 6,    /* struct dvm_copied */
};

struct dvm_offer {
    uint64_t length;
    uint64_t sender;      /* transfer */
    struct dvi_lent lent; /* the message, perhaps */
};

struct dvm_acceptance {
    uint64_t sender;
    uint64_t receiver;
    struct dvi_lent lent; /* where the message is wanted: it is to be copied; or not lent: it is to be sent */
};

/* One end has copied all that it is going to. */
struct dvm_copied {
    uint64_t transfer; /* of the one who is told */
    uint32_t parts;
    uint32_t failed;
};

struct dvm_withdrawal {
    uint64_t position; /* of the message's first slot, among all of the channel */
    uint64_t sender;   /* transfer */
};

struct dvm_withdrawal_answer {
    uint64_t sender;
    uint64_t withdrawn; /* 1: the receiver has forgotten the message; 0: it is, or will be, received */
};

enum dvm_request_type {
    DVM_SEND,
    DVM_RECEIVE,
    DVM_SCHEDULED,
    DVM_GENERALIZED,
    DVM_WITHDRAWAL,
    DVM_PARTS_OUT,
    DVM_PARTS_IN,
};

/* Where a request stands. Those between EAGER_OUT and TELLING are in the peer's `outgoing`. */
enum dvm_stage {
    DVM_IDLE,      /* not started, or persistent and waiting to be */
    DVM_POSTED,    /* a receive that waits to be matched */
    DVM_MATCHED,   /* a receive whose message comes unasked */
    DVM_EAGER_OUT, /* a send whose data goes out unasked */
    DVM_OFFERING,  /* a send whose offer is to go out */
    DVM_DATA_OUT,  /* a send that was accepted */
    DVM_ACCEPTING, /* a receive whose acceptance is to go out */
    DVM_ASKING,    /* a withdrawal that is to go out */
    DVM_ANSWERING, /* the answer to one that is to go out */
    DVM_TELLING,   /* one that is being copied, and has yet to tell that this end is done */
    DVM_ASKED,     /* a withdrawal that waits for its answer */
    DVM_OFFERED,   /* a send that waits for its acceptance */
    DVM_ARRIVING,  /* a matched receive whose data is due */
    DVM_TO_COPY,   /* in engine.copies */
    DVM_SHARED,    /* this end has copied its part */
    DVM_COMPLETE,
};

struct dvm_request {
    struct dvm_object object;
    struct dvm_item item; /* in the queue of its stage */
    uint8_t type;         /* enum dvm_request_type */
    uint8_t stage;        /* enum dvm_stage */
    uint8_t mode;         /* of a send: enum dvm_send_mode */
    uint8_t channel;
    bool persistent;
    bool cancelled;
    bool forgotten;   /* by MPI_Request_free: goes when it is complete */
    uint32_t peer;    /* world rank; DVM_ANY_PEER */
    uint32_t partner; /* with whom a transfer is under way */
    uint32_t transfer;
    struct dvm_copying* copying; /* its buffer is lent to the partner */
    uint64_t remote;             /* the partner's transfer */
    uint64_t envelope;           /* of a send; what a receive waits for, where `mask` is set */
    uint64_t mask;
    uint64_t serial; /* of a receive: the order of posting */
    struct dvm_comm* comm;
    struct dvm_type* datatype;
    unsigned char* buffer;
    MPI_Count count;
    uint64_t bytes; /* of a send: its length; of a receive: room */
    uint64_t done;  /* bytes of it that went out or came in */
    int rank;       /* as the user named the peer */
    int tag;
    /* The result. */
    int source;
    int received_tag;
    int error;
    uint64_t received;                         /* length of the message */
    struct dvm_schedule* schedule;             /* whose step it is, or (DVM_SCHEDULED) whose request */
    struct dvm_parts* parts;                   /* of a partitioned one; of a message of such a one, whose it is */
    void (*told)(struct dvm_request* request); /* of such a message: called when it is complete, before it goes */
    struct dvm_request* companion; /* of MPI_Isendrecv: the send; of a send that is being cancelled: the withdrawal */
    struct dvm_request* target;    /* of a withdrawal or a buffered send's copy: the send; NULL: it is gone */
    struct dvm_request* copy;      /* of a buffered send: its copy, until that has gone */
    uint64_t position;             /* of a send: of its first slot, as the channel counts; DVM_NOWHERE: none went out */
    struct dvm_pool* pool;         /* of the copy that a buffered send leaves behind: where it counts (buffered.c) */
    void* extra;                   /* of generalized ones; else memory that goes with the request */
};

/* A message that both ends copy, part by part. */
struct dvm_copying {
    struct dvi_lent own, theirs;
    uint64_t bytes;
    uint32_t parts;
    uint32_t here;             /* parts that this end has taken on */
    uint32_t there;            /* and the other one, once it has told */
    const unsigned char* view; /* where a receiver sees the message; NULL: it does not */
    bool told;                 /* it has */
    bool failed;               /* here */
    bool failed_there;
};

#define DVM_ANY_PEER UINT32_MAX
#define DVM_NOWHERE UINT64_MAX

/* A message that came before its receive. */
struct dvm_unexpected {
    struct dvm_item item;
    uint64_t envelope;
    uint64_t length;
    uint64_t arrived; /* bytes of the data */
    uint64_t sender;  /* of an offer: the transfer */
    struct dvi_lent lent;
    uint64_t serial;   /* order of arrival, over all peers */
    uint64_t position; /* of its first slot, as the channel counts */
    uint32_t peer;
    bool offered;                /* its data waits with the sender */
    bool queued;                 /* can still be matched */
    bool lost;                   /* the rest will not come */
    struct dvm_request* self;    /* an offer of this rank to itself */
    struct dvm_request* claimed; /* the receive that matched it while it still arrives */
    unsigned char data[];
};

/* Where the message goes that is arriving over a link: nowhere, into a receive, or aside. */
struct dvm_sink {
    struct dvm_request* request;
    struct dvm_unexpected* unexpected;
};

struct dvm_peer {
    struct dvi_link* link; /* NULL: this rank itself, or one that no channel leads to */
    uint32_t rank;
    uint32_t interest;    /* requests that need this link; 0: it is left alone */
    uint32_t whole;       /* receives posted for it whose message goes out whole without our help (dvm_goes_whole) */
    uint32_t copies;      /* lent messages of it that were copied, of those that it might rather have sent */
    uint32_t slow_copies; /* of those that were timed, in a row */
    bool listed;          /* in engine.busy */
    bool lost;
    struct dvm_queue posted;     /* receives that name this peer */
    struct dvm_queue unexpected; /* in order of arrival */
    struct dvm_queue outgoing;
    struct dvm_sink sink;
};

/* What a call waits for, to be told to people (waited.c). */
struct dvm_waited {
    const struct dvm_request* request; /* NULL: no one in particular */
    const struct dvm_comm* comm;       /* without a request: of an operation that all take part in, or of a probe */
    uint32_t messages;                 /* of such an operation: how many of its own are under way */
    bool probes;                       /* for a message from `rank` with `tag` */
    bool any;                          /* of `all` */
    int rank;
    int tag;
    const MPI_Request* all; /* of a call that waits for several; of which `request` is one */
    int count;
};

struct dvm_engine {
    struct dvm_peer* peers; /* by world rank */
    uint32_t* busy;         /* world ranks of peers with an interest, and some whose interest is over */
    uint32_t busy_count;
    uint32_t interests;      /* of all peers */
    uint32_t whole[2];       /* of all peers: of the program's own, and of collective operations */
    uint64_t helped;         /* how often somebody needed more of us than to take what came */
    bool needed;             /* that was so while we waited for another: not again */
    struct dvm_queue any;    /* posted receives from any source */
    struct dvm_queue copies; /* requests whose turn it is to be copied */
    uint32_t watchers;       /* probes for any source under way */
    void (*later)(void);     /* to be called when the engine is through; NULL: nothing is to be done then */
    uint32_t generalized;    /* requests of the program's own that are not complete */
    uint32_t unexpected_count;
    uint64_t serial;
    uint64_t looks;                 /* how often it was looked for something to move */
    uint64_t moves;                 /* how often something moved */
    uint64_t wants;                 /* how often there was more to watch than before */
    struct dvm_request** transfers; /* by number; NULL: free */
    uint32_t transfer_room;
    uint32_t transfer_next; /* where the search for a free number begins */
    struct dvi_condition* conditions;
    unsigned char* staging; /* room for a piece */
    uint32_t staging_bytes;
    const char* call;                /* the MPI function that was called last, of those that may wait */
    const struct dvm_waited* waited; /* while it waits */
};

extern struct dvm_engine engine;

/* While a call goes on sending, sleepers are woken together. Not among threads: who is in the lock next might not call
 * MPI again for long. */
static inline void dvm_hold_wakes(void) {
    if (!dvm.locks) dvi_hold_wakes();
}
static inline void dvm_release_wakes(void) {
    if (!dvm.locks) dvi_release_wakes();
}
/* The same where each is dear (dvi_wakes_are_dear): around little. */
static inline void dvm_hold_dear_wakes(void) {
    if (dvi_wakes_are_dear() != 0) dvm_hold_wakes();
}
static inline void dvm_release_dear_wakes(void) {
    if (dvi_wakes_are_dear() != 0) dvm_release_wakes();
}

/* ---- engine.c ---- */

int dvm_engine_start(void);
void dvm_engine_stop(void);
/* Moves what can be moved; whether anything was. */
bool dvm_progress(void);
/* The same, for a call that does not wait: a program that asks again and again lets those run who share its PU. */
bool dvm_poll(void);
/* Waits until there may be something to move. `waited`: what for. */
void dvm_idle(const struct dvm_waited* waited);
static inline void dvm_idle_for(const struct dvm_request* request) {
    const struct dvm_waited waited = {.request = request};
    dvm_idle(&waited);
}
/* Fills engine.conditions with all that may move something; how many. */
uint32_t dvm_collect_conditions(void);
/* Tells of engine.waited. */
void dvm_describe(struct divisi_wait* wait);
void dvm_interested(struct dvm_peer* peer);
static inline void dvm_uninterested(struct dvm_peer* peer) {
    --peer->interest;
    --engine.interests;
}
/* All links are looked at, until it is called with -1. */
static inline void dvm_watch_all(int more) {
    if (more > 0) ++engine.wants;
    engine.watchers += (uint32_t)more;
}
/* The peer is gone, or writes garbage: ends all that has to do with it. */
void dvm_lose(struct dvm_peer* peer);
/* Receives or probes from any source are under way: every link is looked at. */
static inline bool dvm_watches_all(void) {
    return !dvm_queue_empty(&engine.any) || engine.watchers != 0;
}
/* Nothing can be sent to it. */
static inline bool dvm_unreachable(const struct dvm_peer* peer) {
    return peer->link == NULL || peer->lost || dvi_gone(peer->link);
}
/* The sentence about why, and the error class. */
int dvm_lost_error(const struct dvm_peer* peer);

/* ---- sleepers.c ---- */

/* dvm_idle, where other threads may call MPI meanwhile. */
void dvm_idle_among_threads(const struct dvm_waited* waited);
/* To be called before the lock is given up. */
void dvm_ring_sleepers(void);

/* ---- match.c ---- */

static inline uint64_t dvm_envelope(const struct dvm_comm* comm, enum dvm_channel channel, int tag) {
    return (uint64_t)(comm->context | dvm_channel_bits(channel)) << 32 | ((uint64_t)(uint32_t)tag << 4 & DVM_TAG_MASK);
}
static inline int dvm_envelope_tag(uint64_t envelope) {
    return (int)((envelope & DVM_TAG_MASK) >> 4);
}
/* What of a message's envelope a receive looks at. */
static inline uint64_t dvm_envelope_mask(int tag) {
    return tag == MPI_ANY_TAG ? DVM_CONTEXT_MASK : DVM_CONTEXT_MASK | DVM_TAG_MASK;
}
/* Takes the posted receive for this message out of its queue; NULL: there is none. */
struct dvm_request* dvm_match_posted(struct dvm_peer* peer, uint64_t envelope);
/* The first message that came for such a receive; NULL: there is none. It stays in its queue. */
struct dvm_unexpected* dvm_find_unexpected(uint32_t peer, uint64_t envelope, uint64_t mask);
void dvm_take_unexpected(struct dvm_unexpected* unexpected);
struct dvm_unexpected* dvm_new_unexpected(struct dvm_peer* peer, uint64_t envelope, uint64_t length, uint64_t room);
/* A message that a ring has room for: its sender needs nothing of us, unless it is synchronous. (Greetings want
 * an answer.) */
static inline bool dvm_goes_whole(const struct dvm_peer* peer, const struct dvm_request* request) {
    return peer->link != NULL && request->channel <= DVM_COLLECTIVE && request->bytes <= peer->link->rx.bulk_bytes / 2u;
}
void dvm_post(struct dvm_request* request);
void dvm_unpost(struct dvm_request* request);

/* ---- outgoing.c ---- */

void dvm_start_send(struct dvm_request* request);
/* A receive matched what this rank offers to itself. */
void dvm_receive_from_self(struct dvm_request* receive, struct dvm_request* send);
/* Lets go what waits for space; whether anything went. */
bool dvm_push(struct dvm_peer* peer);
/* Sends the acceptance of an offer; request->received is its length. `lent`: what the sender lent. */
void dvm_accept(struct dvm_request* request, struct dvm_peer* peer, uint64_t sender, const struct dvi_lent* lent);
/* The acceptance came: the data goes out. */
void dvm_send_accepted(struct dvm_request* request, uint64_t receiver);
/* Queues what a withdrawal has to say, or an end that has copied. */
void dvm_send_word(struct dvm_request* request, struct dvm_peer* peer, enum dvm_stage stage);
/* Bytes of the bulk area that the first in `outgoing` waits for. */
uint32_t dvm_space_wanted(const struct dvm_peer* peer);

/* ---- copying.c ---- */

/* Whether a message should rather be copied than sent. */
bool dvm_better_copied(const struct dvm_peer* peer, const struct dvm_request* send);
/* Lends the message to the peer, if that can be. */
void dvm_lend_message(struct dvm_request* send, struct dvm_peer* peer);
/* Copies a message that its sender has lent, where it can be seen; else lends the room for it, if it should be copied
 * by both. false: an acceptance is to go out. */
bool dvm_take_lent(struct dvm_request* receive, struct dvm_peer* peer, const struct dvi_lent* message);
/* The message was lent, but the receiver wants it to be sent. */
void dvm_lent_in_vain(struct dvm_request* send);
/* The peer knows of the loans of both: copies as soon as the engine comes to it. */
void dvm_copy_soon(struct dvm_request* request);
/* The acceptance came. false: nonsense. */
bool dvm_copy_accepted(struct dvm_request* send, const struct dvm_acceptance* acceptance);
/* Does so for all of engine.copies. */
void dvm_copy_all(void);
void dvm_describe_copied(const struct dvm_request* request, struct dvm_copied* copied);
/* This end has told. */
void dvm_copied_told(struct dvm_request* request);
/* The other end tells. false: nonsense. */
bool dvm_copied(struct dvm_peer* peer, const struct dvm_copied* copied);
/* The buffer is lent no more. */
void dvm_end_copying(struct dvm_request* request);

/* ---- incoming.c ---- */

void dvm_start_receive(struct dvm_request* request);
/* Takes what has arrived over the link; whether anything had. */
bool dvm_drain(struct dvm_peer* peer);
/* A receive gets a message that was put aside and taken out of its queue; the message goes. */
void dvm_deliver(struct dvm_request* request, struct dvm_unexpected* unexpected);
/* The peer was lost in the middle of a message that was being put aside. */
void dvm_drop_arriving(struct dvm_peer* peer);

/* ---- request.c ---- */

struct dvm_request* dvm_request_new(enum dvm_request_type type);
void dvm_request_delete(struct dvm_request* request);
/* Requests that are described, but not started. NULL: no memory. `peer` is a rank that is meant, or MPI_PROC_NULL. */
struct dvm_request* dvm_new_send(struct dvm_comm* comm, enum dvm_channel channel, int dest, int tag, const void* buffer,
                                 MPI_Count count, struct dvm_type* type);
struct dvm_request* dvm_new_receive(struct dvm_comm* comm, enum dvm_channel channel, int source, int tag, void* buffer,
                                    MPI_Count count, struct dvm_type* type);
void dvm_start(struct dvm_request* request);
/* Until it is complete. */
void dvm_await(struct dvm_request* request);
void dvm_complete(struct dvm_request* request, int error);
/* What its status says. */
void dvm_status_of(const struct dvm_request* request, MPI_Status* status);
void dvm_status_set_cancelled(MPI_Status* status, bool cancelled);
/* Fills the result of a receive in: a message of `length` bytes with this envelope from this peer. */
void dvm_set_result(struct dvm_request* request, uint32_t peer, uint64_t envelope, uint64_t length);
/* A receive has all its data: completes it, with MPI_ERR_TRUNCATE where that was more than there is room for. */
void dvm_complete_receive(struct dvm_request* request);
MPI_Request dvm_request_handle(struct dvm_request* request);
/* Numbers a request for the peer. false: no memory. */
bool dvm_transfer_new(struct dvm_request* request);
/* NULL: no such number, or not of this peer; the first, in another stage. */
struct dvm_request* dvm_transfer_find(uint64_t number, uint32_t peer, enum dvm_stage stage);
struct dvm_request* dvm_transfer_at(uint64_t number, uint32_t peer);
void dvm_transfer_end(struct dvm_request* request);

/* ---- withdraw.c ---- */

/* Makes the send end without having been received, if that is still possible. */
void dvm_cancel_send(struct dvm_request* send);
/* The peer asks for it. false: nonsense. */
bool dvm_withdraw(struct dvm_peer* peer, const struct dvm_withdrawal* withdrawal);
bool dvm_withdrawal_answered(struct dvm_peer* peer, const struct dvm_withdrawal_answer* answer);
/* The send goes: those that point to it must not. */
void dvm_forget_send(struct dvm_request* send);

/* ---- partitioned.c ---- */

/* Begins a round. */
void dvm_start_parts(struct dvm_request* request) __attribute__((weak));
void dvm_parts_release(struct dvm_parts* parts) __attribute__((weak));

/* ---- buffered.c ---- */

/* Copies the message into an attached buffer, from where it goes on by itself, and completes the request. */
void dvm_start_buffered(struct dvm_request* request);
/* Such a copy has gone. */
void dvm_buffered_done(struct dvm_request* copy);
/* Waits for all of them. */
int dvm_finish_buffered(void);
/* The buffer of a communicator, or of a session; NULL: the one of all that have none. The first two yield an error
 * class.
 */
int dvm_pool_attach(const void* owner, void* buffer, MPI_Count size);
/* Once the last message has left it. What is not attached has no size. */
int dvm_pool_detach(const void* owner, void* buffer_address, MPI_Count* size);
/* Waits until nothing is in it. */
void dvm_pool_flush(const void* owner);
void dvm_forget_pool(const void* owner);
/* A request for what is done at once, which MPI permits. */
int dvm_done_request(MPI_Request* request);

/* ---- schedule.c ---- */

/* Runs it from its first step on. */
void dvm_schedule_begin(struct dvm_schedule* schedule);
/* The same, of a request's schedule. */
void dvm_restart_schedule(struct dvm_request* request);
/* How many of its messages are under way. */
uint32_t dvm_schedule_messages(const struct dvm_schedule* schedule);
/* A step is done. */
void dvm_schedule_step_done(struct dvm_schedule* schedule, int error);
/* Goes on with those whose phase is over; whether there were any. */
bool dvm_schedules_advance(void);

#endif
