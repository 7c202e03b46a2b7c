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
#include "lock.h"
#include "object.h"
#include "request.h"
#include "schedule.h"

/* The name of the MPI function that says it, within PMPI_Something. */
#define DVM_CALL (__func__ + 1)

/* Makes the function PMPI_name, which takes the lock where there is one, and MPI_name, its weak twin: a tool's own
 * MPI_name stands in its stead. Within the library, PMPI_name is the body, to be called with the lock held. Who calls
 * from outside of it defines DVM_OUTSIDE first. */
#ifndef DVM_OUTSIDE
#include "entries.h"
#define DVM_ALIAS(name) DVM_ENTRY_##name
#endif

enum dvm_phase { DVM_BEFORE, DVM_RUNNING, DVM_AFTER };

struct dvm_state {
    enum dvm_phase phase;       /* of MPI as a whole: it runs while the world does, or a session is there */
    enum dvm_phase world_phase; /* what MPI_Init and MPI_Finalize change */
    int sessions;
    int thread_level;
    bool locks;    /* for MPI_THREAD_MULTIPLE */
    uint32_t rank; /* world rank */
    uint32_t size; /* of the world */
    struct dvm_comm* world;
    struct dvm_comm* self;
};

extern struct dvm_state dvm;

/* The highest level of threads that is there. */
#define DVM_THREAD_LEVEL MPI_THREAD_MULTIPLE

/* Makes MPI run, if it does not yet, for one who asked for this level of threads. Ends the job where that fails. */
void dvm_begin(int thread_level, const char* call);

#endif
