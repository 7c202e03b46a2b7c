/* What else can be done to a request: look at it, free it, cancel it. */
#include <stdlib.h>

#include "completion.h"

static int no_request(const char* call) {
    dvm_check_running(call);
    return dvm_error(NULL, MPI_ERR_REQUEST, call, "the request is none (null, freed, or never one)");
}

int PMPI_Request_free(MPI_Request* request) {
    struct dvm_request* const object = dvm_request_of(*request);
    if (object == NULL) return no_request(DVM_CALL);
    if (object->type == DVM_SCHEDULED && !object->persistent)
        return dvm_error(object->comm, MPI_ERR_REQUEST, DVM_CALL,
                         "the request of a collective operation cannot be freed");
    *request = MPI_REQUEST_NULL;
    if (object->type == DVM_GENERALIZED && dvm_done(object)) dvm_generalized_free(object);
    if (object->stage == DVM_IDLE || dvm_done(object)) {
        dvm_request_delete(object);
        return MPI_SUCCESS;
    }
    /* Of two halves, each goes when it is complete. A send's withdrawal is no half of it: it looks after itself. */
    struct dvm_request* const companion = object->type == DVM_SEND ? NULL : object->companion;
    if (companion != NULL) object->companion = NULL;
    if (companion != NULL && dvm_done(companion))
        dvm_request_delete(companion);
    else if (companion != NULL)
        companion->forgotten = true;
    if (object->stage == DVM_COMPLETE)
        dvm_request_delete(object);
    else
        object->forgotten = true;
    return MPI_SUCCESS;
}
DVM_ALIAS(Request_free);

/* ---- looking ---- */

static int look_at(MPI_Request handle, MPI_Status* status) {
    const struct dvm_request* const request = dvm_request_of(handle);
    if (!dvm_inactive(request)) return dvm_look(request, status);
    dvm_status_empty(status);
    return MPI_SUCCESS;
}

static bool ready(MPI_Request handle) {
    const struct dvm_request* const request = dvm_request_of(handle);
    return dvm_inactive(request) || dvm_done(request);
}

int PMPI_Request_get_status(MPI_Request request, int* flag, MPI_Status* status) {
    if (request != MPI_REQUEST_NULL && dvm_request_of(request) == NULL) return no_request(DVM_CALL);
    if (!ready(request)) dvm_poll();
    *flag = ready(request);
    if (*flag) look_at(request, status);
    return MPI_SUCCESS;
}
DVM_ALIAS(Request_get_status);

int PMPI_Request_get_status_all(int count, const MPI_Request array_of_requests[], int* flag,
                                MPI_Status array_of_statuses[]) {
    dvm_poll();
    *flag = 1;
    for (int i = 0; i < count; ++i)
        if (!ready(array_of_requests[i])) *flag = 0;
    for (int i = 0; i < count && *flag && array_of_statuses != MPI_STATUSES_IGNORE; ++i)
        array_of_statuses[i].MPI_ERROR = look_at(array_of_requests[i], &array_of_statuses[i]);
    return MPI_SUCCESS;
}
DVM_ALIAS(Request_get_status_all);

static bool active_and_done(MPI_Request handle) {
    const struct dvm_request* const request = dvm_request_of(handle);
    return !dvm_inactive(request) && dvm_done(request);
}

static int count_active(int count, const MPI_Request* requests) {
    int active = 0;
    for (int i = 0; i < count; ++i) active += !dvm_inactive(dvm_request_of(requests[i]));
    return active;
}

int PMPI_Request_get_status_any(int count, const MPI_Request array_of_requests[], int* indx, int* flag,
                                MPI_Status* status) {
    dvm_poll();
    *indx = MPI_UNDEFINED;
    for (int i = count; i-- > 0;)
        if (active_and_done(array_of_requests[i])) *indx = i;
    *flag = *indx != MPI_UNDEFINED || count_active(count, array_of_requests) == 0;
    if (*indx != MPI_UNDEFINED)
        look_at(array_of_requests[*indx], status);
    else if (*flag)
        dvm_status_empty(status);
    return MPI_SUCCESS;
}
DVM_ALIAS(Request_get_status_any);

int PMPI_Request_get_status_some(int incount, const MPI_Request array_of_requests[], int* outcount,
                                 int array_of_indices[], MPI_Status array_of_statuses[]) {
    dvm_poll();
    *outcount = count_active(incount, array_of_requests) == 0 ? MPI_UNDEFINED : 0;
    for (int i = 0; i < incount; ++i) {
        if (!active_and_done(array_of_requests[i])) continue;
        if (array_of_statuses != MPI_STATUSES_IGNORE)
            array_of_statuses[*outcount].MPI_ERROR = look_at(array_of_requests[i], &array_of_statuses[*outcount]);
        array_of_indices[(*outcount)++] = i;
    }
    return MPI_SUCCESS;
}
DVM_ALIAS(Request_get_status_some);

/* ---- cancelling ---- */

int PMPI_Cancel(MPI_Request* request) {
    struct dvm_request* const object = dvm_request_of(*request);
    if (object == NULL) return no_request(DVM_CALL);
    if (object->type == DVM_GENERALIZED) {
        const int error = dvm_generalized_cancel(object);
        return error == MPI_SUCCESS ? error : dvm_raise(NULL, error, DVM_CALL);
    }
    if (object->type == DVM_SCHEDULED)
        return dvm_error(object->comm, MPI_ERR_REQUEST, DVM_CALL, "a collective operation cannot be cancelled");
    if (object->type == DVM_PARTS_OUT || object->type == DVM_PARTS_IN)
        return dvm_error(object->comm, MPI_ERR_REQUEST, DVM_CALL, "partitioned communication cannot be cancelled");
    if (object->type == DVM_SEND) {
        dvm_cancel_send(object);
    } else if (object->stage == DVM_POSTED) {
        dvm_unpost(object);
        object->cancelled = true;
        dvm_complete(object, MPI_SUCCESS);
    }
    return MPI_SUCCESS;
}
DVM_ALIAS(Cancel);
