/* Error handlers: predefined ones, and those of the program. */
#include "engine.h"

static struct dvm_errhandler predefined[] = {
    {.predefined = MPI_ERRORS_ARE_FATAL},
    {.predefined = MPI_ERRORS_ABORT},
    {.predefined = MPI_ERRORS_RETURN},
};

struct dvm_errhandler* dvm_errhandler_of(MPI_Errhandler errhandler) {
    if (dvm_is(errhandler, DVM_ERRHANDLER)) return (struct dvm_errhandler*)errhandler;
    for (size_t i = 0; i < sizeof predefined / sizeof *predefined; ++i)
        if (predefined[i].predefined == errhandler) return &predefined[i];
    return NULL;
}

MPI_Errhandler dvm_errhandler_handle(struct dvm_errhandler* errhandler) {
    return errhandler->predefined != NULL ? errhandler->predefined : (MPI_Errhandler)errhandler;
}

void dvm_errhandler_retain(struct dvm_errhandler* errhandler) {
    if (errhandler->predefined == NULL) dvm_retain(errhandler);
}

void dvm_errhandler_release(struct dvm_errhandler* errhandler) {
    if (errhandler->predefined == NULL && dvm_release(errhandler)) dvm_delete(errhandler);
}

void dvm_errhandler_replace(struct dvm_errhandler** place, struct dvm_errhandler* errhandler) {
    dvm_errhandler_retain(errhandler);
    dvm_errhandler_release(*place);
    *place = errhandler;
}

static int create(MPI_Comm_errhandler_function* function, MPI_Errhandler* errhandler, const char* call) {
    if (function == NULL) return dvm_error(NULL, MPI_ERR_ARG, call, "the function is NULL");
    struct dvm_errhandler* const made = dvm_new(DVM_ERRHANDLER, sizeof *made);
    if (made == NULL) return dvm_error(NULL, MPI_ERR_NO_MEM, call, "not enough memory for an error handler");
    made->function = function;
    *errhandler = (MPI_Errhandler)made;
    return MPI_SUCCESS;
}

int PMPI_Comm_create_errhandler(MPI_Comm_errhandler_function* comm_errhandler_fn, MPI_Errhandler* errhandler) {
    return create(comm_errhandler_fn, errhandler, DVM_CALL);
}
DVM_ALIAS(Comm_create_errhandler);

int PMPI_Errhandler_create(MPI_Comm_errhandler_function* function, MPI_Errhandler* errhandler) {
    return create(function, errhandler, DVM_CALL);
}
DVM_ALIAS(Errhandler_create);

/* There are no windows and files that would call them; but a program may make them all the same. They are
 * called with a pointer to a handle, as all are. */
int PMPI_Win_create_errhandler(MPI_Win_errhandler_function* win_errhandler_fn, MPI_Errhandler* errhandler) {
    return create((MPI_Comm_errhandler_function*)(void (*)(void))win_errhandler_fn, errhandler, DVM_CALL);
}
DVM_ALIAS(Win_create_errhandler);

int PMPI_File_create_errhandler(MPI_File_errhandler_function* file_errhandler_fn, MPI_Errhandler* errhandler) {
    return create((MPI_Comm_errhandler_function*)(void (*)(void))file_errhandler_fn, errhandler, DVM_CALL);
}
DVM_ALIAS(File_create_errhandler);

int PMPI_Session_create_errhandler(MPI_Session_errhandler_function* session_errhandler_fn, MPI_Errhandler* errhandler) {
    return create((MPI_Comm_errhandler_function*)(void (*)(void))session_errhandler_fn, errhandler, DVM_CALL);
}
DVM_ALIAS(Session_create_errhandler);

int PMPI_Errhandler_free(MPI_Errhandler* errhandler) {
    struct dvm_errhandler* const found = dvm_errhandler_of(*errhandler);
    if (found == NULL) return dvm_error(NULL, MPI_ERR_ERRHANDLER, DVM_CALL, "the error handler is none");
    dvm_errhandler_release(found);
    *errhandler = MPI_ERRHANDLER_NULL;
    return MPI_SUCCESS;
}
DVM_ALIAS(Errhandler_free);

static int set(MPI_Comm comm, MPI_Errhandler errhandler, const char* call) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    struct dvm_errhandler* const handler = dvm_errhandler_of(errhandler);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_COMM, call, "the communicator is none");
    if (handler == NULL) return dvm_error(object, MPI_ERR_ERRHANDLER, call, "the error handler is none");
    dvm_errhandler_replace(&object->errhandler, handler);
    return MPI_SUCCESS;
}

int PMPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler errhandler) {
    return set(comm, errhandler, DVM_CALL);
}
DVM_ALIAS(Comm_set_errhandler);

int PMPI_Errhandler_set(MPI_Comm comm, MPI_Errhandler errhandler) {
    return set(comm, errhandler, DVM_CALL);
}
DVM_ALIAS(Errhandler_set);

static int get(MPI_Comm comm, MPI_Errhandler* errhandler, const char* call) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_COMM, call, "the communicator is none");
    dvm_errhandler_retain(object->errhandler);
    *errhandler = dvm_errhandler_handle(object->errhandler);
    return MPI_SUCCESS;
}

int PMPI_Comm_get_errhandler(MPI_Comm comm, MPI_Errhandler* errhandler) {
    return get(comm, errhandler, DVM_CALL);
}
DVM_ALIAS(Comm_get_errhandler);

int PMPI_Errhandler_get(MPI_Comm comm, MPI_Errhandler* errhandler) {
    return get(comm, errhandler, DVM_CALL);
}
DVM_ALIAS(Errhandler_get);

int PMPI_Comm_call_errhandler(MPI_Comm comm, int errorcode) {
    struct dvm_comm* const object = dvm_comm_of(comm);
    if (object == NULL) return dvm_error(NULL, MPI_ERR_COMM, DVM_CALL, "the communicator is none");
    const char* const text = dvm_class_text(errorcode);
    dvm_fail(errorcode, "%s", text == NULL ? "an error of the program's own" : text);
    dvm_raise(object, errorcode, DVM_CALL);
    return MPI_SUCCESS;
}
DVM_ALIAS(Comm_call_errhandler);
