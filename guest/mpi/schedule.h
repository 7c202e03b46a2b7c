/* Schedules: a collective operation as a list of steps, which the progress engine runs.
 *
 * A schedule is a sequence of phases; the steps of a phase may run in any order and at the same time, except that local
 * steps run in the order of their addition, when the phase begins, before its messages. A phase begins when all steps
 * of the one before are done. Blocking, non-blocking and persistent collectives are the same schedule: run, started
 * once, or started again and again.
 *
 * Errors: adding a step can fail for want of memory; the schedule remembers, and dvm_schedule_start yields it. So the
 *         results of the adding functions need not be looked at one by one.
 */
#ifndef DVM_SCHEDULE_H
#define DVM_SCHEDULE_H

#include "communicator.h"
#include "request.h"

struct dvm_schedule;

/* A local step: yields an MPI error class. */
typedef int (*dvm_action)(void* context);

/* Takes the next collective tag of `comm`. NULL: no memory. */
struct dvm_schedule* dvm_schedule_new(struct dvm_comm* comm);
/* Only for schedules that were never started; a started one is its request's. */
void dvm_schedule_free(struct dvm_schedule* schedule);

/* Messages go through the collective context. `comm` may differ from the schedule's own (an intercommunicator's
 * `within`). Types are retained. */
void dvm_schedule_send(struct dvm_schedule* schedule, struct dvm_comm* comm, int dest, const void* buffer,
                       MPI_Count count, struct dvm_type* type);
void dvm_schedule_receive(struct dvm_schedule* schedule, struct dvm_comm* comm, int source, void* buffer,
                          MPI_Count count, struct dvm_type* type);
/* `context` is copied: `bytes` of it, at most 128. */
void dvm_schedule_local(struct dvm_schedule* schedule, dvm_action action, const void* context, size_t bytes);
/* Ends the present phase. */
void dvm_schedule_phase(struct dvm_schedule* schedule);

/* Memory that lives as long as the schedule; NULL: none (remembered). */
void* dvm_schedule_memory(struct dvm_schedule* schedule, size_t bytes);
/* `release(object)` when the schedule goes: for what it keeps alive (types, operations). */
void dvm_schedule_keep(struct dvm_schedule* schedule, void* object, void (*release)(void* object));

/* Runs it to the end and frees it. */
int dvm_schedule_run(struct dvm_schedule* schedule);
/* As a request of a non-blocking collective, which owns it from here on. */
int dvm_schedule_start(struct dvm_schedule* schedule, MPI_Request* request);
/* As an inactive persistent request (MPI_Barrier_init and its kin). */
int dvm_schedule_persistent(struct dvm_schedule* schedule, MPI_Request* request);

#endif
