/* The lock of the library, for programs whose threads call MPI at the same time (MPI_THREAD_MULTIPLE).
 *
 * One lock for all: what a call needs lies in queues and rings that belong to no thread. Threads that share a processor
 * do not take turns with every call, since a switch costs more than most calls; but who asks again and again for what
 * is not there (MPI_Test) keeps nobody out, and nobody is passed over for long. The thread that has it may take it
 * again: functions of the program's that the library calls may call MPI. */
#ifndef DVM_LOCK_H
#define DVM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

void dvm_lock(void);
void dvm_unlock(void);
/* Whether another thread waits for it. Asked by the one that has it. */
bool dvm_lock_wanted(void);
/* Gives it up, however often it was taken; and takes it back, as often. */
uint32_t dvm_lock_leave(void);
void dvm_lock_return(uint32_t kept);

#endif
