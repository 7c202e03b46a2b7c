/* Operations, error handlers and generalized requests of Fortran programs. */
#define DVM_OUTSIDE
#include "fortran.h"
#include "guest/mpi/internal.h"
#include "guest/mpi/op.h"

typedef void (*any_function)(void);

/* ---- operations ---- */

void pmpi_op_create_(MPI_User_function* function, const MPI_Fint* commute, MPI_Fint* op, MPI_Fint* ierror);
DVF_ALIAS(op_create)
void pmpi_op_create_(MPI_User_function* function, const MPI_Fint* commute, MPI_Fint* op, MPI_Fint* ierror) {
    MPI_Op made = MPI_OP_NULL;
    const int code = PMPI_Op_create(function, *commute != 0, &made);
    if (code == MPI_SUCCESS) {
        dvm_op_of(made)->fortran = true;
        *op = dvm_to_int(made);
    }
    dvf_return(ierror, code);
}

/* ---- error handlers ---- */

#define DVF_CREATE_ERRHANDLER(kind, lower)                                                                   \
    void pmpi_##lower##_create_errhandler_(MPI_##kind##_errhandler_function* function, MPI_Fint* errhandler, \
                                           MPI_Fint* ierror);                                                \
    DVF_ALIAS(lower##_create_errhandler)                                                                     \
    void pmpi_##lower##_create_errhandler_(MPI_##kind##_errhandler_function* function, MPI_Fint* errhandler, \
                                           MPI_Fint* ierror) {                                               \
        MPI_Errhandler made = MPI_ERRHANDLER_NULL;                                                           \
        const int code = PMPI_##kind##_create_errhandler(function, &made);                                   \
        if (code == MPI_SUCCESS) {                                                                           \
            dvm_errhandler_of(made)->fortran = true;                                                         \
            *errhandler = dvm_to_int(made);                                                                  \
        }                                                                                                    \
        dvf_return(ierror, code);                                                                            \
    }

DVF_CREATE_ERRHANDLER(Comm, comm)
DVF_CREATE_ERRHANDLER(Win, win)
DVF_CREATE_ERRHANDLER(File, file)
DVF_CREATE_ERRHANDLER(Session, session)

void pmpi_errhandler_create_(MPI_Comm_errhandler_function* function, MPI_Fint* errhandler, MPI_Fint* ierror);
DVF_ALIAS(errhandler_create)
void pmpi_errhandler_create_(MPI_Comm_errhandler_function* function, MPI_Fint* errhandler, MPI_Fint* ierror) {
    pmpi_comm_create_errhandler_(function, errhandler, ierror);
}

/* ---- generalized requests ---- */

struct generalized {
    void (*query)(MPI_Aint*, MPI_Fint*, MPI_Fint*);
    void (*free)(MPI_Aint*, MPI_Fint*);
    void (*cancel)(MPI_Aint*, MPI_Fint*, MPI_Fint*);
    MPI_Aint* extra_state; /* the program's own variable: its functions may change it */
};

static int query(void* extra_state, MPI_Status* status) {
    struct generalized* const request = extra_state;
    MPI_Fint code = MPI_SUCCESS;
    request->query(request->extra_state, &status->MPI_SOURCE, &code);
    return code;
}

static int release(void* extra_state) {
    struct generalized* const request = extra_state;
    MPI_Fint code = MPI_SUCCESS;
    request->free(request->extra_state, &code);
    free(request);
    return code;
}

static int cancel(void* extra_state, int complete) {
    struct generalized* const request = extra_state;
    MPI_Fint code = MPI_SUCCESS;
    complete = complete != 0;
    request->cancel(request->extra_state, &complete, &code);
    return code;
}

void pmpi_grequest_start_(any_function query_fn, any_function free_fn, any_function cancel_fn, MPI_Aint* extra_state,
                          MPI_Fint* request, MPI_Fint* ierror);
DVF_ALIAS(grequest_start)
void pmpi_grequest_start_(any_function query_fn, any_function free_fn, any_function cancel_fn, MPI_Aint* extra_state,
                          MPI_Fint* request, MPI_Fint* ierror) {
    struct generalized* const made = malloc(sizeof *made);
    if (made == NULL) {
        dvf_return(ierror, MPI_ERR_NO_MEM);
        return;
    }
    made->query = (void (*)(MPI_Aint*, MPI_Fint*, MPI_Fint*))query_fn;
    made->free = (void (*)(MPI_Aint*, MPI_Fint*))free_fn;
    made->cancel = (void (*)(MPI_Aint*, MPI_Fint*, MPI_Fint*))cancel_fn;
    made->extra_state = extra_state;
    MPI_Request started = MPI_REQUEST_NULL;
    const int code = PMPI_Grequest_start(query, release, cancel, made, &started);
    if (code == MPI_SUCCESS)
        *request = dvm_to_int(started);
    else
        free(made);
    dvf_return(ierror, code);
}
