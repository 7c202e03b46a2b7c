/* MPI_Wait, MPI_Test and their families. */
#include "completion.h"

#include <stdlib.h>

void dvm_status_empty(MPI_Status* status) {
    if (status == MPI_STATUS_IGNORE) return;
    dvm_status_set(status, MPI_ANY_SOURCE, MPI_ANY_TAG, 0);
    status->MPI_ERROR = MPI_SUCCESS;
}

int dvm_look(const struct dvm_request* request, MPI_Status* status) {
    MPI_Status unwanted;
    if (status == MPI_STATUS_IGNORE) status = &unwanted;
    if (request->type == DVM_GENERALIZED) return dvm_generalized_query(request, status);
    dvm_status_of(request, status);
    if (request->error == MPI_SUCCESS && request->companion != NULL) return request->companion->error;
    return request->error;
}

int dvm_retire(MPI_Request* handle, MPI_Status* status) {
    struct dvm_request* const request = dvm_request_of(*handle);
    int error = dvm_look(request, status);
    if (request->persistent) {
        request->stage = DVM_IDLE;
        if (request->type == DVM_SEND) dvm_forget_send(request);
        return error;
    }
    if (request->type == DVM_GENERALIZED) {
        const int freed = dvm_generalized_free(request);
        if (error == MPI_SUCCESS) error = freed;
    }
    dvm_request_delete(request);
    *handle = MPI_REQUEST_NULL;
    return error;
}

/* ---- one ---- */

/* Raised through the request's communicator, which may go with it. */
static int retire_one(MPI_Request* handle, MPI_Status* status, const char* call) {
    struct dvm_comm* const comm = dvm_request_of(*handle)->comm;
    if (comm != NULL) dvm_retain(comm);
    int error = dvm_retire(handle, status);
    if (error != MPI_SUCCESS) error = dvm_raise(comm, error, call);
    if (comm != NULL) dvm_comm_release(comm);
    return error;
}

static int no_request(const char* call) {
    dvm_check_running(call);
    return dvm_error(NULL, MPI_ERR_REQUEST, call, "the request is none (freed, or never one)");
}

static bool valid(MPI_Request handle) {
    return handle == MPI_REQUEST_NULL || dvm_request_of(handle) != NULL;
}

/* What is passed on while a call waits goes out before it falls asleep; so those who are to be woken for it can be
 * woken in the exit in which it does: here, and in MPI_Waitall. */
int PMPI_Wait(MPI_Request* request, MPI_Status* status) {
    struct dvm_request* const object = dvm_request_of(*request);
    if (!valid(*request)) return no_request(DVM_CALL);
    if (dvm_inactive(object)) {
        dvm_status_empty(status);
        return MPI_SUCCESS;
    }
    engine.call = DVM_CALL;
    dvm_hold_dear_wakes();
    while (!dvm_done(object))
        if (!dvm_progress() && !dvm_done(object)) dvm_idle_for(object);
    dvm_release_dear_wakes();
    return retire_one(request, status, DVM_CALL);
}
DVM_ALIAS(Wait);

int PMPI_Test(MPI_Request* request, int* flag, MPI_Status* status) {
    struct dvm_request* const object = dvm_request_of(*request);
    if (!valid(*request)) return no_request(DVM_CALL);
    *flag = 1;
    if (dvm_inactive(object)) {
        dvm_status_empty(status);
        return MPI_SUCCESS;
    }
    if (!dvm_done(object)) dvm_poll();
    *flag = dvm_done(object);
    return *flag ? retire_one(request, status, DVM_CALL) : MPI_SUCCESS;
}
DVM_ALIAS(Test);

/* ---- some ---- */

static int check_all(int count, const MPI_Request* requests, const char* call) {
    engine.call = call;
    if (count < 0) return dvm_error(NULL, MPI_ERR_COUNT, call, "count %d is negative", count);
    for (int i = 0; i < count; ++i)
        if (!valid(requests[i])) {
            dvm_check_running(call);
            return dvm_error(NULL, MPI_ERR_REQUEST, call, "request %d is none (freed, or never one)", i);
        }
    return MPI_SUCCESS;
}

/* How the requests stand. */
struct survey {
    int active;
    int done;
    int first_done;                       /* MPI_UNDEFINED: none */
    const struct dvm_request* first_open; /* NULL: none */
};

static struct survey survey(int count, const MPI_Request* requests) {
    struct survey survey = {0, 0, MPI_UNDEFINED, NULL};
    for (int i = 0; i < count; ++i) {
        const struct dvm_request* const request = dvm_request_of(requests[i]);
        if (dvm_inactive(request)) continue;
        ++survey.active;
        if (!dvm_done(request)) {
            if (survey.first_open == NULL) survey.first_open = request;
            continue;
        }
        if (survey.done++ == 0) survey.first_done = i;
    }
    return survey;
}

static void idle_for(const struct dvm_request* request, int count, const MPI_Request* all, bool any) {
    const struct dvm_waited waited = {.request = request, .any = any, .all = all, .count = count};
    dvm_idle(&waited);
}

/* Looks, and (`wait`) waits until at least one is done, or all are. */
static struct survey await(int count, const MPI_Request* requests, bool all, bool wait) {
    struct survey found = survey(count, requests);
    bool moved = true;
    while ((all ? found.done != found.active : found.done == 0 && found.active != 0) && (wait || moved)) {
        moved = wait ? dvm_progress() : dvm_poll();
        found = survey(count, requests);
        const bool enough = all ? found.done == found.active : found.done != 0;
        if (wait && !moved && !enough) idle_for(found.first_open, count, requests, true);
        if (!wait) break;
    }
    return found;
}

static int wait_any(int count, MPI_Request* requests, int* index, MPI_Status* status, int* flag, const char* call) {
    const int wrong = check_all(count, requests, call);
    if (wrong != MPI_SUCCESS) return wrong;
    const struct survey found = await(count, requests, false, flag == NULL);
    *index = found.first_done;
    if (flag != NULL) *flag = found.active == 0 || found.done != 0;
    if (found.active == 0) dvm_status_empty(status);
    return found.done == 0 ? MPI_SUCCESS : retire_one(&requests[found.first_done], status, call);
}

int PMPI_Waitany(int count, MPI_Request array_of_requests[], int* indx, MPI_Status* status) {
    return wait_any(count, array_of_requests, indx, status, NULL, DVM_CALL);
}
DVM_ALIAS(Waitany);

int PMPI_Testany(int count, MPI_Request array_of_requests[], int* indx, int* flag, MPI_Status* status) {
    return wait_any(count, array_of_requests, indx, status, flag, DVM_CALL);
}
DVM_ALIAS(Testany);

/* Retires `requests[from]` into `statuses[to]`; whether it failed. The errors stand in the statuses. */
static bool retire_into(MPI_Request* requests, int from, MPI_Status* statuses, int to, struct dvm_comm** failed,
                        int* error) {
    struct dvm_comm* const comm = dvm_request_of(requests[from])->comm;
    MPI_Status* const status = statuses == MPI_STATUSES_IGNORE ? MPI_STATUS_IGNORE : &statuses[to];
    if (comm != NULL) dvm_retain(comm);
    const int met = dvm_retire(&requests[from], status);
    if (status != MPI_STATUS_IGNORE) status->MPI_ERROR = met;
    if (met != MPI_SUCCESS && *failed == NULL && comm != NULL) {
        dvm_retain(comm);
        *failed = comm;
    }
    if (met != MPI_SUCCESS && *error == MPI_SUCCESS) *error = met;
    if (comm != NULL) dvm_comm_release(comm);
    return met != MPI_SUCCESS;
}

/* One error for many requests: the statuses tell which; the sentence is that of the first. */
static int raise_many(struct dvm_comm* comm, int error, const char* call) {
    if (error == MPI_SUCCESS) return MPI_SUCCESS;
    const char* const sentence = dvm_noted(error);
    char copy[MPI_MAX_ERROR_STRING] = "";
    if (sentence != NULL) {
        size_t i = 0;
        for (; sentence[i] != '\0' && i < sizeof copy - 1; ++i) copy[i] = sentence[i];
        copy[i] = '\0';
    }
    const int raised = dvm_error(comm, MPI_ERR_IN_STATUS, call, "%s", copy[0] == '\0' ? "a request failed" : copy);
    if (comm != NULL) dvm_comm_release(comm);
    return raised;
}

static int retire_all(int count, MPI_Request* requests, MPI_Status* statuses, const char* call) {
    struct dvm_comm* failed = NULL;
    int error = MPI_SUCCESS;
    for (int i = 0; i < count; ++i) {
        if (!dvm_inactive(dvm_request_of(requests[i])))
            retire_into(requests, i, statuses, i, &failed, &error);
        else if (statuses != MPI_STATUSES_IGNORE)
            dvm_status_empty(&statuses[i]);
    }
    return raise_many(failed, error, call);
}

int PMPI_Waitall(int count, MPI_Request array_of_requests[], MPI_Status array_of_statuses[]) {
    const int wrong = check_all(count, array_of_requests, DVM_CALL);
    if (wrong != MPI_SUCCESS) return wrong;
    dvm_hold_dear_wakes();
    /* One after another: each look at all of them would make their number count twice. */
    for (int i = 0; i < count; ++i) {
        const struct dvm_request* const request = dvm_request_of(array_of_requests[i]);
        while (!dvm_inactive(request) && !dvm_done(request))
            if (!dvm_progress() && !dvm_done(request)) idle_for(request, count, array_of_requests, false);
    }
    dvm_release_dear_wakes();
    return retire_all(count, array_of_requests, array_of_statuses, DVM_CALL);
}
DVM_ALIAS(Waitall);

int PMPI_Testall(int count, MPI_Request array_of_requests[], int* flag, MPI_Status array_of_statuses[]) {
    const int wrong = check_all(count, array_of_requests, DVM_CALL);
    if (wrong != MPI_SUCCESS) return wrong;
    const struct survey found = await(count, array_of_requests, true, false);
    *flag = found.done == found.active;
    return *flag ? retire_all(count, array_of_requests, array_of_statuses, DVM_CALL) : MPI_SUCCESS;
}
DVM_ALIAS(Testall);

static int some(int count, MPI_Request* requests, bool wait, int* outcount, int* indices, MPI_Status* statuses,
                const char* call) {
    const int wrong = check_all(count, requests, call);
    if (wrong != MPI_SUCCESS) return wrong;
    const struct survey found = await(count, requests, false, wait);
    struct dvm_comm* failed = NULL;
    int error = MPI_SUCCESS;
    *outcount = found.active == 0 ? MPI_UNDEFINED : 0;
    for (int i = 0; i < count && found.done != 0; ++i) {
        const struct dvm_request* const request = dvm_request_of(requests[i]);
        if (dvm_inactive(request) || !dvm_done(request)) continue;
        indices[*outcount] = i;
        retire_into(requests, i, statuses, *outcount, &failed, &error);
        ++*outcount;
    }
    return raise_many(failed, error, call);
}

int PMPI_Waitsome(int incount, MPI_Request array_of_requests[], int* outcount, int array_of_indices[],
                  MPI_Status array_of_statuses[]) {
    return some(incount, array_of_requests, true, outcount, array_of_indices, array_of_statuses, DVM_CALL);
}
DVM_ALIAS(Waitsome);

int PMPI_Testsome(int incount, MPI_Request array_of_requests[], int* outcount, int array_of_indices[],
                  MPI_Status array_of_statuses[]) {
    return some(incount, array_of_requests, false, outcount, array_of_indices, array_of_statuses, DVM_CALL);
}
DVM_ALIAS(Testsome);
