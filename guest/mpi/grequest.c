/* Generalized requests: what the program itself does in the background. */
#include <stdlib.h>

#include "completion.h"

struct generalized {
    MPI_Grequest_query_function* query;
    MPI_Grequest_free_function* free;
    MPI_Grequest_cancel_function* cancel;
    void* state;
};

int PMPI_Grequest_start(MPI_Grequest_query_function* query_fn, MPI_Grequest_free_function* free_fn,
                        MPI_Grequest_cancel_function* cancel_fn, void* extra_state, MPI_Request* request) {
    struct dvm_request* const made = dvm_request_new(DVM_GENERALIZED);
    struct generalized* const own = malloc(sizeof *own);
    if (made == NULL || own == NULL) {
        free(own);
        if (made != NULL) dvm_request_delete(made);
        return dvm_error(NULL, MPI_ERR_NO_MEM, DVM_CALL, "not enough memory for a request");
    }
    const struct generalized filled = {query_fn, free_fn, cancel_fn, extra_state};
    *own = filled;
    made->extra = own;
    made->stage = DVM_ARRIVING;
    ++engine.generalized;
    *request = dvm_request_handle(made);
    return MPI_SUCCESS;
}
DVM_ALIAS(Grequest_start);

/* May be called by another thread than the one that waits: only the stage is written, last. */
int PMPI_Grequest_complete(MPI_Request request) {
    struct dvm_request* const object = dvm_request_of(request);
    if (object == NULL || object->type != DVM_GENERALIZED)
        return dvm_error(NULL, MPI_ERR_REQUEST, DVM_CALL, "the request is no generalized one");
    --engine.generalized;
    if (object->forgotten) dvm_generalized_free(object);
    dvm_complete(object, MPI_SUCCESS);
    return MPI_SUCCESS;
}
DVM_ALIAS(Grequest_complete);

int dvm_generalized_query(const struct dvm_request* request, MPI_Status* status) {
    const struct generalized* const own = request->extra;
    if (own->query == NULL) return MPI_SUCCESS;
    return own->query(own->state, status);
}

int dvm_generalized_free(const struct dvm_request* request) {
    const struct generalized* const own = request->extra;
    return own->free == NULL ? MPI_SUCCESS : own->free(own->state);
}

int dvm_generalized_cancel(const struct dvm_request* request) {
    const struct generalized* const own = request->extra;
    return own->cancel == NULL ? MPI_SUCCESS : own->cancel(own->state, request->stage == DVM_COMPLETE);
}
