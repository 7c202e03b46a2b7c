/* How the ends of a partitioned message make each other's acquaintance, and how they go. */
#include <stdlib.h>

#include "partitioned.h"

/* Numbers of receives; a bit is set where one is taken. */
static uint64_t taken[DVM_NUMBERS / 64];

static bool take_number(uint32_t* number) {
    for (uint32_t word = 0; word < DVM_NUMBERS / 64; ++word) {
        if (taken[word] == UINT64_MAX) continue;
        const uint32_t bit = (uint32_t)__builtin_ctzll(~taken[word]);
        taken[word] |= 1ull << bit;
        *number = word * 64 + bit;
        return true;
    }
    return false;
}

static void free_parts(struct dvm_parts* parts) {
    if (!parts->sends) taken[parts->number / 64] &= ~(1ull << parts->number % 64);
    free(parts->ready);
    free(parts->done);
    free(parts);
}

/* ---- meeting ---- */

int dvm_parts_agree(const struct dvm_parts* parts) {
    const uint64_t sent = parts->sends ? parts->bytes : parts->answer.bytes;
    const uint64_t received = parts->sends ? parts->greeting.bytes : parts->bytes;
    if (sent == received) return MPI_SUCCESS;
    return dvm_fail(MPI_ERR_COUNT, "the partitions that are sent have %llu bytes in all, those that receive them %llu",
                    (unsigned long long)sent, (unsigned long long)received);
}

/* The most units that are whole partitions, of the same number each. */
static int choose_units(int partitions, uint32_t theirs) {
    int units = partitions < DVM_UNITS_MAX ? partitions : DVM_UNITS_MAX;
    if (theirs < (uint32_t)units) units = (int)theirs;
    while (units > 1 && partitions % units != 0) --units;
    return units < 1 ? 1 : units;
}

static void met(struct dvm_request* message);

static int begin(struct dvm_parts* parts, struct dvm_request* message) {
    if (message == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a request");
    message->parts = parts;
    message->told = met;
    ++parts->meeting;
    dvm_start(message);
    return MPI_SUCCESS;
}

static int send_bytes(struct dvm_parts* parts, struct dvm_comm* comm, int rank, enum dvm_channel channel, int tag,
                      const void* data, size_t bytes) {
    struct dvm_type* const byte = dvm_type_of(MPI_BYTE);
    return begin(parts, dvm_new_send(comm, channel, rank, tag, data, (MPI_Count)bytes, byte));
}

static int receive_bytes(struct dvm_parts* parts, struct dvm_comm* comm, int rank, enum dvm_channel channel, int tag,
                         void* data, size_t bytes) {
    struct dvm_type* const byte = dvm_type_of(MPI_BYTE);
    return begin(parts, dvm_new_receive(comm, channel, rank, tag, data, (MPI_Count)bytes, byte));
}

/* The sender knows whom it sends to. What the greeting says is the peer's word. */
static void take_greeting(struct dvm_parts* parts, const struct dvm_request* message) {
    const struct dvm_greeting* const greeting = &parts->greeting;
    parts->units = choose_units(parts->partitions, greeting->partitions);
    parts->number = greeting->number % DVM_NUMBERS;
    parts->acquainted = true;
    parts->answer = (struct dvm_greeting_answer){parts->bytes, (uint32_t)parts->units, 0};
    parts->strange = send_bytes(parts, message->comm, message->rank, DVM_UNITS, (int)(parts->number << DVM_UNIT_BITS),
                                &parts->answer, sizeof parts->answer);
}

static void take_answer(struct dvm_parts* parts) {
    const struct dvm_greeting_answer* const answer = &parts->answer;
    parts->acquainted = true;
    parts->units = answer->units < 1 || answer->units > DVM_UNITS_MAX ? 1 : (int)answer->units;
    if (answer->bytes == parts->bytes && parts->bytes % (uint64_t)parts->units != 0)
        parts->strange = dvm_fail(MPI_ERR_OTHER, "the sender's partitions cannot be what it says");
}

/* A message of the acquaintance is over. */
static void met(struct dvm_request* message) {
    struct dvm_parts* const parts = message->parts;
    const bool received = message->type == DVM_RECEIVE;
    --parts->meeting;
    if (message->error != MPI_SUCCESS) {
        parts->acquainted = true;
        parts->strange = message->error;
    } else if (received && parts->sends) {
        take_greeting(parts, message);
    } else if (received) {
        take_answer(parts);
    }
    dvm_parts_note(parts);
}

/* ---- life ---- */

static int make_acquaintance(struct dvm_parts* parts, const struct dvm_request* request) {
    struct dvm_comm* const comm = request->comm;
    const int rank = request->rank;
    if (parts->sends)
        return receive_bytes(parts, comm, rank, DVM_GREETINGS, request->tag, &parts->greeting, sizeof parts->greeting);
    parts->greeting = (struct dvm_greeting){parts->bytes, (uint32_t)parts->partitions, parts->number};
    const int error = receive_bytes(parts, comm, rank, DVM_UNITS, (int)(parts->number << DVM_UNIT_BITS), &parts->answer,
                                    sizeof parts->answer);
    if (error != MPI_SUCCESS) return error;
    return send_bytes(parts, comm, rank, DVM_GREETINGS, request->tag, &parts->greeting, sizeof parts->greeting);
}

struct dvm_parts* dvm_parts_new(struct dvm_request* request, bool sends, int partitions) {
    struct dvm_parts* const parts = calloc(1, sizeof *parts + (sends ? 0 : DVM_UNITS_MAX * sizeof(void*)));
    if (parts == NULL) return NULL;
    parts->request = request;
    parts->sends = sends;
    parts->partitions = partitions;
    parts->bytes = request->bytes;
    parts->done = calloc(DVM_UNITS_MAX, sizeof *parts->done);
    parts->ready = calloc((size_t)partitions + 1, sizeof *parts->ready);
    const bool numbered = sends || take_number(&parts->number);
    if (parts->done == NULL || parts->ready == NULL || !numbered) {
        parts->sends = parts->sends || !numbered; /* it has no number to give back */
        free_parts(parts);
        return NULL;
    }
    if (request->rank == MPI_PROC_NULL) return parts;
    const int error = make_acquaintance(parts, request);
    if (error != MPI_SUCCESS) parts->strange = error;
    return parts;
}

void dvm_parts_release(struct dvm_parts* parts) {
    parts->request = NULL;
    /* Until the ends have met, this one's place in the order is taken, and its number. */
    if (parts->meeting == 0 && !parts->noted) free_parts(parts);
}

/* ---- what was noted ---- */

static struct dvm_parts* noted;

void dvm_parts_note(struct dvm_parts* parts) {
    engine.later = dvm_parts_advance;
    if (parts->noted) return;
    parts->noted = true;
    parts->next = noted;
    noted = parts;
}

void dvm_parts_advance(void) {
    while (noted != NULL) {
        struct dvm_parts* const parts = noted;
        noted = parts->next;
        parts->noted = false;
        if (parts->request != NULL)
            dvm_parts_go_on(parts);
        else if (parts->meeting == 0)
            free_parts(parts);
    }
    engine.later = NULL;
}
