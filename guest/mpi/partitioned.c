/* Partitioned communication: the calls, and a round from MPI_Start to its end. */
#include "partitioned.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "completion.h"

static bool partitioned(const struct dvm_request* request) {
    return request != NULL && (request->type == DVM_PARTS_OUT || request->type == DVM_PARTS_IN);
}

/* ---- units ---- */

static uint64_t unit_bytes(const struct dvm_parts* parts) {
    return parts->bytes / (uint64_t)parts->units;
}

static void finish_if_over(struct dvm_parts* parts) {
    struct dvm_request* const request = parts->request;
    if (!parts->running || parts->open != 0 || (parts->unready != 0 && parts->error == MPI_SUCCESS)) return;
    parts->running = false;
    request->source = parts->sends ? MPI_ANY_SOURCE : request->rank;
    request->received_tag = parts->sends ? MPI_ANY_TAG : request->tag;
    request->received = parts->sends ? 0 : parts->bytes;
    dvm_complete(request, parts->error);
}

static void unit_done(struct dvm_request* message) {
    struct dvm_parts* const parts = message->parts;
    const int unit = message->tag & (DVM_UNITS_MAX - 1);
    --parts->open;
    if (parts->error == MPI_SUCCESS) parts->error = message->error;
    if (!parts->sends) parts->done[unit] = true;
    if (!parts->sends && parts->aside[unit] != NULL) {
        const struct dvm_request* const request = parts->request;
        const int64_t at = (int64_t)unit_bytes(parts) * unit;
        dvm_unpack(request->datatype, request->count, request->buffer, at, parts->aside[unit],
                   (int64_t)unit_bytes(parts));
        free(parts->aside[unit]);
        parts->aside[unit] = NULL;
    }
    finish_if_over(parts);
}

static void begin_unit(struct dvm_parts* parts, struct dvm_request* message) {
    if (message == NULL) {
        --parts->open;
        parts->error = dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a request");
        return;
    }
    message->parts = parts;
    message->told = unit_done;
    dvm_start(message);
}

static int unit_tag(const struct dvm_parts* parts, int unit) {
    return (int)(parts->number << DVM_UNIT_BITS) | unit;
}

/* Where item `items` of the buffer is. */
static unsigned char* place(const struct dvm_request* request, int64_t items) {
    return request->buffer + items * request->datatype->extent;
}

static void send_unit(struct dvm_parts* parts, int unit) {
    const struct dvm_request* const request = parts->request;
    const MPI_Count items = request->count / parts->units;
    parts->done[unit] = true;
    begin_unit(parts, dvm_new_send(request->comm, DVM_UNITS, request->rank, unit_tag(parts, unit),
                                   place(request, unit * items), items, request->datatype));
}

/* Straight into the buffer, unless a unit of the sender's begins or ends in the middle of an item with gaps. */
static void receive_unit(struct dvm_parts* parts, int unit) {
    const struct dvm_request* const request = parts->request;
    struct dvm_type* const type = request->datatype;
    struct dvm_type* const byte = dvm_type_of(MPI_BYTE);
    const uint64_t bytes = unit_bytes(parts);
    const int tag = unit_tag(parts, unit);
    struct dvm_request* message = NULL;
    if (type->contiguous || bytes == 0) {
        message = dvm_new_receive(request->comm, DVM_UNITS, request->rank, tag,
                                  request->buffer + bytes * (uint64_t)unit, (MPI_Count)bytes, byte);
    } else if (bytes % (uint64_t)type->size == 0) {
        const int64_t items = (int64_t)(bytes / (uint64_t)type->size);
        message =
            dvm_new_receive(request->comm, DVM_UNITS, request->rank, tag, place(request, unit * items), items, type);
    } else if ((parts->aside[unit] = malloc(bytes)) != NULL) {
        message =
            dvm_new_receive(request->comm, DVM_UNITS, request->rank, tag, parts->aside[unit], (MPI_Count)bytes, byte);
    }
    begin_unit(parts, message);
}

static bool unit_ready(const struct dvm_parts* parts, int unit) {
    const int each = parts->partitions / parts->units;
    for (int i = 0; i < each; ++i)
        if (!parts->ready[unit * each + i]) return false;
    return !parts->done[unit];
}

/* ---- rounds ---- */

/* The ends know each other, and a round has begun on this one. */
static void begin_units(struct dvm_parts* parts) {
    parts->open = parts->units;
    for (int unit = 0; unit < parts->units; ++unit) {
        if (!parts->sends)
            receive_unit(parts, unit);
        else if (unit_ready(parts, unit))
            send_unit(parts, unit);
    }
}

void dvm_parts_go_on(struct dvm_parts* parts) {
    if (!parts->running || parts->open >= 0 || (!parts->acquainted && parts->strange == MPI_SUCCESS)) return;
    parts->error = parts->strange != MPI_SUCCESS ? parts->strange : dvm_parts_agree(parts);
    if (parts->error != MPI_SUCCESS)
        parts->open = 0;
    else
        begin_units(parts);
    finish_if_over(parts);
}

void dvm_start_parts(struct dvm_request* request) {
    struct dvm_parts* const parts = request->parts;
    request->stage = DVM_ARRIVING;
    memset(parts->ready, 0, (size_t)parts->partitions * sizeof *parts->ready);
    memset(parts->done, 0, DVM_UNITS_MAX * sizeof *parts->done);
    parts->unready = parts->sends ? parts->partitions : 0;
    parts->running = true;
    parts->error = MPI_SUCCESS;
    parts->open = -1; /* not begun */
    dvm_parts_go_on(parts);
}

/* ---- calls ---- */

static int init(const struct dvm_message_arguments* message, void* buffer, int partitions, bool sends,
                MPI_Request* handle, const char* call) {
    struct dvm_message_objects of;
    const int wrong = dvm_check_message(message, !sends, call, &of);
    if (wrong != MPI_SUCCESS) return wrong;
    struct dvm_comm* const comm = of.comm;
    struct dvm_type* const type = of.type;
    MPI_Count items = 0;
    MPI_Count bytes = 0;
    if (message->rank == MPI_ANY_SOURCE) return dvm_error(comm, MPI_ERR_RANK, call, "source MPI_ANY_SOURCE");
    if (message->tag == MPI_ANY_TAG) return dvm_error(comm, MPI_ERR_TAG, call, "tag MPI_ANY_TAG");
    if (partitions < 0) return dvm_error(comm, MPI_ERR_ARG, call, "argument partitions is %d", partitions);
    if (__builtin_mul_overflow(message->count, (MPI_Count)partitions, &items) ||
        __builtin_mul_overflow(items, (MPI_Count)type->size, &bytes))
        return dvm_error(comm, MPI_ERR_COUNT, call, "%d partitions of %lld items are more than there can be",
                         partitions, (long long)message->count);
    struct dvm_request* const request =
        dvm_new_send(comm, DVM_GREETINGS, message->rank, message->tag, buffer, items, type);
    if (request == NULL) return dvm_error(comm, MPI_ERR_NO_MEM, call, "not enough memory for a request");
    request->type = sends ? DVM_PARTS_OUT : DVM_PARTS_IN;
    request->persistent = true;
    request->parts = dvm_parts_new(request, sends, partitions);
    if (request->parts == NULL) {
        dvm_request_delete(request);
        return dvm_error(comm, MPI_ERR_NO_MEM, call, "not enough memory for %d partitions", partitions);
    }
    *handle = dvm_request_handle(request);
    return MPI_SUCCESS;
}

#define DEFINE_INITS(SUFFIX, NUMBER)                                                                               \
    int PMPI_Psend_init##SUFFIX(const void* buf, int partitions, NUMBER count, MPI_Datatype datatype, int dest,    \
                                int tag, MPI_Comm comm, MPI_Info info, MPI_Request* request) {                     \
        const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};                      \
        (void)info;                                                                                                \
        /* SAFETY: a send only reads it. */                                                                        \
        return init(&message, (void*)(uintptr_t)buf, partitions, true, request, DVM_CALL);                         \
    }                                                                                                              \
    DVM_ALIAS(Psend_init##SUFFIX);                                                                                 \
    int PMPI_Precv_init##SUFFIX(void* buf, int partitions, NUMBER count, MPI_Datatype datatype, int dest, int tag, \
                                MPI_Comm comm, MPI_Info info, MPI_Request* request) {                              \
        const struct dvm_message_arguments message = {buf, count, datatype, dest, tag, comm};                      \
        (void)info;                                                                                                \
        return init(&message, buf, partitions, false, request, DVM_CALL);                                          \
    }                                                                                                              \
    DVM_ALIAS(Precv_init##SUFFIX)

DEFINE_INITS(, int);
DEFINE_INITS(_c, MPI_Count);

/* An error class; the first thing that is wrong is noted. */
static int mark_ready(struct dvm_parts* parts, int partition) {
    if (partition < 0 || partition >= parts->partitions)
        return dvm_fail(MPI_ERR_ARG, "partition %d of %d", partition, parts->partitions);
    if (parts->ready[partition]) return dvm_fail(MPI_ERR_ARG, "partition %d is ready already", partition);
    parts->ready[partition] = true;
    --parts->unready;
    if (parts->open < 0 || parts->error != MPI_SUCCESS) return MPI_SUCCESS;
    const int unit = partition / (parts->partitions / parts->units);
    if (unit_ready(parts, unit)) send_unit(parts, unit);
    return MPI_SUCCESS;
}

/* `list` NULL: from `low` on. */
static int ready_call(MPI_Request handle, int count, int low, const int* list, const char* call) {
    struct dvm_request* const request = dvm_request_of(handle);
    engine.call = call;
    if (request == NULL) {
        dvm_check_running(call);
        return dvm_error(NULL, MPI_ERR_REQUEST, call, "the request is none (null, freed, or never one)");
    }
    if (request->type != DVM_PARTS_OUT)
        return dvm_error(request->comm, MPI_ERR_REQUEST, call, "the request is no partitioned send");
    if (request->stage == DVM_IDLE)
        return dvm_error(request->comm, MPI_ERR_REQUEST, call, "the request is not active (MPI_Start)");
    if (request->rank == MPI_PROC_NULL) return MPI_SUCCESS;
    if (engine.later != NULL) engine.later();
    int error = MPI_SUCCESS;
    dvm_hold_wakes();
    for (int i = 0; i < count && error == MPI_SUCCESS; ++i)
        error = mark_ready(request->parts, list == NULL ? low + i : list[i]);
    finish_if_over(request->parts);
    dvm_release_wakes();
    return error == MPI_SUCCESS ? error : dvm_raise(request->comm, error, call);
}

int PMPI_Pready(int partition, MPI_Request request) {
    return ready_call(request, 1, partition, NULL, DVM_CALL);
}
DVM_ALIAS(Pready);

int PMPI_Pready_range(int partition_low, int partition_high, MPI_Request request) {
    return ready_call(request, partition_high - partition_low + 1, partition_low, NULL, DVM_CALL);
}
DVM_ALIAS(Pready_range);

int PMPI_Pready_list(int length, const int array_of_partitions[], MPI_Request request) {
    return ready_call(request, length, 0, array_of_partitions, DVM_CALL);
}
DVM_ALIAS(Pready_list);

/* Whether all units are there that the partition has bytes of. */
static bool arrived(const struct dvm_parts* parts, int partition) {
    if (!parts->running) return true;
    if (parts->open < 0) return false;
    const uint64_t each = parts->bytes / (uint64_t)parts->partitions;
    const uint64_t bytes = unit_bytes(parts);
    if (bytes == 0) return parts->open == 0;
    for (uint64_t unit = each * (uint64_t)partition / bytes; unit * bytes < each * ((uint64_t)partition + 1); ++unit)
        if (!parts->done[unit]) return false;
    return true;
}

int PMPI_Parrived(MPI_Request request, int partition, int* flag) {
    const struct dvm_request* const object = dvm_request_of(request);
    engine.call = DVM_CALL;
    *flag = 1;
    if (dvm_inactive(object)) return MPI_SUCCESS;
    if (!partitioned(object) || object->type != DVM_PARTS_IN)
        return dvm_error(object->comm, MPI_ERR_REQUEST, DVM_CALL, "the request is no partitioned receive");
    const struct dvm_parts* const parts = object->parts;
    if (partition < 0 || partition >= parts->partitions)
        return dvm_error(object->comm, MPI_ERR_ARG, DVM_CALL, "partition %d of %d", partition, parts->partitions);
    if (!arrived(parts, partition)) dvm_poll();
    *flag = arrived(parts, partition);
    return MPI_SUCCESS;
}
DVM_ALIAS(Parrived);
