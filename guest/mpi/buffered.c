/* Buffered sends: the message is copied, and goes on by itself.
 *
 * An attached buffer is a budget: the copies lie in memory of ours, and count as they would if they lay in the buffer,
 * with MPI_BSEND_OVERHEAD for each. So nothing in a buffer of the program's can be broken by the program. */
#include <stdlib.h>

#include "check.h"

struct dvm_pool {
    struct dvm_pool* next;
    const void* owner; /* a communicator, or a session; NULL: for all communicators without one */
    void* buffer;
    MPI_Count size;
    MPI_Count used;
    uint32_t copies; /* under way */
    bool attached;
    bool automatic; /* without a limit */
};

static struct dvm_pool common;
static struct dvm_pool* own_pools;

static struct dvm_pool* find_pool(const void* owner) {
    for (struct dvm_pool* pool = own_pools; pool != NULL; pool = pool->next)
        if (pool->owner == owner) return pool;
    return owner == NULL ? &common : NULL;
}

static struct dvm_pool* pool_of(const struct dvm_comm* comm) {
    struct dvm_pool* pool = find_pool(comm);
    if (pool == NULL || !pool->attached) pool = find_pool(comm->session);
    return pool == NULL || !pool->attached ? &common : pool;
}

/* ---- sending ---- */

static struct dvm_request* copy_message(const struct dvm_request* request, struct dvm_pool* pool) {
    void* const data = malloc(request->bytes + 1);
    struct dvm_request* copy = NULL;
    if (data != NULL)
        copy = dvm_new_send(request->comm, (enum dvm_channel)request->channel, request->rank, request->tag, data,
                            (MPI_Count)request->bytes, dvm_type_of(MPI_BYTE));
    if (copy == NULL) {
        free(data);
        return NULL;
    }
    dvm_pack(request->datatype, request->count, request->buffer, 0, data, (int64_t)request->bytes);
    copy->extra = data;
    copy->pool = pool;
    return copy;
}

static MPI_Count cost(const struct dvm_request* request) {
    return (MPI_Count)request->bytes + MPI_BSEND_OVERHEAD;
}

void dvm_start_buffered(struct dvm_request* request) {
    struct dvm_pool* const pool = pool_of(request->comm);
    /* What has gone by now makes room. */
    if (pool->copies != 0) dvm_progress();
    if (!pool->automatic && pool->size - pool->used < cost(request)) {
        dvm_complete(request,
                     dvm_fail(MPI_ERR_BUFFER, "the message takes %lld bytes of the attached buffer, %lld are free",
                              (long long)cost(request), (long long)(pool->size - pool->used)));
        return;
    }
    struct dvm_request* const copy = copy_message(request, pool);
    if (copy == NULL) {
        dvm_complete(request, dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a copy of the message"));
        return;
    }
    pool->used += cost(copy);
    ++pool->copies;
    request->copy = copy;
    copy->target = request;
    dvm_start(copy);
    dvm_complete(request, MPI_SUCCESS);
}

void dvm_buffered_done(struct dvm_request* copy) {
    struct dvm_pool* const pool = copy->pool;
    pool->used -= cost(copy);
    --pool->copies;
    if (copy->target != NULL) {
        copy->target->position = copy->position;
        copy->target->copy = NULL;
    }
    dvm_request_delete(copy);
}

static void flush(const struct dvm_pool* pool) {
    const struct dvm_waited waited = {.request = NULL};
    while (pool->copies != 0)
        if (!dvm_progress() && pool->copies != 0) dvm_idle(&waited);
}

static bool any_under_way(void) {
    for (const struct dvm_pool* pool = own_pools; pool != NULL; pool = pool->next)
        if (pool->copies != 0) return true;
    return common.copies != 0;
}

/* A pool may go with its last copy, where the program has freed the communicator before. */
int dvm_finish_buffered(void) {
    const struct dvm_waited waited = {.request = NULL};
    while (any_under_way())
        if (!dvm_progress() && any_under_way()) dvm_idle(&waited);
    return MPI_SUCCESS;
}

/* ---- buffers ---- */

/* The pool of a communicator or session, made where there is none. NULL: no memory. */
static struct dvm_pool* make_pool(const void* owner) {
    struct dvm_pool* const pool = find_pool(owner);
    if (pool != NULL) return pool;
    struct dvm_pool* const made = calloc(1, sizeof *made);
    if (made == NULL) return NULL;
    made->owner = owner;
    made->next = own_pools;
    own_pools = made;
    return made;
}

int dvm_pool_attach(const void* owner, void* buffer, MPI_Count size) {
    struct dvm_pool* const pool = make_pool(owner);
    if (pool == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a buffer");
    if (pool->attached) return dvm_fail(MPI_ERR_BUFFER, "a buffer is attached already");
    if (size < 0) return dvm_fail(MPI_ERR_ARG, "a buffer of %lld bytes", (long long)size);
    pool->buffer = buffer;
    pool->size = size;
    pool->attached = true;
    pool->automatic = buffer == MPI_BUFFER_AUTOMATIC;
    return MPI_SUCCESS;
}

int dvm_pool_detach(const void* owner, void* buffer_address, MPI_Count* size) {
    struct dvm_pool* const pool = make_pool(owner);
    if (pool == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a buffer");
    flush(pool);
    *size = pool->size;
    *(void**)buffer_address = pool->buffer;
    pool->attached = false;
    pool->automatic = false;
    pool->buffer = NULL;
    pool->size = 0;
    return MPI_SUCCESS;
}

void dvm_pool_flush(const void* owner) {
    const struct dvm_pool* const pool = find_pool(owner);
    if (pool != NULL) flush(pool);
}

void dvm_forget_pool(const void* owner) {
    for (struct dvm_pool** place = &own_pools; *place != NULL; place = &(*place)->next) {
        struct dvm_pool* const pool = *place;
        if (pool->owner != owner) continue;
        *place = pool->next;
        free(pool);
        return;
    }
}

static int attach(MPI_Count size, void* buffer, const char* call) {
    const int error = dvm_pool_attach(NULL, buffer, size);
    return error == MPI_SUCCESS ? error : dvm_raise(NULL, error, call);
}

int PMPI_Buffer_attach_c(void* buffer, MPI_Count size) {
    return attach(size, buffer, DVM_CALL);
}
DVM_ALIAS(Buffer_attach_c);

int PMPI_Buffer_attach(void* buffer, int size) {
    return attach(size, buffer, DVM_CALL);
}
DVM_ALIAS(Buffer_attach);

int PMPI_Buffer_detach_c(void* buffer_addr, MPI_Count* size) {
    engine.call = DVM_CALL;
    return dvm_pool_detach(NULL, buffer_addr, size);
}
DVM_ALIAS(Buffer_detach_c);

int PMPI_Buffer_detach(void* buffer_addr, int* size) {
    MPI_Count large = 0;
    engine.call = DVM_CALL;
    const int error = dvm_pool_detach(NULL, buffer_addr, &large);
    *size = (int)large;
    return error;
}
DVM_ALIAS(Buffer_detach);

int PMPI_Buffer_flush(void) {
    engine.call = DVM_CALL;
    flush(&common);
    return MPI_SUCCESS;
}
DVM_ALIAS(Buffer_flush);

int dvm_done_request(MPI_Request* request) {
    struct dvm_request* const made = dvm_request_new(DVM_SEND);
    if (made == NULL) return dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a request");
    made->rank = MPI_PROC_NULL;
    dvm_start(made);
    *request = dvm_request_handle(made);
    return MPI_SUCCESS;
}

int PMPI_Buffer_iflush(MPI_Request* request) {
    engine.call = DVM_CALL;
    flush(&common);
    const int error = dvm_done_request(request);
    return error == MPI_SUCCESS ? error : dvm_raise(NULL, error, DVM_CALL);
}
DVM_ALIAS(Buffer_iflush);

/* ---- of a communicator ---- */

static int attach_to(MPI_Comm comm, void* buffer, MPI_Count size, const char* call) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_comm(comm, &object, call);
    return error == MPI_SUCCESS ? dvm_raise_if_failed(object, dvm_pool_attach(object, buffer, size), call) : error;
}

int PMPI_Comm_attach_buffer_c(MPI_Comm comm, void* buffer, MPI_Count size) {
    return attach_to(comm, buffer, size, DVM_CALL);
}
DVM_ALIAS(Comm_attach_buffer_c);

int PMPI_Comm_attach_buffer(MPI_Comm comm, void* buffer, int size) {
    return attach_to(comm, buffer, size, DVM_CALL);
}
DVM_ALIAS(Comm_attach_buffer);

static int detach_from(MPI_Comm comm, void* buffer_address, MPI_Count* size, const char* call) {
    struct dvm_comm* object = NULL;
    const int error = dvm_check_comm(comm, &object, call);
    return error == MPI_SUCCESS ? dvm_raise_if_failed(object, dvm_pool_detach(object, buffer_address, size), call)
                                : error;
}

int PMPI_Comm_detach_buffer_c(MPI_Comm comm, void* buffer_addr, MPI_Count* size) {
    return detach_from(comm, buffer_addr, size, DVM_CALL);
}
DVM_ALIAS(Comm_detach_buffer_c);

int PMPI_Comm_detach_buffer(MPI_Comm comm, void* buffer_addr, int* size) {
    MPI_Count large = 0;
    const int error = detach_from(comm, buffer_addr, &large, DVM_CALL);
    *size = (int)large;
    return error;
}
DVM_ALIAS(Comm_detach_buffer);

static int flush_of(MPI_Comm comm, struct dvm_comm** object, const char* call) {
    const int error = dvm_check_comm(comm, object, call);
    if (error == MPI_SUCCESS) flush(pool_of(*object));
    return error;
}

int PMPI_Comm_flush_buffer(MPI_Comm comm) {
    struct dvm_comm* object = NULL;
    return flush_of(comm, &object, DVM_CALL);
}
DVM_ALIAS(Comm_flush_buffer);

int PMPI_Comm_iflush_buffer(MPI_Comm comm, MPI_Request* request) {
    struct dvm_comm* object = NULL;
    const int error = flush_of(comm, &object, DVM_CALL);
    return error == MPI_SUCCESS ? dvm_raise_if_failed(object, dvm_done_request(request), DVM_CALL) : error;
}
DVM_ALIAS(Comm_iflush_buffer);
