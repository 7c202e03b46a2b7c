/* Errors: noted with a sentence where they are found, raised through the communicator's error handler where the MPI
 * call ends. */
#ifndef DVM_ERROR_H
#define DVM_ERROR_H

#include <mpi.h>

#include "object.h"

struct dvm_comm;

/* An error handler of the user's, or a predefined one (function NULL). */
struct dvm_errhandler {
    struct dvm_object object;
    MPI_Errhandler predefined; /* its handle, where it is one */
    MPI_Comm_errhandler_function* function;
    bool fortran; /* takes its handle as Fortran's integer */
};

/* NULL: not an error handler. */
struct dvm_errhandler* dvm_errhandler_of(MPI_Errhandler errhandler);
MPI_Errhandler dvm_errhandler_handle(struct dvm_errhandler* errhandler);
void dvm_errhandler_retain(struct dvm_errhandler* errhandler);
void dvm_errhandler_release(struct dvm_errhandler* errhandler);
/* Puts it in the place of another. */
void dvm_errhandler_replace(struct dvm_errhandler** place, struct dvm_errhandler* errhandler);

/* Notes the sentence and yields `error_class`. The sentence names rank and argument, not the call. */
int dvm_fail(int error_class, const char* format, ...) __attribute__((format(printf, 2, 3)));

/* Calls the error handler of `comm` (NULL: the one for errors without a communicator) for `error_class` with the
 * sentence noted last; yields the class where the handler returns. `call`: DVM_CALL. */
int dvm_raise(struct dvm_comm* comm, int error_class, const char* call);

/* The same of what an operation has come to: success is passed on. */
static inline int dvm_raise_if_failed(struct dvm_comm* comm, int error, const char* call) {
    return error == MPI_SUCCESS ? MPI_SUCCESS : dvm_raise(comm, error, call);
}

/* The same through a handler of another kind's; `handle` is what it gets a pointer to. */
int dvm_raise_with(struct dvm_errhandler* handler, void* handle, int error_class, const char* call);

/* Both at once. */
int dvm_error(struct dvm_comm* comm, int error_class, const char* call, const char* format, ...)
    __attribute__((format(printf, 4, 5)));

/* For what is not there: raises MPI_ERR_UNSUPPORTED_OPERATION and says what to do instead. */
int dvm_unsupported(struct dvm_comm* comm, const char* call);

/* For MPI_LASTUSEDCODE. */
int dvm_last_used_code(void);
/* What an error class means; NULL: it is not one of MPI's. */
const char* dvm_class_text(int error_class);
/* The sentence noted last, if that was for this class; else NULL. */
const char* dvm_noted(int error_class);

/* Writes out what the program's Fortran parts have printed (fortran/environment.c). NULL: it has none. */
void dvm_flush_fortran(void) __attribute__((weak));
/* Ends the job, with this sentence. */
_Noreturn void dvm_abort(int code, const char* format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the job without a word. */
_Noreturn void dvm_end_job(int code);

/* For calls without a communicator of their own: before MPI_Init and after MPI_Finalize there is no going on. */
void dvm_check_running(const char* call);

#endif
