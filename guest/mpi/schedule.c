#include "schedule.h"

#include <stdlib.h>
#include <string.h>

#include "engine.h"

#define CONTEXT_BYTES 128

enum step_type { STEP_SEND, STEP_RECEIVE, STEP_LOCAL };

struct step {
    enum step_type type;
    uint32_t phase;
    int rank;
    struct dvm_comm* comm;
    void* buffer;
    MPI_Count count;
    struct dvm_type* datatype;
    dvm_action action;
    _Alignas(16) unsigned char context[CONTEXT_BYTES];
};

/* Something that is released when the schedule goes. */
struct kept {
    struct kept* next;
    void* object;
    void (*release)(void* object);
};

struct dvm_schedule {
    struct dvm_schedule* next_ready;
    struct dvm_comm* comm;
    struct dvm_request* request; /* NULL: run by dvm_schedule_run */
    struct step* steps;
    uint32_t step_count;
    uint32_t step_room;
    uint32_t phase; /* to which steps are added */
    int tag;
    int error;
    struct kept* kept;
    /* While it runs: */
    uint32_t next;    /* the first step of the next phase */
    uint32_t pending; /* messages of this phase under way */
    bool running;
};

/* Those whose phase is over. */
static struct dvm_schedule* ready;

/* ---- making ---- */

int dvm_collective_tag(struct dvm_comm* comm) {
    return (int)(comm->collectives++ & (uint32_t)(DVM_PARTIAL_TAG - 1));
}

struct dvm_schedule* dvm_schedule_new(struct dvm_comm* comm) {
    struct dvm_schedule* const schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL) {
        dvm_fail(MPI_ERR_NO_MEM, "not enough memory for the steps of a collective operation");
        return NULL;
    }
    dvm_retain(comm);
    schedule->comm = comm;
    schedule->tag = dvm_collective_tag(comm);
    return schedule;
}

static void release_step(const struct step* step) {
    if (step->datatype != NULL) dvm_type_release(step->datatype);
    if (step->comm != NULL) dvm_comm_release(step->comm);
}

void dvm_schedule_free(struct dvm_schedule* schedule) {
    for (uint32_t i = 0; i < schedule->step_count; ++i) release_step(&schedule->steps[i]);
    while (schedule->kept != NULL) {
        struct kept* const kept = schedule->kept;
        schedule->kept = kept->next;
        kept->release(kept->object);
        free(kept);
    }
    free(schedule->steps);
    dvm_comm_release(schedule->comm);
    free(schedule);
}

static void out_of_memory(struct dvm_schedule* schedule) {
    schedule->error = dvm_fail(MPI_ERR_NO_MEM, "not enough memory for the steps of a collective operation");
}

/* NULL: no memory, which the schedule remembers. */
static struct step* add_step(struct dvm_schedule* schedule, enum step_type type) {
    if (schedule->step_count == schedule->step_room) {
        const uint32_t room = schedule->step_room == 0 ? 16 : 2 * schedule->step_room;
        struct step* const steps = realloc(schedule->steps, room * sizeof *steps);
        if (steps == NULL) {
            out_of_memory(schedule);
            return NULL;
        }
        schedule->steps = steps;
        schedule->step_room = room;
    }
    struct step* const step = &schedule->steps[schedule->step_count++];
    step->type = type;
    step->phase = schedule->phase;
    step->comm = NULL;
    step->datatype = NULL;
    return step;
}

static void add_message(struct dvm_schedule* schedule, enum step_type type, struct dvm_comm* comm, int rank,
                        void* buffer, MPI_Count count, struct dvm_type* datatype) {
    if (rank == MPI_PROC_NULL) return;
    struct step* const step = add_step(schedule, type);
    if (step == NULL) return;
    step->rank = rank;
    step->comm = comm;
    step->buffer = buffer;
    step->count = count;
    step->datatype = datatype;
    dvm_retain(comm);
    dvm_type_retain(step->datatype);
}

void dvm_schedule_send(struct dvm_schedule* schedule, struct dvm_comm* comm, int dest, const void* buffer,
                       MPI_Count count, struct dvm_type* type) {
    /* A send only reads it. */
    add_message(schedule, STEP_SEND, comm, dest, (void*)(uintptr_t)buffer, count, type);
}

void dvm_schedule_receive(struct dvm_schedule* schedule, struct dvm_comm* comm, int source, void* buffer,
                          MPI_Count count, struct dvm_type* type) {
    add_message(schedule, STEP_RECEIVE, comm, source, buffer, count, type);
}

void dvm_schedule_local(struct dvm_schedule* schedule, dvm_action action, const void* context, size_t bytes) {
    struct step* const step = add_step(schedule, STEP_LOCAL);
    if (step == NULL) return;
    step->action = action;
    memcpy(step->context, context, bytes < CONTEXT_BYTES ? bytes : CONTEXT_BYTES);
}

void dvm_schedule_phase(struct dvm_schedule* schedule) {
    ++schedule->phase;
}

void dvm_schedule_keep(struct dvm_schedule* schedule, void* object, void (*release)(void* object)) {
    struct kept* const kept = malloc(sizeof *kept);
    if (kept == NULL) {
        out_of_memory(schedule);
        release(object);
        return;
    }
    kept->next = schedule->kept;
    kept->object = object;
    kept->release = release;
    schedule->kept = kept;
}

void* dvm_schedule_memory(struct dvm_schedule* schedule, size_t bytes) {
    void* const memory = malloc(bytes == 0 ? 1 : bytes);
    if (memory == NULL)
        out_of_memory(schedule);
    else
        dvm_schedule_keep(schedule, memory, free);
    return schedule->error == MPI_SUCCESS ? memory : NULL;
}

/* ---- running ---- */

static void note_error(struct dvm_schedule* schedule, int error) {
    if (schedule->error == MPI_SUCCESS) schedule->error = error;
}

static void start_message(struct dvm_schedule* schedule, const struct step* step) {
    struct dvm_request* const request = step->type == STEP_SEND
                                            ? dvm_new_send(step->comm, DVM_COLLECTIVE, step->rank, schedule->tag,
                                                           step->buffer, step->count, step->datatype)
                                            : dvm_new_receive(step->comm, DVM_COLLECTIVE, step->rank, schedule->tag,
                                                              step->buffer, step->count, step->datatype);
    if (request == NULL) {
        out_of_memory(schedule);
        return;
    }
    request->schedule = schedule;
    ++schedule->pending;
    dvm_start(request);
}

/* Every step, an error of another notwithstanding: other ranks wait for what this one sends. */
static void begin_phase(struct dvm_schedule* schedule) {
    const uint32_t begin = schedule->next;
    const uint32_t phase = schedule->steps[begin].phase;
    uint32_t end = begin;
    while (end < schedule->step_count && schedule->steps[end].phase == phase) ++end;
    schedule->next = end;
    for (uint32_t i = begin; i < end; ++i)
        if (schedule->steps[i].type == STEP_LOCAL)
            note_error(schedule, schedule->steps[i].action(schedule->steps[i].context));
    for (uint32_t i = begin; i < end; ++i)
        if (schedule->steps[i].type == STEP_RECEIVE) start_message(schedule, &schedule->steps[i]);
    for (uint32_t i = begin; i < end; ++i)
        if (schedule->steps[i].type == STEP_SEND) start_message(schedule, &schedule->steps[i]);
}

/* Phase after phase until one has to wait, or the end. */
static void advance(struct dvm_schedule* schedule) {
    while (schedule->next < schedule->step_count) {
        /* One more, so that messages which are done at once do not end the phase. */
        schedule->pending = 1;
        begin_phase(schedule);
        if (--schedule->pending != 0) return;
    }
    schedule->running = false;
    if (schedule->request != NULL) dvm_complete(schedule->request, schedule->error);
}

void dvm_schedule_step_done(struct dvm_schedule* schedule, int error) {
    note_error(schedule, error);
    if (--schedule->pending != 0) return;
    schedule->next_ready = ready;
    ready = schedule;
}

bool dvm_schedules_advance(void) {
    const bool any = ready != NULL;
    while (ready != NULL) {
        struct dvm_schedule* const schedule = ready;
        ready = schedule->next_ready;
        advance(schedule);
    }
    return any;
}

uint32_t dvm_schedule_messages(const struct dvm_schedule* schedule) {
    return schedule->pending;
}

void dvm_schedule_begin(struct dvm_schedule* schedule) {
    schedule->next = 0;
    schedule->error = MPI_SUCCESS;
    schedule->running = true;
    advance(schedule);
}

void dvm_restart_schedule(struct dvm_request* request) {
    request->stage = DVM_ARRIVING;
    dvm_hold_wakes();
    dvm_schedule_begin(request->schedule);
    dvm_release_wakes();
}

int dvm_schedule_run(struct dvm_schedule* schedule) {
    int error = schedule->error;
    if (error == MPI_SUCCESS) {
        struct dvm_waited waited = {.comm = schedule->comm};
        dvm_hold_wakes();
        dvm_schedule_begin(schedule);
        while (schedule->running) {
            if (dvm_progress() || !schedule->running) continue;
            waited.messages = schedule->pending;
            dvm_idle(&waited);
        }
        dvm_release_wakes();
        error = schedule->error;
    }
    dvm_schedule_free(schedule);
    return error;
}

static int make_request(struct dvm_schedule* schedule, MPI_Request* request) {
    const int error = schedule->error;
    struct dvm_request* const made = error == MPI_SUCCESS ? dvm_request_new(DVM_SCHEDULED) : NULL;
    if (made == NULL) {
        dvm_schedule_free(schedule);
        return error != MPI_SUCCESS ? error : dvm_fail(MPI_ERR_NO_MEM, "not enough memory for a request");
    }
    dvm_retain(schedule->comm);
    made->comm = schedule->comm;
    made->schedule = schedule;
    made->source = MPI_ANY_SOURCE;
    made->received_tag = MPI_ANY_TAG;
    schedule->request = made;
    *request = dvm_request_handle(made);
    return MPI_SUCCESS;
}

int dvm_schedule_start(struct dvm_schedule* schedule, MPI_Request* request) {
    const int error = make_request(schedule, request);
    if (error == MPI_SUCCESS) dvm_restart_schedule(schedule->request);
    return error;
}

int dvm_schedule_persistent(struct dvm_schedule* schedule, MPI_Request* request) {
    const int error = make_request(schedule, request);
    if (error == MPI_SUCCESS) schedule->request->persistent = true;
    return error;
}
