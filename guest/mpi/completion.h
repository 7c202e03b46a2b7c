/* Whether requests are done, and their end. */
#ifndef DVM_COMPLETION_H
#define DVM_COMPLETION_H

#include "engine.h"

/* Nothing to wait for: null, or a persistent one that was not started. */
static inline bool dvm_inactive(const struct dvm_request* request) {
    return request == NULL || request->stage == DVM_IDLE;
}

static inline bool dvm_done(const struct dvm_request* request) {
    return request->stage == DVM_COMPLETE && (request->companion == NULL || request->companion->stage == DVM_COMPLETE);
}

/* Takes a request that is done to its end: fills the status, frees it (or makes it inactive), yields its error class.
 */
int dvm_retire(MPI_Request* handle, MPI_Status* status);
/* The status of nothing. */
void dvm_status_empty(MPI_Status* status);
/* What is known of a request that is done, which stays. An error class. */
int dvm_look(const struct dvm_request* request, MPI_Status* status);

/* ---- grequest.c ---- */

int dvm_generalized_query(const struct dvm_request* request, MPI_Status* status);
int dvm_generalized_free(const struct dvm_request* request);
int dvm_generalized_cancel(const struct dvm_request* request);

#endif
