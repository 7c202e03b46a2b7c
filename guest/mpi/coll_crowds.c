/* Every rank to every other, where several share a PU and the blocks are small: one rank of each PU speaks for all of
 * it.
 *
 * The others send it what they have and sleep until it has what they get; so each is switched to once, as in a barrier,
 * and not as often as there are others. Each byte is passed on twice for it, which is why that is for small ones. */
#include <string.h>

#include "plan.h"

/* What a rank gets in all. Beyond them, the copies cost more than the switches. */
#define GATHERED_BYTES 32768
#define EXCHANGED_BYTES 16384

/* `bytes` of `whole` from `begin` on. */
static struct dvm_block piece_of(const struct dvm_block* whole, int64_t begin, int64_t bytes) {
    struct dvm_block piece = *whole;
    piece.buffer = (char*)whole->buffer + begin;
    piece.count = bytes;
    return piece;
}

static struct dvm_block bytes_room(struct dvm_plan* plan, int64_t bytes) {
    const struct dvm_block room = {dvm_plan_memory(plan, (size_t)bytes), bytes, MPI_BYTE, dvm_predefined(MPI_BYTE)};
    return room;
}

static int speaker_of(const struct dvm_crowds* crowds, int crowd) {
    return crowds->order[crowds->begin[crowd]];
}

static int size_of(const struct dvm_crowds* crowds, int crowd) {
    return crowds->begin[crowd + 1] - crowds->begin[crowd];
}

/* ---- every rank's block to all ---- */

/* In the order of `crowds`, all blocks lie in `all`, the one of `order[i]` from `at[i]` on. */
struct gathering {
    const struct dvm_crowds* crowds;
    const struct dvm_block* all;
    const int64_t* at;
};

static struct dvm_block stretch(const struct gathering* gathering, int begin, int end) {
    return piece_of(gathering->all, gathering->at[begin], gathering->at[end] - gathering->at[begin]);
}

static void speak_gathering(struct dvm_plan* plan, struct dvm_comm* comm, const struct gathering* gathering) {
    const struct dvm_crowds* const crowds = gathering->crowds;
    const int begin = crowds->begin[crowds->mine];
    const int end = crowds->begin[crowds->mine + 1];
    const struct dvm_block ours = stretch(gathering, begin, end);
    for (int i = end; i-- > begin + 1;) {
        const struct dvm_block block = stretch(gathering, i, i + 1);
        dvm_plan_receive(plan, comm, crowds->order[i], &block);
    }
    dvm_plan_phase(plan);
    for (int k = 1; k < crowds->count; ++k)
        dvm_plan_send(plan, comm, speaker_of(crowds, (crowds->mine + k) % crowds->count), &ours);
    for (int k = crowds->count; k-- > 1;) {
        const int crowd = (crowds->mine + k) % crowds->count;
        const struct dvm_block theirs = stretch(gathering, crowds->begin[crowd], crowds->begin[crowd + 1]);
        dvm_plan_receive(plan, comm, speaker_of(crowds, crowd), &theirs);
    }
    dvm_plan_phase(plan);
    for (int i = begin + 1; i < end; ++i) dvm_plan_send(plan, comm, crowds->order[i], gathering->all);
}

static void gather(struct dvm_plan* plan, struct dvm_comm* comm, const struct gathering* gathering,
                   const struct dvm_block* mine, const struct dvm_blocks* receive) {
    const struct dvm_crowds* const crowds = gathering->crowds;
    const int speaker = speaker_of(crowds, crowds->mine);
    int own = crowds->begin[crowds->mine];
    while (crowds->order[own] != comm->rank) ++own;
    const struct dvm_block place = stretch(gathering, own, own + 1);
    dvm_plan_copy(plan, mine, &place);
    if (comm->rank == speaker) {
        speak_gathering(plan, comm, gathering);
    } else {
        dvm_plan_send(plan, comm, speaker, &place);
        dvm_plan_phase(plan);
        dvm_plan_receive(plan, comm, speaker, gathering->all);
    }
    dvm_plan_phase(plan);
    for (int i = 0; i < comm->size; ++i) {
        const struct dvm_block from = stretch(gathering, i, i + 1);
        const struct dvm_block to = dvm_block_at(receive, crowds->order[i]);
        dvm_plan_copy(plan, &from, &to);
    }
}

bool dvm_plan_crowds_gather(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_block* mine,
                            const struct dvm_blocks* receive) {
    const struct dvm_crowds* const crowds = dvm_crowds_of(comm);
    int64_t total = 0;
    if (crowds == NULL) return false;
    for (int rank = 0; rank < comm->size && total <= GATHERED_BYTES; ++rank) {
        const struct dvm_block block = dvm_block_at(receive, rank);
        total += dvm_block_bytes(&block);
    }
    if (total > GATHERED_BYTES) return false;
    int64_t* const at = dvm_plan_memory(plan, ((size_t)comm->size + 1) * sizeof *at);
    const struct dvm_block all = bytes_room(plan, total);
    if (at == NULL || all.buffer == NULL) return true;
    at[0] = 0;
    for (int i = 0; i < comm->size; ++i) {
        const struct dvm_block block = dvm_block_at(receive, crowds->order[i]);
        at[i + 1] = at[i] + dvm_block_bytes(&block);
    }
    const struct gathering gathering = {crowds, &all, at};
    gather(plan, comm, &gathering, mine, receive);
    return true;
}

/* ---- every rank's blocks to each ---- */

/* Rows of bytes, from one place to another. */
struct rows {
    const char* from;
    char* to;
    int64_t count;
    int64_t bytes; /* of each */
    int64_t from_stride;
    int64_t to_stride;
};

static int copy_rows(void* context) {
    const struct rows* const rows = context;
    for (int64_t i = 0; i < rows->count; ++i)
        memcpy(rows->to + i * rows->to_stride, rows->from + i * rows->from_stride, (size_t)rows->bytes);
    return MPI_SUCCESS;
}

struct exchange {
    struct dvm_comm* comm;
    const struct dvm_crowds* crowds;
    int64_t bytes;          /* of a block */
    struct dvm_block out;   /* this rank's blocks, in the order of the crowds */
    struct dvm_block in;    /* the same, of what it gets */
    struct dvm_block rows;  /* of who speaks: what its crowd sends, a row for each rank of it, its own first */
    struct dvm_block* from; /* of who speaks: from each crowd, a row for each rank of that crowd */
};

/* What the crowd sends is sorted by the crowds that get it. */
static void trade(struct dvm_plan* plan, const struct exchange* exchange) {
    const struct dvm_crowds* const crowds = exchange->crowds;
    const int64_t ranks = size_of(crowds, crowds->mine);
    const int64_t row = exchange->bytes * exchange->comm->size;
    for (int k = 0; k < crowds->count; ++k) {
        const int crowd = (crowds->mine + k) % crowds->count;
        const int64_t width = exchange->bytes * size_of(crowds, crowd);
        const struct dvm_block sorted = bytes_room(plan, ranks * width);
        exchange->from[crowd] = k == 0 ? sorted : bytes_room(plan, ranks * width);
        if (sorted.buffer == NULL || exchange->from[crowd].buffer == NULL) return;
        struct rows rows = {(const char*)exchange->rows.buffer + exchange->bytes * crowds->begin[crowd],
                            sorted.buffer,
                            ranks,
                            width,
                            row,
                            width};
        dvm_plan_local(plan, copy_rows, &rows, sizeof rows);
        if (k != 0) dvm_plan_send(plan, exchange->comm, speaker_of(crowds, crowd), &sorted);
    }
    for (int k = crowds->count; k-- > 1;) {
        const int crowd = (crowds->mine + k) % crowds->count;
        dvm_plan_receive(plan, exchange->comm, speaker_of(crowds, crowd), &exchange->from[crowd]);
    }
    dvm_plan_phase(plan);
}

/* What the `member`th of the crowd gets, in the order of the crowds. */
static void collect(struct dvm_plan* plan, const struct exchange* exchange, int member, const struct dvm_block* to) {
    const struct dvm_crowds* const crowds = exchange->crowds;
    const int64_t bytes = exchange->bytes;
    const int64_t stride = bytes * size_of(crowds, crowds->mine);
    for (int crowd = 0; crowd < crowds->count; ++crowd) {
        struct rows rows = {(const char*)exchange->from[crowd].buffer + bytes * member,
                            (char*)to->buffer + bytes * crowds->begin[crowd],
                            size_of(crowds, crowd),
                            bytes,
                            stride,
                            bytes};
        dvm_plan_local(plan, copy_rows, &rows, sizeof rows);
    }
}

static void speak_exchange(struct dvm_plan* plan, const struct exchange* exchange) {
    const struct dvm_crowds* const crowds = exchange->crowds;
    const int ranks = size_of(crowds, crowds->mine);
    const int* const order = crowds->order + crowds->begin[crowds->mine];
    const int64_t row = exchange->bytes * exchange->comm->size;
    for (int i = ranks; i-- > 1;) {
        const struct dvm_block theirs = piece_of(&exchange->rows, i * row, row);
        dvm_plan_receive(plan, exchange->comm, order[i], &theirs);
    }
    dvm_plan_phase(plan);
    trade(plan, exchange);
    for (int i = 0; i < ranks && plan->error == MPI_SUCCESS; ++i) {
        /* Its row is not needed any more. */
        const struct dvm_block theirs = i == 0 ? exchange->in : piece_of(&exchange->rows, i * row, row);
        collect(plan, exchange, i, &theirs);
        if (i != 0) dvm_plan_send(plan, exchange->comm, order[i], &theirs);
    }
}

/* `false`: no memory, which the plan knows. */
static bool prepare(struct dvm_plan* plan, struct exchange* exchange) {
    const int64_t row = exchange->bytes * exchange->comm->size;
    const bool speaks = speaker_of(exchange->crowds, exchange->crowds->mine) == exchange->comm->rank;
    exchange->in = bytes_room(plan, row);
    if (speaks) {
        exchange->rows = bytes_room(plan, row * size_of(exchange->crowds, exchange->crowds->mine));
        exchange->from = dvm_plan_memory(plan, (size_t)exchange->crowds->count * sizeof *exchange->from);
        exchange->out = piece_of(&exchange->rows, 0, row);
    } else {
        exchange->out = bytes_room(plan, row);
    }
    return exchange->in.buffer != NULL && exchange->out.buffer != NULL && (!speaks || exchange->from != NULL);
}

bool dvm_plan_crowds_exchange(struct dvm_plan* plan, struct dvm_comm* comm, const struct dvm_blocks* send,
                              const struct dvm_blocks* receive) {
    const struct dvm_block one = dvm_block_at(receive, 0);
    const struct dvm_crowds* const crowds = dvm_crowds_of(comm);
    struct exchange exchange = {.comm = comm, .crowds = crowds, .bytes = dvm_block_bytes(&one)};
    if (crowds == NULL || exchange.bytes > EXCHANGED_BYTES / comm->size) return false;
    if (!prepare(plan, &exchange)) return true;
    const int speaker = speaker_of(crowds, crowds->mine);
    for (int i = 0; i < comm->size; ++i) {
        const struct dvm_block from = dvm_block_at(send, crowds->order[i]);
        const struct dvm_block to = piece_of(&exchange.out, i * exchange.bytes, exchange.bytes);
        dvm_plan_copy(plan, &from, &to);
    }
    if (comm->rank == speaker) {
        speak_exchange(plan, &exchange);
    } else {
        dvm_plan_send(plan, comm, speaker, &exchange.out);
        dvm_plan_receive(plan, comm, speaker, &exchange.in);
    }
    dvm_plan_phase(plan);
    for (int i = 0; i < comm->size; ++i) {
        const struct dvm_block from = piece_of(&exchange.in, i * exchange.bytes, exchange.bytes);
        const struct dvm_block to = dvm_block_at(receive, crowds->order[i]);
        dvm_plan_copy(plan, &from, &to);
    }
    return true;
}
