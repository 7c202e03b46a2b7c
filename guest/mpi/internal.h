/* What the parts of the MPI library share. Not installed.
 *
 * Words: a *world rank* is a rank of the job, as libdivisi counts; a rank without more is one of a communicator.
 * Return values of internal functions are MPI error classes; the sentence is noted by dvm_fail and reaches the user
 * through dvm_raise, which calls the error handler.
 */
#ifndef DVM_INTERNAL_H
#define DVM_INTERNAL_H

#include <mpi.h>
#include "communicator.h"
#include "error.h"
#include "object.h"
#include "request.h"
#include "schedule.h"

/* The name of the MPI function that says it, within PMPI_Something. */
#define DVM_CALL (__func__ + 1)

/* Makes MPI_name the weak twin of PMPI_name: a tool's own MPI_name stands in its stead. */
#define DVM_ALIAS(name) extern __typeof__(PMPI_##name) MPI_##name __attribute__((weak, alias("PMPI_" #name)))

enum dvm_phase { DVM_BEFORE, DVM_RUNNING, DVM_AFTER };

struct dvm_state {
    enum dvm_phase phase;       /* of MPI as a whole: it runs while the world does, or a session is there */
    enum dvm_phase world_phase; /* what MPI_Init and MPI_Finalize change */
    int sessions;
    int thread_level;
    uint32_t rank; /* world rank */
    uint32_t size; /* of the world */
    struct dvm_comm* world;
    struct dvm_comm* self;
};

extern struct dvm_state dvm;

/* The highest level of threads that is there. */
#define DVM_THREAD_LEVEL MPI_THREAD_SERIALIZED

/* Makes MPI run, if it does not yet, for one who asked for this level of threads. Ends the job where that fails. */
void dvm_begin(int thread_level, const char* call);

#endif
