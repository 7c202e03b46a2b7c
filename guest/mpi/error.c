/* The funnel that every error goes through: noted, then raised. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "engine.h"
#include "guest/libdivisi/divisi.h"
#include "internal.h"

static _Thread_local struct {
    int error_class;
    char sentence[MPI_MAX_ERROR_STRING];
} noted;

int dvm_fail(int error_class, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(noted.sentence, sizeof noted.sentence, format, arguments);
    va_end(arguments);
    noted.error_class = error_class;
    return error_class;
}

const char* dvm_noted(int error_class) {
    return noted.error_class == error_class && noted.sentence[0] != '\0' ? noted.sentence : NULL;
}

/* ---- raising ---- */

static struct dvm_errhandler* handler_for(const struct dvm_comm* comm) {
    if (comm != NULL) return comm->errhandler;
    /* Errors that belong to no communicator are MPI_COMM_SELF's; to MPI_COMM_WORLD's handler, as MPI had it before 4.0,
     * where the program only set that one. */
    if (dvm.self == NULL) return dvm_errhandler_of(MPI_ERRORS_ARE_FATAL);
    return dvm.self->errhandler->predefined == MPI_ERRORS_ARE_FATAL ? dvm.world->errhandler : dvm.self->errhandler;
}

int dvm_raise_with(struct dvm_errhandler* handler, void* handle, int error_class, const char* call) {
    const char* const sentence = dvm_noted(error_class);
    const char* const text = dvm_class_text(error_class);
    if (sentence == NULL)
        dvm_fail(error_class, "%s: %s", call, text == NULL ? "an error of the program's own" : text);
    else {
        char copy[MPI_MAX_ERROR_STRING];
        snprintf(copy, sizeof copy, "%s", sentence);
        dvm_fail(error_class, "%s: %s", call, copy);
    }
    if (handler->predefined == MPI_ERRORS_RETURN) return error_class;
    if (handler->function == NULL) dvm_abort(1, "%s (%s)", noted.sentence, text == NULL ? "error" : text);
    int code = error_class;
    if (handler->fortran) {
        MPI_Fint number = dvm_to_int(handle);
        ((void (*)(MPI_Fint*, MPI_Fint*))(void (*)(void))handler->function)(&number, &code);
    } else {
        handler->function((MPI_Comm*)(void*)&handle, &code);
    }
    return error_class;
}

int dvm_raise(struct dvm_comm* comm, int error_class, const char* call) {
    return dvm_raise_with(handler_for(comm), comm == NULL ? MPI_COMM_WORLD : dvm_comm_handle(comm), error_class, call);
}

int dvm_error(struct dvm_comm* comm, int error_class, const char* call, const char* format, ...) {
    char sentence[MPI_MAX_ERROR_STRING];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    dvm_fail(error_class, "%s", sentence);
    return dvm_raise(comm, error_class, call);
}

int dvm_unsupported(struct dvm_comm* comm, const char* call) {
    return dvm_error(comm, MPI_ERR_UNSUPPORTED_OPERATION, call,
                     "this part of MPI is not there in divisi; use messages or collectives in its stead");
}

/* ---- the end ---- */

void dvm_abort(int code, const char* format, ...) {
    char sentence[MPI_MAX_ERROR_STRING + 128];
    const int head =
        snprintf(sentence, sizeof sentence, "rank %u of %u (node %d): ", dvm.rank, dvm.size, divisi_node());
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence + head, sizeof sentence - (size_t)head, format, arguments);
    va_end(arguments);
    if (dvm_flush_fortran != NULL) dvm_flush_fortran();
    fflush(NULL);
    dprintf(STDERR_FILENO, "%s\n", sentence);
    dvm_end_job(code);
}

void dvm_check_running(const char* call) {
    engine.call = call;
    if (dvm.phase == DVM_RUNNING) return;
    dvm_abort(1, "%s was called %s", call, dvm.phase == DVM_BEFORE ? "before MPI_Init" : "after MPI_Finalize");
}
